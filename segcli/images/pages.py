"""Pages: files of several pictures as one source a page."""

from collections.abc import Iterable
from dataclasses import replace

from segcli.errors import InputError
from segcli.files.sources import Source
from segcli.images.decoders import tiff
from segcli.images.opening import opened, opened_file
from segcli.images.reading import MAX_PIXELS

FORMATS = ("TIFF", "GIF")
"""The names of the formats whose frames count as pages."""


def expand(sources: Iterable[Source], max_pixels: int = MAX_PIXELS) -> tuple[Source, ...]:
    """Put a source for each page in the place of a TIFF or GIF of several.

    The outputs of `scan.tif` are called scan-p0001, scan-p0002 and so on; where another file has that name already,
    scan.tif-p0001. A file that cannot be opened stays what it is, for its reader to say why.
    """
    sources = tuple(sources)
    taken = {source.tree for source in sources}
    return tuple(page for source in sources for page in _pages(source, taken, max_pixels))


def _pages(source: Source, taken: set, max_pixels: int) -> list[Source]:
    pages = _numbers(source, max_pixels)
    if len(pages) == 1:
        return [source]
    for stem in (source.tree.name, source.path.name):
        trees = [source.tree.with_name(f"{stem}-p{number + 1:04}") for number in range(len(pages))]
        if taken.isdisjoint(trees):
            break
    return [replace(source, tree=tree, page=page) for tree, page in zip(trees, pages, strict=True)]


def _numbers(source: Source, max_pixels: int) -> tuple[int, ...]:
    """The numbers of a file's pages; in a TIFF, smaller copies and masks of a picture are no pages."""
    try:
        with opened_file(source.path) as (_, known):
            if known.name == "TIFF":
                return tiff.pictures(source.path)
        if known.name not in FORMATS:
            return (0,)
        with opened(source.path, max_pixels) as (image, _):
            return tuple(range(image.n_frames))
    except InputError:
        return (0,)
