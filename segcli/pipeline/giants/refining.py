"""Refining: the fully connected CRF on a large picture, in windows of which only the cores are kept.

Around its core a window has a margin that takes part and is thrown away, so that what is kept knows its surroundings.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from segcli.crf.settings import WORKING_SIZE
from segcli.crf.stage import Refinement
from segcli.inference.prediction import Prediction, from_probabilities
from segcli.inference.windows import Enlarging

_SHARE = 8
"""A margin is this part of a window's side."""


class Photo(Protocol):
    """What knows a photo's rows; see `view.View`."""

    def photo(self, top: int, bottom: int) -> np.ndarray:
        """The photo's rows, uint8 (rows, W, 3)."""


class Refining:
    """The CRF, window by window.

    Args:
        refine: The CRF; its `size` is the side of a window, and its sigmas count the photo's own pixels.
        enlarging: Leads from the scores to the photo's size.

    Attributes:
        margin: The rows around a band that take part in it.
        core: The rows that are done at a time.
    """

    def __init__(self, refine: Refinement, enlarging: Enlarging):
        side = min(refine.size or WORKING_SIZE, WORKING_SIZE)
        self._refine, self._enlarging = refine, enlarging
        self.margin = max(1, side // _SHARE)
        self.core = side - 2 * self.margin

    @torch.no_grad()
    def labels(self, scores: Tensor, first: int, photo: Photo, top: int, bottom: int) -> np.ndarray:
        """The label map (rows, W) of the photo's rows from `top` to `bottom`, at most `core` of them.

        Args:
            scores: (1, K, h, w), as far as they are known, below what is final too.
            first: The number of their first row.
            photo: The photo, kept from `margin` rows above `top` on.
            top: The first row.
            bottom: The row after the last.
        """
        height, width = self._enlarging.size
        known = min(height, self._enlarging.ready(first + scores.shape[2]))
        above, below = max(0, top - self.margin), min(known, bottom + self.margin)
        rgb = photo.photo(above, below)
        parts = []
        for left in range(0, width, self.core):
            right = min(left + self.core, width)
            columns = slice(max(0, left - self.margin), min(width, right + self.margin))
            area = self._enlarging.area(scores, first, slice(above, below), columns)
            labels = self._window(rgb[:, columns], area)
            parts.append(labels[top - above : bottom - above, left - columns.start : right - columns.start])
        return np.concatenate(parts, axis=1)

    def _window(self, rgb: np.ndarray, scores: Tensor) -> np.ndarray:
        """The label map of a part of the photo, by its scores (K, h, w)."""
        prediction: Prediction = from_probabilities(scores.softmax(0), rgb.shape[:2])
        return self._refine(np.ascontiguousarray(rgb), prediction).labels()
