"""TiffStrips: a TIFF of any size as rasters of some of its rows, of which only the strips or tiles are decoded."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from segcli.errors import InputError
from segcli.files import formats
from segcli.files.paths import shown
from segcli.images.decoders import stacks
from segcli.images.decoders.tiff import codecs as tiff_codecs
from segcli.images.decoders.tiff import colours as tiff_colours
from segcli.images.decoders.tiff import masks as tiff_masks
from segcli.images.decoders.tiff.directory import Directory
from segcli.images.decoders.tiff.layout import Layout, layout_of, orientation_of, size_of
from segcli.images.decoders.tiff.metadata import metadata_of, no_data
from segcli.images.decoders.tiff.reader import coloured, is_camera_raw, picture_of, raster_of
from segcli.images.decoders.tiff.segments import Segments
from segcli.images.opening import NotReadError, explained
from segcli.images.raster import Raster
from segcli.images.strips.gdal import GdalValues

AFFORDED = 2**27
"""The bytes of a row of segments that are decoded at once even where GDAL, which can go on within one, is installed."""
UNIT = 128
"""Bands of rows are whole multiples of it, so that `filling` finds its blocks in them."""
_USUAL = 256
_TILED = "Write it in tiles: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE -co BIGTIFF=IF_SAFER."


class TiffStrips:
    """A picture of a TIFF, read row by row; see `source.Strips`.

    Args:
        path: The file.
        most: The most pixels of a row of its segments, as far as they are decoded whole.
        page: The number of the picture; None for the first.

    Raises:
        InputError: It is damaged, or stored in a way that cannot be read in parts.
    """

    def __init__(self, path: Path, most: int, page: int | None = None):
        self._path, self._open = path, ExitStack()
        try:
            with explained(path, "TIFF"):
                self._begin(most, page)
        except BaseException:
            self._open.close()
            raise

    def _begin(self, most: int, page: int | None) -> None:
        if stacks.plane_name(self._path, page):
            raise NotReadError("planes as large as this", "Save the plane as a TIFF of its own.")
        file = self._open.enter_context(self._path.open("rb"))
        self._picture = picture_of(file, page or 0)
        directory = self._picture.directory
        if is_camera_raw(directory) or orientation_of(directory) != 1:
            raise NotReadError("a size that takes reading in parts, and turned", "Turn it upright first (gdalwarp).")
        self._numbers = tiff_colours.are_numbers(directory)
        if not self._numbers:
            tiff_colours.check(directory)
        self._metadata, self._layout = metadata_of(directory), layout_of(directory)
        self._empty, notes = no_data(directory)
        opened = tiff_masks.opened_mask(self._path, directory, self._picture.after, page)
        self._mask, more = self._open.enter_context(opened)
        self._notes = (*notes, *more)
        width, height = size_of(directory)
        self._values = self._source(directory, most)
        self.size, self.band = (height, width), _band(self._layout)

    def _source(self, directory: Directory, most: int) -> Segments | GdalValues:
        """What decodes rows: segcli's own reader, or GDAL where a segment is too large to be decoded whole."""
        segments = Segments(directory, self._layout, self._empty or 0)
        layout = self._layout = segments.layout
        whole = layout.tile[0] * layout.width
        if whole * layout.samples * layout.dtype.itemsize <= AFFORDED:
            return segments
        if formats.RASTER.installed and self._numbers and not self._picture.number:
            return self._open.enter_context(GdalValues(self._path, "GTiff"))
        if whole <= most:
            return segments
        message = (
            f"{shown(self._path)} is stored in parts of {whole / 1e6:.0f} megapixels, too large to be read in part"
        )
        raise InputError(message, f"{_TILED} Or install what reads it: {formats.RASTER.install}")

    def raster(self, top: int, bottom: int) -> Raster:
        """The values of the rows from `top` to `bottom`, which is left out; InputError where they are damaged."""
        with explained(self._path, "TIFF"):
            valid = None if self._mask is None else tiff_masks.valid_rows(self._mask, top, bottom)
            make = raster_of if self._numbers else coloured
            values = self._decoded(top, bottom)
            raster = make(self._picture, self._metadata, self._layout, values, valid, self._empty)
        return replace(raster, notes=(*self._notes, *raster.notes))

    def _decoded(self, top: int, bottom: int) -> np.ndarray:
        try:
            return self._values.rows(top, bottom)
        except tiff_codecs.MissingCodecError as error:
            raise formats.MICRO.missing(self._path, f"TIFF ({error})") from error

    def close(self) -> None:
        """Close the file."""
        self._open.close()


def _band(layout: Layout) -> int:
    """The rows that are best decoded together: whole rows of segments, where they are multiples of UNIT."""
    rows = layout.tile[0]
    if rows > AFFORDED // (layout.width * layout.samples * layout.dtype.itemsize):
        return UNIT
    return max(-(-rows // UNIT) * UNIT, _USUAL if rows < _USUAL else 0)
