"""Stacks: TIFFs of microscopes, whose pages are channels, depths and times; every other TIFF is read as `tiff` does.

The order of the pages is that of OME's XML or of ImageJ's description. No file is opened but the one that is asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.images.composite import primary_luts
from segcli.images.decoders import imagej, ome
from segcli.images.decoders.stack import MicronSize, Stack
from segcli.images.decoders.tiff import reader as tiff
from segcli.images.decoders.tiff.codecs import NONE
from segcli.images.decoders.tiff.directory import Directory, directories, directory_at, first_place
from segcli.images.decoders.tiff.layout import (
    DESCRIPTION,
    STRIP_LENGTHS,
    STRIP_OFFSETS,
    Layout,
    layout_of,
    orientation_of,
    samples_of,
    size_of,
)
from segcli.images.decoders.tiff.metadata import metadata_of, stated_range
from segcli.images.opening import TooLargeError, check_size, explained
from segcli.images.orientation import SIDEWAYS
from segcli.images.raster import Range, Raster
from segcli.images.reading import BYTES_A_PIXEL

_KEPT = 16
_ONE_BY_ONE = "Its {} metadata are not used ({}): its pages are read one by one."
_UNDOUBTED = 4
"""The most channels without colours of which the first are taken; of more, the user says which."""


@dataclass(frozen=True)
class _Outline:
    """What a file's first page says of all its pages.

    Attributes:
        stack: What they show; None for pages that nothing is known of.
        starts: The position of each page's directory.
        pixel: The size of a pixel in micrometres; None where it is not stated.
        notes: Why there is no stack where metadata speak of one.
    """

    stack: Stack | None = None
    starts: tuple[int, ...] = ()
    pixel: MicronSize | None = None
    notes: tuple[str, ...] = ()


def decode(path: Path, max_pixels: int, page: int | None = None, plain: bool = True) -> Raster | None:
    """The values of one plane of a microscope's stack, a band a channel, or else of a page as `tiff.decode` gives them.

    Args:
        path: The file.
        max_pixels: As for `tiff.decode`; the bytes of all channels count together.
        page: The number of the plane, z + depth * t, or of the page. None: the first page, or of a stack the middle
            depth of the first time.
        plain: As for `tiff.decode`; planes of stacks always come as values.

    Returns:
        A raster with `luts` where there are several channels.

    Raises:
        InputError: As for `tiff.decode`; or the plane lies in another file.
    """
    with explained(path, "TIFF"):
        outline = _outline(path)
        stack = outline.stack
        if stack is None:
            return tiff.decode(path, max_pixels, page, plain)
        number = stack.shown if page is None else page
        pages = _named(path, stack, number)
        if len(pages) == 1 and pages[0] < len(outline.starts):
            raster = tiff.decode(path, max_pixels, pages[0], place=outline.starts[pages[0]])
        else:
            raster = _plane(path, outline, pages, max_pixels)
        return replace(raster, notes=(*stack.remarks(page), *raster.notes))


def _named(path: Path, stack: Stack, number: int) -> tuple[int, ...]:
    """The pages of a plane; errors name the file."""
    try:
        return stack.pages_of(number)
    except InputError as error:
        raise InputError(f"{shown(path)}: {error.message}", error.hint) from error


def pictures(path: Path) -> tuple[int, ...]:
    """The numbers of all planes or pages, as `decode` takes them; smaller copies and masks are no pages.

    Raises:
        InputError: The file is damaged.
    """
    with explained(path, "TIFF"):
        stack = _outline(path).stack
    return tiff.pictures(path) if stack is None else stack.numbers


def remarks(path: Path, page: int | None) -> tuple[str, ...]:
    """What is to be said of a file of several pages where one is read; `decode` has said it of a stack's plane.

    Raises:
        InputError: The file is damaged.
    """
    with explained(path, "TIFF"):
        outline = _outline(path)
    count = 1 if outline.stack or page is not None else len(tiff.pictures(path))
    first = f"Only the first of its {count} pages is read; --pages reads them all."
    return (*outline.notes, first) if count > 1 else outline.notes


def plane_name(path: Path, page: int | None) -> str:
    """The plane of a stack, "t0001z0002", that `page` means in this file; "" in one without planes.

    Raises:
        InputError: The file is damaged.
    """
    with explained(path, "TIFF"):
        stack = _outline(path).stack
        return "" if stack is None else stack.name(stack.shown if page is None else page)


def pixel_size(path: Path) -> MicronSize | None:
    """The width and the height, in micrometres, of an upright picture's pixel; None where the file states none.

    The resolution of a print or scan, pixels by the inch or centimetre, says nothing of what is seen, and is not used.

    Raises:
        InputError: The file is damaged.
    """
    with path.open("rb") as file, explained(path, "TIFF"):
        size = _outline(path).pixel
        sideways = size is not None and orientation_of(next(directories(file))) in SIDEWAYS
    return (size[1], size[0]) if sideways else size


def _outline(path: Path) -> _Outline:
    facts = path.stat()
    return _read(path.absolute(), facts.st_size, facts.st_mtime_ns)


@lru_cache(_KEPT)
def _read(path: Path, size: int, changed: int) -> _Outline:
    """The outline of a file as it is now; those of the last few are kept, since a run reads a stack plane by plane."""
    with path.open("rb") as file:
        first = next(directories(file))
        description = first.text(DESCRIPTION)
        if ome.is_ome(description):
            return _tried("OME", lambda: _of_ome(path, file, first, description))
        if imagej.is_imagej(description):
            return _tried("ImageJ", lambda: _of_imagej(file, first, description))
    return _Outline()


def _tried(kind: str, read: Callable[[], _Outline]) -> _Outline:
    """What `read` makes of metadata; without a stack, and with a remark, where they are not to be used."""
    try:
        return read()
    except (ValueError, InputError) as error:
        return _Outline(notes=(_ONE_BY_ONE.format(kind, error),))


def _of_ome(path: Path, file: BinaryIO, first: Directory, description: str) -> _Outline:
    document = ome.parsed(description)
    starts = _starts(file)
    stack = ome.stack_of(document, path.name, len(starts), samples_of(first))
    return _Outline(None if stack.is_single else stack, starts, document.pixel_size())


def _of_imagej(file: BinaryIO, first: Directory, description: str) -> _Outline:
    items = imagej.parsed(description)
    size = imagej.pixel_size(items, first)
    stack = imagej.stack_of(items, first)
    starts = _starts(file)
    if len(stack.pages) > len(starts):
        _check_contiguous(first, len(stack.pages))
    return _Outline(None if stack.is_single else stack, starts, size)


def _starts(file: BinaryIO) -> tuple[int, ...]:
    """The position of each page's directory."""
    following = [directory.following for directory in directories(file)]
    return (first_place(file), *following[:-1])


