"""Windows of a picture that is never in memory as a whole: where they lie, their input, and the scores they share.

All is that of `tiling.run`, which has the whole view: the same windows, the same weights, added in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from segcli.inference.argmax import argmax, candidates
from segcli.inference.axis import Axis, axes
from segcli.inference.enlargement import Enlargement, interpolated
from segcli.inference.tiling import bell, starts
from segcli.inference.transform import Geometry, grey, normalise
from segcli.labels import VOID
from segcli.models.preprocessing import STRIDE, Preprocessing

WIDE = 2**25
"""The bytes of scores at the photo's width that exist at a time, and those of some rows of its pixels."""
ENLARGED = 2**22


@dataclass(frozen=True)
class Windows:
    """The windows of a network's input.

    Attributes:
        place: How the photo lies in the network's input.
        tile: The largest side of a window in pixels, from `preprocessing.fitting`.
        corner: The rest of the model's sides by 32, from `preprocessing.corner`.
    """

    place: Geometry
    tile: int
    corner: int

    @property
    def is_one(self) -> bool:
        """Whether the input is no larger than a tile, so that one window is all of it."""
        return max(self.place.padded) <= self.tile

    @cached_property
    def sides(self) -> tuple[int, int]:
        """The (height, width) that the windows cover."""
        if self.is_one:
            return self.place.padded
        height, width = (
            max(1, -(-(side - self.corner) // STRIDE)) * STRIDE + self.corner for side in self.place.padded
        )
        return height, width

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Where the rows of windows begin."""
        return (0,) if self.is_one else tuple(starts(self.sides[0], self.tile))

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Where the windows of a row begin."""
        return (0,) if self.is_one else tuple(starts(self.sides[1], self.tile))

    def __len__(self) -> int:
        """The number of windows."""
        return len(self.rows) * len(self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) of each window."""
        return min(self.tile, self.sides[0]), min(self.tile, self.sides[1])

    @property
    def covered(self) -> Geometry:
        """How the photo lies in what the windows cover."""
        return Geometry(self.place.photo, self.place.resized, self.sides)

    def stride(self, cells: int) -> int:
        """Input pixels a score, of a network that gives so many rows of scores for a window."""
        return (self.size[0] - self.corner) // max(cells - self.corner, 1)

    def grid(self, stride: int) -> tuple[int, int]:
        """The (height, width) of all scores, `stride` pixels apart."""
        height, width = ((side - self.corner) // stride + self.corner for side in self.sides)
        return height, width

    def until(self, row: int, stride: int) -> int:
        """The rows of scores, from 0 on, that no row of windows after that number changes."""
        return self.rows[row + 1] // stride if row + 1 < len(self.rows) else self.grid(stride)[0]

    def input(self, top: int, left: int, rgb: np.ndarray, preprocessing: Preprocessing) -> Tensor:
        """The input float32 (1, 3, h, w) of the window at `top`, `left`.

        Args:
            top: The window's first row in the network's input.
            left: Its first column.
            rgb: The part of the resized photo that lies there, uint8 (rows, columns, 3), from the window's corner on.
            preprocessing: The model's.
        """
        high, wide = (max(0, room - at) for room, at in zip(self.place.padded, (top, left), strict=True))
        window = torch.zeros(1, 3, *self.size)
        window[..., :high, :wide] = torch.from_numpy(grey(preprocessing))
        photo = normalise(rgb.transpose(2, 0, 1), preprocessing)
        window[..., : rgb.shape[0], : rgb.shape[1]] = torch.from_numpy(photo)
        return window


class Ring:
    """The scores of those rows that windows still change; earlier ones are given and let go, later ones not yet there.

    Args:
        classes: The number of channels, K.
        width: The columns of scores, w.
        plain: Whether there is one window only, whose scores stay as they are.

    Attributes:
        first: The row of scores that the sums begin with.
        total: The weighted sums of scores, float32 (1, K, rows, w).
        weights: The sums of weights, float32 (rows, w).
    """

    def __init__(self, classes: int, width: int, plain: bool = False):
        self.first, self._plain = 0, plain
        self.total, self.weights = torch.zeros(1, classes, 0, width), torch.zeros(0, width)

    def add(self, top: int, left: int, scores: Tensor) -> None:
        """Add the scores (1, K, h, w) of a window whose first score lies in that row and column."""
        height, width = scores.shape[-2:]
        self._reach(top + height)
        place = (..., slice(top - self.first, top - self.first + height), slice(left, left + width))
        window = bell(height, scores)[:, None] * bell(width, scores)
        if self._plain:
            window = torch.ones_like(window)
        self.total[place] += scores * window
        self.weights[place] += window

    def _reach(self, bottom: int) -> None:
        missing = bottom - self.first - len(self.weights)
        if missing > 0:
            self.total = torch.cat([self.total, self.total.new_zeros(*self.total.shape[:2], missing, self.width)], 2)
            self.weights = torch.cat([self.weights, self.weights.new_zeros(missing, self.width)])

    @property
    def bottom(self) -> int:
        """The row of scores after the last one that is known."""
        return self.first + len(self.weights)

    @property
    def width(self) -> int:
        """The columns of scores."""
        return self.weights.shape[1]

    def scores(self, first: int, until: int) -> Tensor:
        """The scores (1, K, rows, w) of the rows from `first` to `until`; 0 where no window was looked at."""
        self._reach(until)
        rows = slice(first - self.first, until - self.first)
        total, weights = self.total[:, :, rows], self.weights[rows]
        return torch.where(weights > 0, total / weights, 0.0)

    def drop(self, until: int) -> None:
        """Let the rows before `until` go."""
        gone = max(0, min(until - self.first, len(self.weights)))
        self.total, self.weights = self.total[:, :, gone:].clone(), self.weights[gone:].clone()
        self.first += gone


class Enlarging:
    """From rows of scores to the rows of a picture that shows the whole photo.

    Args:
        windows: Where the photo lies.
        grid: The (height, width) of all scores.
        align_corners: The spec's rule for enlarging scores.
        size: The picture's (height, width).
    """

    def __init__(self, windows: Windows, grid: tuple[int, int], align_corners: bool, size: tuple[int, int]):
        self.size = size
        self.vertical, self._horizontal = axes(grid, windows.covered, align_corners, size)

    def ready(self, until: int) -> int:
        """The rows of the picture, from 0 on, that need no row of scores from `until` on."""
        return int(np.searchsorted(self.vertical.second, until))

    def needed(self, row: int) -> int:
        """The first row of scores that the picture's rows from `row` on need."""
        return int(self.vertical.first[row]) if row < self.size[0] else int(self.vertical.second[-1]) + 1

    def rows(self, scores: Tensor, first: int, top: int, bottom: int) -> Tensor:
        """Scores (1, K, bottom - top, W) of the picture's rows, of scores (1, K, h, w) whose first row is `first`."""
        return Enlargement(interpolated(scores, -1, self._horizontal, 0, self.size[1]), self._part(first)).rows(
            top, bottom
        )

    def area(self, scores: Tensor, first: int, rows: slice, columns: slice) -> Tensor:
        """Scores (K, h, w) of a part of the picture, of scores (1, K, ., .) whose first row is `first`."""
        wide = interpolated(scores, -1, self._horizontal, columns.start, columns.stop)
        return Enlargement(wide, self._part(first)).rows(rows.start, rows.stop)[0]

    def _part(self, first: int) -> Axis:
        """The vertical axis where the first row of scores is that of this number."""
        one = self.vertical
        return Axis(one.first - first, one.second - first, one.weight, None if one.shift is None else one.shift - first)

    def bands(self, scores: Tensor, first: int, top: int, bottom: int) -> Iterator[tuple[int, int, Tensor]]:
        """The same rows in parts whose scores fit into `WIDE`: first row, row after the last, scores (1, K, h, w)."""
        step = max(1, WIDE // (4 * scores.shape[1] * self.size[1]))
        while top < bottom:
            start = self.needed(top)
            end = min(bottom, max(top + 1, self.ready(start + step + 1)))
            stop = int(self.vertical.second[end - 1]) + 1
            yield top, end, scores[:, :, start - first : stop - first]
            top = end

    def labels(self, scores: Tensor, first: int, top: int, bottom: int) -> np.ndarray:
        """The class with the largest score in the picture's rows, as `argmax.label_map` has it: (rows, W)."""
        kind = np.uint8 if scores.shape[1] <= VOID else np.uint16
        result = np.empty((bottom - top, self.size[1]), kind)
        for begin, end, part in self.bands(scores, first, top, bottom):
            ids = candidates(part[0])
            classes = ids.numpy().astype(kind)
            few = max(1, ENLARGED // (4 * len(ids) * self.size[1]))
            wide = interpolated(part[:, ids], -1, self._horizontal, 0, self.size[1])
            enlarged = Enlargement(wide, self._part(self.needed(begin)))
            for row in range(begin, end, few):
                until = min(row + few, end)
                result[row - top : until - top] = classes.take(argmax(enlarged.rows(row, until)[0]).numpy())
        return result
