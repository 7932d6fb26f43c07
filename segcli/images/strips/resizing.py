"""Resizing: rows of a picture at another size, bilinear and antialiased, as they can be had."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

CHUNK = 64
"""The rows of the result that are made together. They depend on nothing but the picture: not on where one began."""


class Resizing:
    """A picture that comes in rows, resized as the whole would be but for rounding.

    Args:
        photo: The picture's (height, width).
        size: The (height, width) that it gets.

    Attributes:
        done: The first row of the result that is still to be had.
    """

    def __init__(self, photo: tuple[int, int], size: tuple[int, int]):
        self._photo, self.size = photo, size
        self._scale = photo[0] / size[0]
        self.begin(0)

    def begin(self, row: int) -> int:
        """Go on with a row of the result, or one shortly before it; the first row of the picture that it takes."""
        self.done = row if self._is_same else row // CHUNK * CHUNK
        self._top = self._first(self.done)
        self._kept = np.zeros((0, self._photo[1], 3), np.uint8)
        return self._top

    def add(self, top: int, rgb: np.ndarray) -> np.ndarray:
        """Take the picture's rows from `top` on, uint8 (rows, W, 3); the rows of the result that can be had now.

        Those that came before, and those before what `begin` gave, are passed over.
        """
        rgb = rgb[max(0, self._top + len(self._kept) - top) :]
        if self._is_same:
            self._top = self.done = self._top + len(rgb)
            return rgb
        self._kept = np.concatenate([self._kept, rgb])
        made = [np.zeros((0, self.size[1], 3), np.uint8)]
        while self.done < self.size[0] and self._last(self._end) <= self._top + len(self._kept):
            made.append(self._chunk())
        return np.concatenate(made)

    def _chunk(self) -> np.ndarray:
        """The next rows of the result; what they alone took is let go."""
        first, end = self._first(self.done), self._end
        rows = self._kept[first - self._top : self._last(end) - self._top]
        box = (0, self.done * self._scale - first, self._photo[1], min(end * self._scale - first, float(len(rows))))
        made = np.asarray(Image.fromarray(rows).resize((self.size[1], end - self.done), Image.Resampling.BILINEAR, box))
        self.done = end
        keep = max(0, self._first(end) - self._top)
        self._top, self._kept = self._top + keep, self._kept[keep:].copy()
        return made

    @property
    def _is_same(self) -> bool:
        return self._photo == self.size

    @property
    def _end(self) -> int:
        """The row of the result after those that are made next."""
        return min(self.done + CHUNK, self.size[0])

    def _first(self, row: int) -> int:
        """The first row of the picture that a row of the result takes, and one more."""
        if self._is_same:
            return row
        return max(0, math.floor((row + 0.5) * self._scale - max(self._scale, 1.0)) - 1)

    def _last(self, row: int) -> int:
        """The row of the picture after those that the rows before one of the result take, and one more."""
        if row >= self.size[0]:
            return self._photo[0]
        return min(self._photo[0], math.ceil((row - 0.5) * self._scale + max(self._scale, 1.0)) + 1)
