"""Separate masks: black-and-white pictures of one class, or of one object, each."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from segcli.data.classes import Classes, is_background
from segcli.data.forms.annotations import Annotations, Record
from segcli.data.forms.shapes import Shape
from segcli.data.pairing import Pairing
from segcli.data.pictures.binary import read_binary
from segcli.errors import DatasetError
from segcli.files.paths import shown

OBJECT = "object"
"""The class of masks of single objects, where nobody names it."""


def annotations(masks: Pairing, classes: Classes | None) -> Annotations:
    """The labels of photos with several masks, as shapes: a class without a mask is not in the photo.

    Args:
        masks: With a mask for each class or for each object.
        classes: The classes, if they were named.

    Raises:
        DatasetError: The masks are of single objects, and several classes are named.
    """
    sole = _sole_class(classes) if masks.kind == "object" else ""
    records = []
    for photo, entries in masks.masks.items():
        if entries:
            named = [(name or sole, mask) for name, mask in entries]
            first, *others = (mask for _, mask in entries)
            shapes = partial(_shapes, named)
            records.append(Record(photo.as_posix(), first, shapes, drawn=len(named), others=tuple(others)))
    found = sorted({name for entries in masks.masks.values() for name, _ in entries} - {""}) or [sole]
    return Annotations(tuple(found), tuple(records), order="area")


def _sole_class(classes: Classes | None) -> str:
    if classes is None:
        return OBJECT
    rest = [name for name in classes.labels.names if not is_background(name)]
    if len(rest) != 1:
        message = f"each mask shows one object, and there are {len(rest)} classes it may have"
        raise DatasetError(message, "Name two classes, such as --names background,cell.")
    return rest[0]


def _shapes(masks: Sequence[tuple[str, Path]], size: tuple[int, int]) -> list[Shape]:
    found = []
    for name, path in masks:
        inside = read_binary(path)
        if inside.shape != size:
            (height, width), (rows, columns) = size, inside.shape
            message = f"{shown(path)} is {columns} x {rows} pixels, but its photo is {width} x {height}"
            raise DatasetError(message, "Export it again at the photo's size.")
        found.append(Shape(name, bitmap=inside))
    return found
