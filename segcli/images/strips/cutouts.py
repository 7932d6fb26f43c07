"""Cutouts of a picture that comes in rows, pixel for pixel as `cutout.cutout` makes one of a whole picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from segcli.images.cutout import Colour, cutout
from segcli.images.strips.buffer import RowBuffer
from segcli.images.strips.photo import Rows

_MARGIN = 1
"""The rows beside others that the softened border of a cutout depends on."""


def cutouts(
    photo: Iterable[Rows], kept: Iterable[np.ndarray], size: tuple[int, int], background: Colour | None
) -> Iterator[np.ndarray]:
    """The cutout's rows, uint8 (rows, W, 4), or 3 with a background.

    Args:
        photo: The picture's colours, band after band.
        kept: What is kept of it, bool (rows, W), in bands of any height.
        size: The picture's (height, width).
        background: As for `cutout`.
    """
    height, width = size
    rows, bands = RowBuffer((width,), bool), iter(kept)
    for top, rgb, _ in photo:
        bottom = min(top + len(rgb) + _MARGIN, height)
        while rows.bottom < bottom:
            rows.add(next(bands))
        above = max(0, top - _MARGIN)
        wide = np.zeros((bottom - above, width, 3), np.uint8)
        wide[top - above : top - above + len(rgb)] = rgb
        picture = np.asarray(cutout(wide, rows.rows(above, bottom), background))
        yield picture[top - above : top - above + len(rgb)]
        rows.drop(top + len(rgb) - _MARGIN)
