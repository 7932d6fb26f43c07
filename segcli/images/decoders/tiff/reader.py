"""TIFF: values of any depth and number of bands, with what the tags say about bands, ranges, no-data and masks.

Pictures that Pillow reads whole are left to it. Nothing outside the file is opened but its mask NAME.tif.msk: an OME
file that names others is read as the pages that it has.
"""

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from segcli.files import formats
from segcli.files.paths import shown
from segcli.images.decoders import camera_raw
from segcli.images.decoders.tiff import codecs as tiff_codecs
from segcli.images.decoders.tiff import colours as tiff_colours
from segcli.images.decoders.tiff import masks as tiff_masks
from segcli.images.decoders.tiff import pillow as tiff_pillow
from segcli.images.decoders.tiff.bands import bands_of, extra_samples
from segcli.images.decoders.tiff.directory import Directory, directories
from segcli.images.decoders.tiff.layout import (
    BLACK_IS_0,
    DNG_VERSION,
    MASK,
    PHOTOMETRIC,
    PROFILE,
    REDUCED,
    SUB_IFDS,
    SUBFILE,
    WHITE_IS_0,
    Layout,
    layout_of,
    orientation_of,
    size_of,
)
from segcli.images.decoders.tiff.metadata import Metadata, metadata_of, no_data, stated_range
from segcli.images.decoders.tiff.segments import has_gaps, read_values
from segcli.images.opening import TooLargeError, check_size, explained
from segcli.images.orientation import SIDEWAYS
from segcli.images.raster import RGB, Raster
from segcli.images.reading import BYTES_A_PIXEL

_FOLLOWING = 64
"""The directories behind a picture among which its mask is looked for."""
_INVERTED = (
    "Its tags say that 0 is white, but values of more than 8 bits are read with the lowest as black: "
    "if it looks like a negative, invert it first."
)


@dataclass(frozen=True)
class Picture:
    """One picture of a file: its directory, that of the first, its number, and what follows it up to the next."""

    directory: Directory
    first: Directory
    number: int
    after: tuple[Directory, ...]


def decode(
    path: Path, max_pixels: int, page: int | None = None, plain: bool = True, place: int | None = None
) -> Raster | None:
    """The values of one picture of a TIFF; None for what Pillow reads right. A camera's raw photo is developed.

    Args:
        path: The file.
        max_pixels: A picture of more pixels is refused, and one of more than `BYTES_A_PIXEL` bytes for each of these.
        page: The number of the picture, from 0 on; copies of lower resolution and masks count. None: the first.
        plain: None for ordinary pictures: unsigned, of at most 8 bits, grey or red, green and blue, without a no-data
            value or mask. With False they come as values too, unless they are indices, CMYK, YCbCr, Lab or
            compressed in a way of such pictures.
        place: The position of the page's directory, where a stack's plane is read. Then the result is never None:
            indices and their like come as red, green and blue.

    Returns:
        A raster whose `transparent` is "mask". Integers of fewer than 8 bits are spread over 0..255, and white is 255,
        as Pillow does it. Indices, CMYK and others that have a no-data value or a mask come as red, green, blue.

    Raises:
        InputError: The file is damaged, too large, has no such picture, or is compressed in a way that takes a package.
    """
    with path.open("rb") as file, explained(path, "TIFF"):
        picture = picture_of(file, page or 0, place)
        if is_camera_raw(picture.directory):
            return camera_raw.decode(path, max_pixels)
        check_size(path, *size_of(picture.directory), max_pixels)
        metadata = metadata_of(picture.directory)
        valid, notes = tiff_masks.valid_of(path, picture.directory, picture.after, page)
        empty, more = no_data(picture.directory)
        notes = (*notes, *more)
        whole = valid is None and empty is None and not notes and place is None
        if tiff_pillow.is_pillows(picture.directory):
            if whole:
                return None
            raster = tiff_pillow.shown(file, picture.directory, picture.number, valid, empty)
        elif not tiff_colours.are_numbers(picture.directory):
            tiff_colours.check(picture.directory)
            layout = _affordable(path, picture.directory, max_pixels)
            values = _values(path, picture.directory, layout, empty or 0)
            raster = coloured(picture, metadata, layout, values, valid, empty)
        elif plain and whole and tiff_pillow.is_ordinary(picture.directory, metadata):
            return None
        else:
            layout = _affordable(path, picture.directory, max_pixels)
            values = _values(path, picture.directory, layout, empty or 0)
            raster = raster_of(picture, metadata, layout, values, valid, empty)
        return replace(raster, notes=(*notes, *raster.notes))


