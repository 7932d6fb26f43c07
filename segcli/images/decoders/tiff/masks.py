"""Masks of a TIFF: where a picture has data, as a directory behind it or the file NAME.tif.msk beside it says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

import numpy as np

from segcli.files.sieve import MASK_SUFFIX
from segcli.images.decoders.tiff.directory import Directory, directories
from segcli.images.decoders.tiff.layout import MASK, REDUCED, SUBFILE, layout_of, size_of
from segcli.images.decoders.tiff.segments import Segments

_MOST_BANDS = 16
_UNREADABLE = "Its mask cannot be read, and is left out"


def valid_of(
    path: Path, directory: Directory, after: Sequence[Directory], page: int | None
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Where a picture has data, bool (H, W), or None without a mask; and remarks on a mask that is damaged.

    Args:
        path: The picture's file.
        directory: The picture's tags; its size is one that can be afforded.
        after: The directories behind it.
        page: The picture's number; None for the first. A mask beside the file is that of the first.
    """
    try:
        with opened_mask(path, directory, after, page) as (mask, notes):
            return None if mask is None else valid_rows(mask, 0, mask.layout.height), notes
    except Exception as error:  # decoders of damaged files raise anything, and a good picture is not lost for its mask
        return None, (f"{_UNREADABLE}: {_reason(error)}.",)


@contextmanager
def opened_mask(
    path: Path, directory: Directory, after: Sequence[Directory], page: int | None
) -> Iterator[tuple[Segments | None, tuple[str, ...]]]:
    """The mask of a picture, ready to be read row by row, or None; and remarks on one of another size."""
    size = size_of(directory)
    inside = _inside(after, size)
    beside = path.with_name(path.name + MASK_SUFFIX)
    if inside is not None or page or not beside.is_file():
        yield None if inside is None else _segments(inside), ()
        return
    with beside.open("rb") as file:
        mask = next(directories(file))
        if size_of(mask) == size:
            yield _segments(mask), ()
        else:
            wide, high = size_of(mask)
            yield None, (f"The mask {beside.name} has another size, {wide} x {high}, and is left out.",)


def valid_rows(mask: Segments, top: int, bottom: int) -> np.ndarray:
    """Where rows of a mask are not 0, bool (rows, W); of several bands, where one is not."""
    return mask.rows(top, bottom).any(axis=2)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _inside(after: Sequence[Directory], size: tuple[int, int]) -> Directory | None:
    """The mask among the masks and smaller copies that follow a picture directly."""
    parts = takewhile(lambda part: part.number(SUBFILE, 0) & (REDUCED | MASK), after)
    masks = (part for part in parts if part.number(SUBFILE, 0) & (REDUCED | MASK) == MASK)
    return next((mask for mask in masks if _has_size(mask, size)), None)


def _has_size(directory: Directory, size: tuple[int, int]) -> bool:
    with suppress(ValueError):
        return size_of(directory) == size
    return False


def _segments(directory: Directory) -> Segments:
    layout = layout_of(directory)
    if layout.dtype != np.uint8 or layout.samples > _MOST_BANDS:
        raise ValueError(f"{layout.samples} bands of {layout.dtype}")
    return Segments(directory, layout)
