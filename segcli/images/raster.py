"""Raster: the decoded values of a picture, before anybody says which bands and values become which colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Range = tuple[float, float]
"""The value that becomes black and the one that becomes white."""
FULL: Range = (0.0, 65535.0)
"""The range of 16 bits."""
RGB = (0, 1, 2)
"""The bands of a picture whose first three are red, green and blue."""


@dataclass(frozen=True)
class Raster:
    """The values of one picture as its file holds them.

    Attributes:
        values: (H, W, C) of uint8, uint16, int16, uint32, int32, float32, ..., in the machine's byte order.
        colours: The bands that the file itself shows: one (grey) or three (red, green, blue), counted from 0, or with
            `luts` any number; None where the file does not say.
        names: The file's name of each band, "" where it has none; () where no band has one.
        alpha: The band that the file calls alpha; None for none. Whether it is alpha is decided by its values.
        premultiplied: Whether the colours were multiplied by alpha.
        transparent: What becomes of transparent pixels unless the user says: "over-white", or "mask" (void) in formats
            that maps are kept in.
        nodata: The value that means "no data"; None for none. It may be NaN, or lie outside the values' type.
        valid: Where the file's own mask says that there is data, bool (H, W); None without a mask.
        stated: The range of each band, or of each of `colours`, or one for all, that the file itself states; () for
            none.
        stated_by: How the file states it, for a note, such as "SignificantBits of its OME metadata".
        luts: The colour of each brightness, uint8 (256, 3), of each of `colours`, which are added up; () where they
            are grey, or red, green and blue.
        luts_by: What states these colours, such as "its OME metadata"; empty where nothing does.
        profile: The ICC profile of its colours; empty for none.
        orientation: The EXIF or TIFF orientation, 1..8, by which it is still to be turned upright.
        notes: What the decoder had to decide, a sentence each.
    """

    values: np.ndarray
    colours: tuple[int, ...] | None = RGB
    names: tuple[str, ...] = ()
    alpha: int | None = None
    premultiplied: bool = False
    transparent: Literal["over-white", "mask"] = "over-white"
    nodata: float | None = None
    valid: np.ndarray | None = None
    stated: tuple[Range, ...] = ()
    stated_by: str = ""
    luts: tuple[np.ndarray, ...] = ()
    luts_by: str = ""
    profile: bytes = b""
    orientation: int = 1
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The name of the values' type, such as "uint16"."""
        return self.values.dtype.name
