"""Pieces: the straight pieces of the borders of a mask that goes on above and below, and which piece follows which."""

from __future__ import annotations

import numpy as np

from segcli.images.polygons import Starts, run_bounds


class Pieces:
    """The borders between inside and outside of a part of a mask, in straight pieces with inside on their right.

    Corners are counted row by row; row 0 is the upper edge of the first row of pixels. That row stands for all above:
    its upper edge is no border, and a piece beside it comes from above or leads there. Neither is the lower edge of the
    last row a border.

    Args:
        mask: bool (n + 1, W).

    Attributes:
        count: The number of pieces; those that go right come first, `rights` of them.
        following: The piece after each; -1 where it leads to another strip.
        from_above: The pieces that come from above.
        from_below: The pieces that come up from below.
    """

    def __init__(self, mask: np.ndarray):
        self._width, self._rows = mask.shape[1] + 1, mask.shape[0]
        right, left = _across(mask[1:] & ~mask[:-1]), _across(mask[:-1] & ~mask[1:])
        padded = np.pad(mask, ((0, 1), (1, 1)))
        inside, before = padded[:, 1:], padded[:, :-1]
        down, up = self._along(before & ~inside), self._along(inside & ~before)
        starts = [right[0], left[1], down[0], up[1]]
        ends = [right[1], left[0], down[1], up[0]]
        self.rights = len(right[0])
        self._downs = self.rights + len(left[0])
        self._ups = self._downs + len(down[0])
        self.starts, self._ends = np.concatenate(starts), np.concatenate(ends)
        self.count = len(self.starts)
        across = Starts(starts[0], starts[1], 0)
        along = Starts(starts[2], starts[3], self._downs)
        # Where two loops meet at a corner each turns right, so that pixels touching there belong to different regions.
        following = [along.first(ends[0]), along.second(ends[1])]
        following += [self._inner(across.second, ends[2]), self._inner(across.first, ends[3])]
        self.following = np.concatenate(following).tolist()
        self.from_above = self._downs + np.flatnonzero(starts[2] < self._width)
        self.from_below = self._ups + np.flatnonzero(starts[3] >= self._rows * self._width)

    def _along(self, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The upper and the lower corner of each run of edges down the columns of (rows + 1, W + 1)."""
        bounds = run_bounds(edges.T)
        return tuple((place % (self._rows + 1)) * self._width + place // (self._rows + 1) for place in bounds)

    def _inner(self, find, corners: np.ndarray) -> np.ndarray:
        """What follows at corners between the rows; -1 at those beyond the first and the last."""
        inner = (corners >= self._width) & (corners < self._rows * self._width)
        result = np.full(len(corners), -1)
        if inner.any():
            result[inner] = find(corners[inner])
        return result

    def start(self, piece: int) -> tuple[int, int]:
        """The row and the column of the corner where a piece starts."""
        return divmod(int(self.starts[piece]), self._width)

    def column(self, piece: int) -> int:
        """The column of a piece that goes down or up."""
        return int(self.starts[piece]) % self._width

    def is_down(self, piece: int) -> bool:
        """Whether a piece goes down."""
        return self._downs <= piece < self._ups


def _across(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The left and the right corner of each run of edges along the rows, which are the corners' rows from 1 on."""
    padded = np.pad(edges, ((1, 0), (0, 1)))
    return run_bounds(padded)
