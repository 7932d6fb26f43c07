"""View: the rows of a photo that the network's windows need now, and where they have data; read once, downwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from segcli.images.strips.buffer import RowBuffer
from segcli.images.strips.photo import PhotoStrips
from segcli.images.strips.resizing import Resizing


class Listening(Protocol):
    """Whoever takes the photo's rows as they are read."""

    def take(self, top: int, rgb: np.ndarray) -> None:
        """Take the rows from `top` on, uint8 (rows, W, 3); after a new start some come again."""


class View:
    """A photo at the network's size, as much of it as is needed.

    Args:
        photo: The photo.
        resized: The (height, width) of the network's input that the photo fills.
        has_void: Whether some of its pixels have no data.
        listeners: They hear of each row.
        keep: Whether the photo's own rows are kept too, as long as `valid` is.
    """

    def __init__(
        self,
        photo: PhotoStrips,
        resized: tuple[int, int],
        has_void: bool,
        listeners: Sequence[Listening] = (),
        keep: bool = False,
    ):
        self._photo, self._listeners = photo, listeners
        self._resizing = Resizing(photo.size, resized)
        self._rows = RowBuffer((resized[1], 3))
        self._valid = RowBuffer((-(-photo.size[1] // 8),)) if has_void else None
        self._kept = RowBuffer((photo.size[1], 3)) if keep else None

    @property
    def height(self) -> int:
        """The photo's, in pixels."""
        return self._photo.size[0]

    def pixel(self, row: int) -> int:
        """The first row of the photo that a window beginning in that row of the input shows."""
        return int(row * self._photo.size[0] / self._resizing.size[0])

    def begin(self, row: int, pixel: int = 0, heard: int = 0) -> None:
        """Go on with a row of the input, one of the photo that is not labelled yet, and one that no listener has."""
        first = min(self._resizing.begin(row), pixel, heard)
        self._rows.begin(self._resizing.done)
        for buffer in (self._valid, self._kept):
            if buffer is not None:
                buffer.begin(pixel)
        self._bands = self._photo.bands(first)

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """The rows of the input from `top` to `bottom`, as far as the photo fills it, uint8 (rows, w, 3)."""
        while self._rows.bottom < min(bottom, self._resizing.size[0]):
            self._read()
        return self._rows.rows(top, bottom)

    def _read(self) -> None:
        top, rgb, valid = next(self._bands)
        for listener in self._listeners:
            listener.take(top, rgb)
        for buffer, rows in ((self._valid, valid), (self._kept, rgb)):
            if buffer is not None:
                _take(buffer, top, np.ones(rgb.shape[:2], bool) if rows is None else rows)
        self._rows.add(self._resizing.add(top, rgb))

    def valid(self, top: int, bottom: int) -> np.ndarray | None:
        """Where the photo's rows have data, bool (rows, W); None: everywhere. Of rows that were read and not let go."""
        if self._valid is None:
            return None
        return np.unpackbits(self._valid.rows(top, bottom), axis=1, count=self._photo.size[1]).view(bool)

    def photo(self, top: int, bottom: int) -> np.ndarray:
        """The photo's own rows, uint8 (rows, W, 3), where they are kept."""
        return self._kept.rows(top, bottom)

    def is_void(self, top: int, left: int, size: tuple[int, int]) -> bool:
        """Whether none of the pixels that a window of the input shows, and are still to be labelled, has data."""
        if self._valid is None:
            return False
        down, across = (whole / small for whole, small in zip(self._photo.size, self._resizing.size, strict=True))
        rows = self._valid.rows(int(top * down), int((top + size[0]) * down) + 1)
        first, last = int(left * across) // 8, -(-int((left + size[1]) * across + 1) // 8)
        return not rows[:, first:last].any()

    def drop(self, row: int, pixel: int) -> None:
        """Let go the rows of the input before `row`, and those of the photo before `pixel`."""
        self._rows.drop(row)
        for buffer in (self._valid, self._kept):
            if buffer is not None:
                buffer.drop(pixel)


def _take(buffer: RowBuffer, top: int, rows: np.ndarray) -> None:
    """Add rows to a buffer, as bits where they are truth values; those that it passes over are left out."""
    rows = rows[max(0, buffer.bottom - top) :]
    buffer.add(np.packbits(rows, axis=1) if rows.dtype == bool else rows)
