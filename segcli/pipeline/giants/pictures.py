"""SmallPicture: a large photo at a small size, gathered as its rows are read, for overlays and galleries."""

from __future__ import annotations

import numpy as np
from PIL import Image

from segcli.images.strips.shrinking import Reduction
from segcli.pipeline.giants.journal import Journal


class SmallPicture:
    """A photo, and its label map, at a small size.

    Args:
        journal: Keeps it.
        name: Of what it is for.
        photo: The photo's (height, width).
        size: The (height, width) that it gets.
        resample: The way in which it is shrunk.
    """

    def __init__(
        self,
        journal: Journal,
        name: str,
        photo: tuple[int, int],
        size: tuple[int, int],
        resample: Image.Resampling,
    ):
        self._name, self._resample, self.size = name, resample, size
        self._spool = journal.spool(name)
        self._reduction = Reduction(photo, size)
        self._reduction.fed = journal.facts.get(f"{name} rows", 0)
        self._reduction.pending = journal.arrays.get(name, self._reduction.pending)

    @property
    def heard(self) -> int:
        """The first row of the photo that it has not taken."""
        return self._reduction.fed

    def take(self, top: int, rgb: np.ndarray) -> None:
        """Take the photo's rows from `top` on, uint8 (rows, W, 3), of which some may have come before."""
        self._spool.append(np.ascontiguousarray(self._reduction.add(top, rgb)).tobytes())

    @property
    def state(self) -> tuple[dict[str, int], dict[str, np.ndarray]]:
        """What the journal is to note, and the array that it is to keep."""
        return {f"{self._name} rows": self.heard}, {self._name: self._reduction.pending}

    def picture(self) -> Image.Image:
        """The photo at that size, once all of it came."""
        reduced = self._spool.read().reshape(*self._reduction.size, 3)
        return self._reduction.picture(reduced, self._resample)
