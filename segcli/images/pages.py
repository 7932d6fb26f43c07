"""Pages: files of several pictures as one source a page."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from segcli.errors import InputError
from segcli.files.sources import Source
from segcli.images.decoders import stacks
from segcli.images.opening import opened, opened_file
from segcli.images.reading import MAX_PIXELS

FORMATS = ("TIFF", "GIF")
"""The names of the formats whose frames count as pages."""


def expand(sources: Iterable[Source], max_pixels: int = MAX_PIXELS) -> tuple[Source, ...]:
    """Put a source for each page in the place of a TIFF or GIF of several.

    The outputs of `scan.tif` are called scan-p0001, scan-p0002 and so on, those of a microscope's stack by its planes,
    cells-z0001 or cells-t0001z0001; where another file has that name already, scan.tif-p0001. A file that cannot be
    opened stays what it is, for its reader to say why.
    """
    sources = tuple(sources)
    taken = {source.tree for source in sources}
    return tuple(page for source in sources for page in _pages(source, taken, max_pixels))


def _pages(source: Source, taken: set, max_pixels: int) -> list[Source]:
    pages = () if source.film else _numbers(source, max_pixels)
    if len(pages) < 2:
        return [source]
    names = [plane_of(source.path, page) or f"p{number:04}" for number, page in enumerate(pages, 1)]
    for stem in (source.tree.name, source.path.name):
        trees = [source.tree.with_name(f"{stem}-{name}") for name in names]
        if taken.isdisjoint(trees):
            break
    return [replace(source, tree=tree, page=page) for tree, page in zip(trees, pages, strict=True)]


def _numbers(source: Source, max_pixels: int) -> tuple[int, ...]:
    """The numbers of a file's pages or planes; in a TIFF, smaller copies and masks of a picture are no pages."""
    try:
        with opened_file(source.path) as (_, known):
            if known.name == "TIFF":
                return stacks.pictures(source.path)
        if known.name not in FORMATS:
            return (0,)
        with opened(source.path, max_pixels) as (image, _):
            return tuple(range(image.n_frames))
    except InputError:
        return (0,)


def plane_of(path: Path, page: int | None) -> str:
    """The plane of a microscope's stack that is read, "t0001z0002", counted from 1; "" of any other file."""
    try:
        with opened_file(path) as (_, known):
            return stacks.plane_name(path, page) if known.name == "TIFF" else ""
    except InputError:  # whoever reads it says why
        return ""


def pixel_size(path: Path) -> tuple[float, float] | None:
    """The width and the height in micrometres of a pixel of what is seen; None where the file does not state them."""
    try:
        with opened_file(path) as (_, known):
            return stacks.pixel_size(path) if known.name == "TIFF" else None
    except InputError:
        return None
