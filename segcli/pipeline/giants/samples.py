"""Samples: a network's scores, or its certainty, at a few points of a large picture."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from segcli.images.masks import nearest_indices
from segcli.inference.prediction import Prediction
from segcli.inference.transform import Geometry
from segcli.inference.windows import Enlarging
from segcli.pipeline.giants.journal import Journal


class Samples:
    """The scores of a picture at a small size, gathered row by row.

    Args:
        journal: Keeps them.
        enlarging: Leads from the scores to that size.
        photo: The picture's (height, width).
        classes: The number of classes, K.
        sure: Whether the probability of the likeliest class is all that is kept of the scores.

    Attributes:
        valid: Where the photo has data at that size, bool (h, w).
    """

    def __init__(
        self, journal: Journal, enlarging: Enlarging, photo: tuple[int, int], classes: int, sure: bool = False
    ):
        self._enlarging, self._sure, self._channels = enlarging, sure, 1 if sure else classes
        height, width = enlarging.size
        self._name = f"{'certainty' if sure else 'samples'}-{height}x{width}"
        self._spool = journal.spool(self._name)
        self._bytes = 4 * self._channels * width
        self._pixels = [nearest_indices(whole, few) for whole, few in zip(photo, enlarging.size, strict=True)]
        self.valid = journal.arrays.get(self._name, np.ones((height, width), bool))

    @property
    def _done(self) -> int:
        return self._spool.length // self._bytes

    def needed(self) -> int:
        """The first row of scores that is still needed."""
        return self._enlarging.needed(self._done)

    def add(self, scores: Tensor, first: int, until: int) -> None:
        """Take the rows of scores (1, K, h, w) from number `first` on, of which those before `until` are final."""
        ready = self._enlarging.ready(until)
        if ready > self._done:
            rows = self._enlarging.rows(scores, first, self._done, ready)[0]
            rows = rows.softmax(0).amax(0, keepdim=True) if self._sure else rows
            self._spool.append(rows.transpose(0, 1).contiguous().numpy().tobytes())

    def mark(self, top: int, valid: np.ndarray) -> None:
        """Take where the photo's rows from `top` on have data, bool (rows, W)."""
        rows, columns = self._pixels
        first, last = np.searchsorted(rows, (top, top + len(valid)))
        self.valid[first:last] = valid[rows[first:last] - top][:, columns]

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What the journal is to keep beside the scores."""
        return {self._name: self.valid}

    def values(self) -> np.ndarray:
        """The scores, or the one channel of certainty, float32 (K, h, w)."""
        height, width = self._enlarging.size
        rows = self._spool.read().view(np.float32).reshape(height, self._channels, width)
        return np.ascontiguousarray(rows.transpose(1, 0, 2))

    def prediction(self, has_void: bool) -> Prediction:
        """The scores as the prediction of a photo of that size."""
        size, scores = self._enlarging.size, torch.from_numpy(self.values())[None]
        return Prediction(scores, Geometry(size, size, size), False, valid=self.valid if has_void else None)
