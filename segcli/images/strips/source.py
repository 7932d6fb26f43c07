"""Strips: a picture that need not fit into memory, as rasters of some of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from PIL import Image

from segcli.errors import InputError
from segcli.files import formats
from segcli.files.paths import shown
from segcli.images.opening import explained, open_image, opened_file
from segcli.images.raster import Raster
from segcli.images.reading import MOST_PIXELS, PhotoReading
from segcli.images.strips.coded import CodedStrips
from segcli.images.strips.tiff import TiffStrips

_TIFF = "Write it as a TIFF in tiles: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE -co BIGTIFF=IF_SAFER."


class Strips(Protocol):
    """A picture, read in parts.

    Attributes:
        size: Its (height, width).
        band: The rows that are best read together, a multiple of `filling.BLOCK`.
    """

    size: tuple[int, int]
    band: int

    def raster(self, top: int, bottom: int) -> Raster:
        """The values of the rows from `top` to `bottom`, which is left out; InputError where they are damaged."""


@contextmanager
def opened_strips(path: Path, reading: PhotoReading, page: int | None = None) -> Iterator[Strips]:
    """A picture, ready to be read in parts.

    Args:
        path: The file.
        reading: How it is read; what is decoded at once never has more than `max_pixels`.
        page: The number of the picture in a TIFF; None for the first.

    Raises:
        InputError: It is damaged, has more than MOST_PIXELS, or is stored in a way that is not read in parts.
    """
    strips = _opened(path, reading, page)
    try:
        height, width = strips.size
        if height * width > MOST_PIXELS:
            message = f"{shown(path)} has {height * width / 1e9:.0f} gigapixels ({width} x {height})"
            raise InputError(message, f"Cut it into parts of at most {MOST_PIXELS / 1e9:.0f} gigapixels.")
        yield strips
    finally:
        strips.close()


def _opened(path: Path, reading: PhotoReading, page: int | None) -> TiffStrips | CodedStrips:
    with opened_file(path) as (file, known), explained(path, known.name):
        if known.name == "TIFF":
            return TiffStrips(path, reading.max_pixels, page)
        make = _CODED.get(known.name)
        if make is None or page:
            message = f"{shown(path)} is a {known.name} file too large for memory, which is not read in parts"
            raise InputError(message, _TIFF)
        if not formats.RASTER.installed:
            raise InputError(
                f"{shown(path)} is a {known.name} file too large for memory, which needs an extra package to read",
                f'Install segcli\'s extra "{formats.RASTER.name}": {formats.RASTER.install}',
            )
        image = open_image(path, file, known, MOST_PIXELS)
        return make(path, image)


_CODED: dict[str, Callable[[Path, Image.Image], CodedStrips]] = {
    "PNG": CodedStrips.of_png,
    "JPEG": CodedStrips.of_jpeg,
    "JPEG 2000": CodedStrips.of_jpeg_2000,
}
"""Format -> what reads its pictures in parts, of a picture that Pillow has opened and not decoded."""
