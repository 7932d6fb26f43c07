"""Panoptic COCO: PNGs in whose colours the numbers of segments stand, beside a JSON file that says their categories."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np

from segcli.data.forms.bitmaps import bounded
from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError, InputError
from segcli.files.paths import shown
from segcli.images.opening import opened

UNLABELLED = "void"
"""The class of pixels that belong to no segment, number 0: panoptic labels name all others, stuff too."""


class Segment(msgspec.Struct):
    """One segment: the number that its pixels have in the PNG, and its category."""

    id: int
    category_id: int | str


def drawing(
    file: Path, picture: str, segments: Sequence[tuple[Segment, str]]
) -> Callable[[tuple[int, int]], Sequence[Shape]]:
    """What draws the segments of a photo.

    Args:
        file: The JSON file; the PNG lies in a folder of the same name without a suffix, or beside it.
        picture: The PNG as the JSON names it.
        segments: The photo's segments, each with the name of its class.
    """
    names = {0: UNLABELLED} | {segment.id: name for segment, name in segments}

    def shapes(size: tuple[int, int]) -> list[Shape]:
        path = _found(file, picture)
        numbers = _read(path)
        if numbers.shape != size:
            stated = f"{numbers.shape[1]} x {numbers.shape[0]}"
            raise DatasetError(f"{shown(path)} has {stated} pixels, but its photo is {size[1]} x {size[0]}")
        present, place = np.unique(numbers, return_inverse=True)
        if unknown := [number for number in present.tolist() if number not in names]:
            raise DatasetError(f"{shown(path)} has the segment {unknown[0]}, which {shown(file.name)} does not list")
        classes = [names[number] for number in present.tolist()]
        found = list(dict.fromkeys(classes))
        drawn = np.array([found.index(name) for name in classes])[place.reshape(size)]
        return bounded(_shape(name, drawn == index) for index, name in enumerate(found))

    return shapes


def _shape(name: str, mask: np.ndarray) -> Shape:
    """The shape of a mask (H, W) with pixels in it, without its empty border."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return Shape(name, bitmap=part, origin=(int(rows[0]), int(columns[0])))


def _found(file: Path, picture: str) -> Path:
    """The PNG of a photo; DatasetError where there is none, or where its name leads out of the folder."""
    name = PurePosixPath(picture.replace("\\", "/")).with_suffix(".png")
    if name.is_absolute() or ".." in name.parts:
        raise DatasetError(f"it names the picture {shown(picture)}, outside its folder")
    places = [folder / name for folder in (file.with_suffix(""), file.parent)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DatasetError(f"{shown(places[0])} is missing", "Put the panoptic PNG files beside the JSON file.")
    return path


def _read(path: Path) -> np.ndarray:
    """The number of each pixel's segment, uint32 (H, W)."""
    try:
        with opened(path) as (image, _):
            red, green, blue = np.moveaxis(np.array(image.convert("RGB"), np.uint32), 2, 0)
    except InputError as error:
        raise DatasetError(error.message, error.hint) from error
    return red + (green << 8) + (blue << 16)
