"""Masks of a TIFF: where a picture has data, as a directory behind it or the file NAME.tif.msk beside it says."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

import numpy as np

from segcli.files.sources import MASK_SUFFIX
from segcli.images.decoders.tiff.directory import Directory, directories
from segcli.images.decoders.tiff.layout import MASK, REDUCED, SUBFILE, layout_of, size_of
from segcli.images.decoders.tiff.segments import read_values

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
        size = size_of(directory)
        inside = _inside(after, size)
        if inside is not None:
            return _valid(inside), ()
        beside = path.with_name(path.name + MASK_SUFFIX)
        if not page and beside.is_file():
            return _beside(beside, size)
    except Exception as error:  # decoders of damaged files raise anything, and a good picture is not lost for its mask
        return None, (f"{_UNREADABLE}: {_reason(error)}.",)
    return None, ()


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


def _beside(path: Path, size: tuple[int, int]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    with path.open("rb") as file:
        directory = next(directories(file))
        if size_of(directory) != size:
            wide, high = size_of(directory)
            return None, (f"The mask {path.name} has another size, {wide} x {high}, and is left out.",)
        return _valid(directory), ()


def _valid(directory: Directory) -> np.ndarray:
    """Where a mask is not 0; of several bands, where one is not."""
    layout = layout_of(directory)
    if layout.dtype != np.uint8 or layout.samples > _MOST_BANDS:
        raise ValueError(f"{layout.samples} bands of {layout.dtype}")
    return read_values(directory, layout).any(axis=2)