def pictures(path: Path) -> tuple[int, ...]:
    """The numbers, as `decode` takes them, of the pictures that are no smaller copies and no masks of others.

    Raises:
        InputError: The file is damaged.
    """
    with path.open("rb") as file, explained(path, "TIFF"):
        kinds = [directory.number(SUBFILE, 0) for directory in directories(file)]
    return tuple(number for number, kind in enumerate(kinds) if not number or not kind & (REDUCED | MASK))


def upright_size(path: Path, max_pixels: int) -> tuple[int, int]:
    """The (height, width) of the first picture once it is upright; no pixel is decoded.

    Raises:
        InputError: The file is damaged or too large.
    """
    with path.open("rb") as file, explained(path, "TIFF"):
        directory = next(directories(file))
        if is_camera_raw(directory):
            return camera_raw.upright_size(path, max_pixels)
        width, height = size_of(directory)
        check_size(path, width, height, max_pixels)
        return (width, height) if orientation_of(directory) in SIDEWAYS else (height, width)


def page_values(path: Path, directory: Directory, max_pixels: int) -> np.ndarray:
    """The values of a page, (H, W, C), those of fewer than 8 bits spread over 0..255; indices stay as they are.

    Raises:
        InputError: They are too many, or compressed in a way that takes a package.
        ValueError: They are damaged.
    """
    layout = _affordable(path, directory, max_pixels)
    return _spread(directory, layout, _values(path, directory, layout), None)[0]


def is_sparse(path: Path) -> bool:
    """Whether the first picture lacks segments, which Pillow reads as anything; InputError where it is damaged."""
    with path.open("rb") as file, explained(path, "TIFF"):
        return has_gaps(next(directories(file)))


def read_stored(path: Path, max_pixels: int) -> np.ndarray:
    """The values of the first picture exactly as they are stored, (H, W, C) of any type, in the machine's byte order.

    Raises:
        InputError: As for `decode`.
    """
    with path.open("rb") as file, explained(path, "TIFF"):
        directory = next(directories(file))
        check_size(path, *size_of(directory), max_pixels)
        empty, _ = no_data(directory)
        return _values(path, directory, _affordable(path, directory, max_pixels), empty or 0)


def picture_of(file: BinaryIO, number: int, place: int | None = None) -> Picture:
    """The picture of that number, from 0 on, or whose directory lies at `place`; ValueError where there is none."""
    chain = directories(file)
    first = next(chain)
    if place is not None:
        chain = directories(file, place)
        directory = next(chain)
    else:
        directory = first if not number else next(islice(chain, number - 1, None), None)
    if directory is None:
        raise ValueError(f"it has no page {number + 1}")
    return Picture(directory, first, number, tuple(islice(chain, _FOLLOWING)))


def is_camera_raw(directory: Directory) -> bool:
    """Whether it is a camera's raw photo, whose first picture is a thumbnail."""
    return DNG_VERSION in directory or (directory.number(SUBFILE, 0) == REDUCED and SUB_IFDS in directory)


