"""PhotoStrips: rows of a picture that is read in parts, as uint8 red, green, blue in sRGB."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from segcli.images.strips import filling
from segcli.images.strips.source import Strips
from segcli.images.strips.survey import Survey, shown

Rows = tuple[int, np.ndarray, np.ndarray | None]
"""The number of the first row, the colours uint8 (rows, W, 3), and where they have data, bool (rows, W) or None."""


class PhotoStrips:
    """The rows of the photo that a picture shows, one band after the other.

    Args:
        strips: The picture.
        survey: What was decided of it.
    """

    def __init__(self, strips: Strips, survey: Survey):
        self.size = strips.size
        self._strips, self._survey = strips, survey

    def bands(self, start: int = 0) -> Iterator[Rows]:
        """The rows from a band at or before `start` on, as `photo.photo_of` has them of the whole picture.

        Raises:
            InputError: They are damaged.
        """
        height, step = self.size[0], self._strips.band
        for top in range(start // step * step, height, step):
            yield top, *self._rows(top, min(top + step, height))

    def _rows(self, top: int, bottom: int) -> tuple[np.ndarray, np.ndarray | None]:
        survey = self._survey
        rgb, valid = shown(self._strips.raster(top, bottom), survey.view)
        if valid is not None:
            blocks = survey.blocks
            covered = None if blocks is None else blocks[top // filling.BLOCK : -(-bottom // filling.BLOCK)]
            filling.fill(rgb, valid, covered)
        return rgb, valid