def _check_contiguous(first: Directory, images: int) -> None:
    """ValueError where the pages cannot lie one behind the other, as ImageJ keeps large stacks with one directory."""
    layout = layout_of(first)
    starts, lengths = first.numbers(STRIP_OFFSETS), first.numbers(STRIP_LENGTHS)
    joined = len(starts) == len(lengths) > 0 and bool((starts[1:] == starts[:-1] + lengths[:-1]).all())
    plain = layout.compression == NONE and layout.samples == 1 and layout.bits == 8 * layout.dtype.itemsize
    if not (joined and plain and 0 < starts[0] <= first.size - images * layout.nbytes):
        raise ValueError(f"they state {images} pages that are not there")


def _plane(path: Path, outline: _Outline, pages: Sequence[int], max_pixels: int) -> Raster:
    """The channels of a plane as the bands of a raster."""
    stack = outline.stack
    with path.open("rb") as file:
        first = directory_at(file, outline.starts[0])
        layout = _affordable(path, first, len(pages), max_pixels)
        values = np.empty((layout.height, layout.width, len(pages)), layout.dtype)
        for channel, page in enumerate(pages):
            values[..., channel] = _channel(path, file, outline, page, layout, max_pixels)
        stated, by = _stated(stack, first, layout)
        turn = orientation_of(first)
    names = tuple(channel.name for channel in stack.channels)
    colours, luts = _colours(stack)
    return Raster(
        values,
        colours,
        names if any(names) else (),
        transparent="mask",
        stated=stated,
        stated_by=by,
        luts=luts,
        luts_by=f"its {stack.by} metadata" if stack.channels[0].lut is not None else "",
        orientation=turn,
    )


def _affordable(path: Path, first: Directory, channels: int, max_pixels: int) -> Layout:
    """The layout of a plane's pages, whose values are not too many together."""
    check_size(path, *size_of(first), max_pixels)
    layout = layout_of(first)
    if channels * layout.nbytes > BYTES_A_PIXEL * max_pixels:
        size = f"{channels} channels of {layout.width} x {layout.height} {layout.dtype}"
        message = f"{shown(path)} holds {size}, more than the limit allows"
        raise TooLargeError(message, "If you trust the file, raise the limit with --max-pixels.")
    return layout


def _channel(path: Path, file: BinaryIO, outline: _Outline, page: int, layout: Layout, max_pixels: int) -> np.ndarray:
    """The values (H, W) of a page, which must be like the first."""
    if page >= len(outline.starts):
        first = directory_at(file, outline.starts[0])
        file.seek(first.number(STRIP_OFFSETS, 0) + page * layout.nbytes)
        stored = np.frombuffer(file.read(layout.nbytes), layout.dtype.newbyteorder(first.order))
        return stored.reshape(layout.height, layout.width)
    directory = directory_at(file, outline.starts[page])
    if (like := layout_of(directory)).dtype != layout.dtype or size_of(directory) != (layout.width, layout.height):
        raise ValueError(f"page {page + 1} is of another size or type than the first")
    if like.samples != 1:
        raise ValueError(f"page {page + 1} has {like.samples} bands, and is one of several channels")
    return tiff.page_values(path, directory, max_pixels)[..., 0]


def _colours(stack: Stack) -> tuple[tuple[int, ...] | None, tuple[np.ndarray, ...]]:
    """The channels that are shown, and their look-up tables; none where nothing tells which of many."""
    luts = tuple(channel.lut for channel in stack.channels)
    count = len(luts)
    if count == 1:
        return (0,), ()
    if luts[0] is not None:
        return tuple(range(count)), luts
    shown_ones = min(count, 3)
    return (tuple(range(shown_ones)), primary_luts(shown_ones)) if count <= _UNDOUBTED else (None, ())


def _stated(stack: Stack, first: Directory, layout: Layout) -> tuple[tuple[Range, ...], str]:
    """The range of each channel, or one for all, and how it is stated."""
    if stack.ranges:
        alike = len(set(stack.ranges)) == 1
        return stack.ranges[:1] if alike else stack.ranges, f"the display range of {stack.ranges_by}"
    if stack.by == "ImageJ":
        return (), ""
    return stated_range(first, first, 0, layout, metadata_of(first))