def _affordable(path: Path, directory: Directory, max_pixels: int) -> Layout:
    """The layout of a picture whose values are not too many."""
    layout = layout_of(directory)
    if layout.nbytes > BYTES_A_PIXEL * max_pixels:
        size = f"{layout.samples} bands of {layout.width} x {layout.height} {layout.dtype}"
        message = f"{shown(path)} holds {size}, {layout.nbytes / 1e9:.2g} GB, more than the limit allows"
        raise TooLargeError(message, "If you trust the file, raise the limit with --max-pixels.")
    return layout


def _values(path: Path, directory: Directory, layout: Layout, empty: float = 0) -> np.ndarray:
    try:
        return read_values(directory, layout, empty)
    except tiff_codecs.MissingCodecError as error:
        raise formats.MICRO.missing(path, f"TIFF ({error})") from error


def raster_of(
    picture: Picture,
    metadata: Metadata,
    layout: Layout,
    values: np.ndarray,
    valid: np.ndarray | None,
    empty: float | None,
) -> Raster:
    """The raster of a picture whose samples are numbers, or of some of its rows.

    Args:
        picture: The picture.
        metadata: GDAL's of it.
        layout: How its values lie in the file.
        values: The values as they are stored, (H, W, C); they may be changed.
        valid: Where there is data, bool (H, W); None where no mask says so.
        empty: The no-data value; None for none.
    """
    directory = picture.directory
    values, empty, notes = _spread(directory, layout, values, empty)
    bands = bands_of(directory, metadata)
    stated, by = stated_range(directory, picture.first, picture.number, layout, metadata)
    return Raster(
        values,
        bands.colours,
        metadata.all("DESCRIPTION"),
        bands.alpha,
        bands.premultiplied,
        transparent="mask",
        nodata=empty,
        valid=valid,
        stated=stated,
        stated_by=by,
        profile=directory.data(PROFILE),
        orientation=orientation_of(directory),
        notes=(*notes, *bands.notes),
    )


def coloured(
    picture: Picture,
    metadata: Metadata,
    layout: Layout,
    values: np.ndarray,
    valid: np.ndarray | None,
    empty: float | None,
) -> Raster:
    """The raster of a picture of indices, CMYK, Lab or YCbCr: red, green and blue, and its alpha; see `raster_of`."""
    directory, notes = picture.directory, []
    if empty is not None:
        held = (values != empty).any(axis=2)
        valid = held if valid is None else valid & held
    shown_ones = tiff_colours.converted(directory, layout, values, notes)
    alpha = bands_of(directory, metadata).alpha
    if alpha is not None:
        shown_ones = np.dstack([shown_ones, tiff_colours.high_bytes(values[..., alpha])])
    turn = orientation_of(directory)
    return Raster(
        *(shown_ones, RGB, (), None if alpha is None else 3),
        transparent="mask",
        valid=valid,
        orientation=turn,
        notes=tuple(notes),
    )


def _spread(
    directory: Directory, layout: Layout, values: np.ndarray, empty: float | None
) -> tuple[np.ndarray, float | None, tuple[str, ...]]:
    """The values and the no-data value as Pillow shows them: spread over 8 bits, white the highest; and remarks."""
    inverted = directory.number(PHOTOMETRIC, WHITE_IS_0 if layout.samples == 1 else BLACK_IS_0) == WHITE_IS_0
    if layout.bits > 8 or layout.dtype != np.uint8:
        said = inverted and PHOTOMETRIC in directory and layout.dtype.kind != "f"
        return values, empty, (_INVERTED,) if said else ()
    table = np.rint(np.arange(2**layout.bits) * (255 / (2**layout.bits - 1))).astype(np.uint8)
    table = table[::-1] if inverted else table
    if empty is not None:
        held = float(empty).is_integer() and 0 <= empty < len(table)
        empty = float(table[int(empty)]) if held else None
    colours = layout.samples - len(extra_samples(directory)) if inverted else layout.samples
    values[..., :colours] = table[values[..., :colours]]
    return values, empty, ()
