"""LabelRows: the label map of a large picture, kept packed on the disk as its rows come."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from segcli.pipeline.giants.journal import Journal

_LEVEL = 1
_SPOOL = "labels"


class LabelRows:
    """The rows of a label map, from top to bottom.

    Args:
        journal: Keeps them.
        width: The map's, in pixels.
        dtype: uint8 or uint16.

    Attributes:
        done: The number of rows that came.
        checksum: The CRC-32 of their bytes.
    """

    def __init__(self, journal: Journal, width: int, dtype: np.dtype):
        self._spool, self._width, self.dtype = journal.spool(_SPOOL), width, np.dtype(dtype)
        self.done, self.checksum = journal.facts.get("labelled", 0), journal.facts.get("checksum", 0)

    def add(self, rows: np.ndarray) -> None:
        """Take the next rows, (rows, W)."""
        data = np.ascontiguousarray(rows, self.dtype).tobytes()
        self._spool.append_chunk(zlib.compress(data, _LEVEL))
        self.checksum = zlib.crc32(data, self.checksum)
        self.done += len(rows)

    @property
    def state(self) -> dict[str, int]:
        """What the journal is to note."""
        return {"labelled": self.done, "checksum": self.checksum}

    def bands(self) -> Iterator[np.ndarray]:
        """All rows again, in bands (rows, W)."""
        for chunk in self._spool.chunks():
            yield np.frombuffer(zlib.decompress(chunk), self.dtype).reshape(-1, self._width)
