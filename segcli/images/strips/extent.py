"""Extent: how large a picture is, by its header alone, and whether it is read as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from segcli.errors import InputError
from segcli.images.opening import explained, open_image, opened_file
from segcli.images.reading import BYTES_A_PIXEL, MOST_PIXELS

_BYTES = 4


@dataclass(frozen=True)
class Extent:
    """A picture's size.

    Attributes:
        size: Its (height, width) as it is stored.
        nbytes: The bytes of its values once they are decoded.
    """

    size: tuple[int, int]
    nbytes: int

    @property
    def pixels(self) -> int:
        """The number of its pixels."""
        return self.size[0] * self.size[1]

    def is_beyond(self, max_pixels: int) -> bool:
        """Whether the readers of whole pictures refuse it."""
        return self.pixels > max_pixels or self.nbytes > BYTES_A_PIXEL * max_pixels


def extent(path: Path, page: int | None = None) -> Extent | None:
    """The size of a picture, or of a page of a TIFF; None where it is a stack's plane, or cannot be opened."""
    try:
        with opened_file(path) as (file, known), explained(path, known.name):
            if known.name != "TIFF":
                image = open_image(path, file, known, MOST_PIXELS)
                return Extent((image.height, image.width), _BYTES * image.width * image.height)
            return _of_tiff(path, file, page)
    except InputError:  # whoever reads it says why
        return None


def _of_tiff(path: Path, file: BinaryIO, page: int | None) -> Extent | None:
    from segcli.images.decoders import stacks
    from segcli.images.decoders.tiff.layout import layout_of
    from segcli.images.decoders.tiff.reader import is_camera_raw, picture_of

    directory = picture_of(file, page or 0).directory
    if is_camera_raw(directory) or stacks.plane_name(path, page):
        return None
    layout = layout_of(directory)
    return Extent((layout.height, layout.width), layout.nbytes)
