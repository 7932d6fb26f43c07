"""Shrinking: a picture that comes in rows at a small size, as Pillow shrinks a whole one."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

GAP = 2.0
"""Pillow's `reducing_gap` in overlays and galleries: means of whole blocks leave at least twice the size asked for."""


class Reduction:
    """The first step of `Image.resize(size, resample, reducing_gap=2)`: means of whole blocks, row after row.

    Args:
        photo: The picture's (height, width).
        size: The (height, width) that it gets.

    Attributes:
        size: The (height, width) of what `add` gives in all.
        fed: The number of rows that came.
        pending: The rows of a block that is not whole yet, uint8 (rows, W, 3).
    """

    def __init__(self, photo: tuple[int, int], size: tuple[int, int]):
        self._photo, self._wanted = photo, size
        self._factors = tuple(int(whole / small / GAP) or 1 for whole, small in zip(photo, size, strict=True))
        height, width = (-(-side // by) for side, by in zip(photo, self._factors, strict=True))
        self.size = height, width
        self.fed = 0
        self.pending = np.zeros((0, photo[1], 3), np.uint8)

    def add(self, top: int, rgb: np.ndarray) -> np.ndarray:
        """Take the rows from `top` on, uint8 (rows, W, 3), of which some may have come before; the rows they make."""
        rows = np.concatenate([self.pending, rgb[max(0, self.fed - top) :]])
        self.fed = max(self.fed, top + len(rgb))
        down, across = self._factors
        whole = len(rows) if self.fed == self._photo[0] else len(rows) // down * down
        self.pending = rows[whole:].copy()
        if not whole:
            return np.zeros((0, self.size[1], 3), np.uint8)
        return np.asarray(Image.fromarray(rows[:whole]).reduce((across, down)))

    def picture(self, reduced: np.ndarray, resample: Image.Resampling) -> Image.Image:
        """The picture at the size asked for, by all rows that `add` gave."""
        box = (0, 0, self._photo[1] / self._factors[1], self._photo[0] / self._factors[0])
        return Image.fromarray(reduced).resize(self._wanted[::-1], resample, box)


class Picker:
    """Rows and columns of a label map that comes in bands of rows.

    Args:
        rows, columns: Their numbers, ascending, int64.
        dtype: The map's.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray, dtype: np.dtype):
        self._rows, self._columns = rows, columns
        self.picked = np.zeros((len(rows), len(columns)), dtype)

    def add(self, top: int, band: np.ndarray) -> None:
        """Take the rows from `top` on, (rows, W)."""
        first, last = np.searchsorted(self._rows, (top, top + len(band)))
        self.picked[first:last] = band[self._rows[first:last] - top][:, self._columns]


def nearest(before: int, after: int) -> np.ndarray:
    """The pixels along one axis that Pillow's nearest resizing takes, int64 (after,)."""
    ramp = Image.fromarray(np.arange(before, dtype=np.int32)[None])
    return np.asarray(ramp.resize((after, 1), Image.Resampling.NEAREST))[0].astype(np.int64)


def thumbnail_size(photo: tuple[int, int], longest: int) -> tuple[int, int]:
    """The (height, width) that `Image.thumbnail` gives a picture of (height, width) within a square."""
    height, width = photo
    if max(height, width) <= longest:
        return photo
    aspect = width / height
    if aspect <= 1:
        return longest, _rounded(longest * aspect, lambda side: abs(aspect - side / longest))
    return _rounded(longest / aspect, lambda side: abs(aspect - longest / side) if side else 0), longest


def _rounded(side: float, error) -> int:
    return max(min(math.floor(side), math.ceil(side), key=error), 1)
