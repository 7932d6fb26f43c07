"""RowBuffer: the rows of a picture that are needed now; later ones are added below, earlier ones are let go."""

from __future__ import annotations

import numpy as np


class RowBuffer:
    """Rows of one shape and type, one after the other.

    Args:
        shape: Of a row.
        dtype: Of its values.

    Attributes:
        top: The number of the first row held.
    """

    def __init__(self, shape: tuple[int, ...], dtype: type = np.uint8):
        self.top, self._count = 0, 0
        self._rows = np.empty((0, *shape), dtype)

    @property
    def bottom(self) -> int:
        """The number of the row after the last one held."""
        return self.top + self._count

    def begin(self, top: int) -> None:
        """Hold nothing, and take the row of that number next."""
        self.top, self._count = top, 0

    def add(self, rows: np.ndarray) -> None:
        """Take the next rows."""
        needed = self._count + len(rows)
        if needed > len(self._rows):
            larger = np.empty((needed, *self._rows.shape[1:]), self._rows.dtype)
            larger[: self._count] = self._rows[: self._count]
            self._rows = larger
        self._rows[self._count : needed] = rows
        self._count = needed

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """The rows from `top` to `bottom`, which is left out; those that are held, as a view until rows are added."""
        first, last = max(top, self.top) - self.top, min(bottom, self.bottom) - self.top
        return self._rows[first : max(first, last)]

    def drop(self, until: int) -> None:
        """Let the rows before that number go."""
        gone = max(0, min(until - self.top, self._count))
        left = self._count - gone
        self._rows[:left] = self._rows[gone : self._count]
        self.top, self._count = self.top + gone, left
