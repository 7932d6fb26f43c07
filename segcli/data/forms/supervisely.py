"""Supervisely: a project of `meta.json` and `DATASET/ann/PHOTO.jpg.json`, whose objects are outlines and masks.

Outlines are drawn as corners, the first pixel covering 0..1, which is how its labelling tool counts. Its Python package
rounds them down to whole pixels when it downloads, and adds 0.5 when it uploads, so that what it exported lies up to a
pixel up and left; but the files do not say who wrote them, and other programs write corners. Of rectangles the package
keeps the first and the last pixel, so that those of whole numbers reach one further.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from segcli.data.forms import bitmaps, shapes
from segcli.data.forms.annotations import Annotations, Record, broken, check_size
from segcli.data.forms.documents import names_in_order, read_json
from segcli.data.forms.raster import FARTHEST
from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError

META = "meta.json"
SOFT_CUT = 127
"""The largest value of a soft mask (`alpha_mask`) that is outside."""

_Ring = list[tuple[float, float]]


class _Class(msgspec.Struct):
    title: str
    shape: str = "any"


class _Meta(msgspec.Struct):
    classes: list[_Class]


class _Size(msgspec.Struct):
    height: int
    width: int


class _Points(msgspec.Struct):
    exterior: _Ring = []
    interior: list[_Ring] = []


class _Bitmap(msgspec.Struct):
    data: str
    origin: tuple[float, float]


class _Object(
    msgspec.Struct,
    rename={"name": "classTitle", "kind": "geometryType", "by_model": "nnCreated", "untouched": "nnUpdated"},
):
    name: str
    kind: str | None = None
    points: msgspec.Raw = msgspec.Raw(b"{}")
    parts: msgspec.Raw = msgspec.Raw(b"[]")
    bitmap: _Bitmap | None = None
    alpha_mask: _Bitmap | None = None
    angle: float = 0
    by_model: bool | None = False
    untouched: bool | None = False


class _Content(msgspec.Struct):
    size: _Size
    objects: list[_Object]


_DRAWN = ("polygon", "multipolygon", "bitmap", "alpha_mask", "rectangle", "oriented_bbox")
_NO_AREA = {"polyline": "line", "line": "line", "point": "point", "graph": "skeleton"}
"""Kind of object -> what to call it where it is left out; others keep their name."""


def load(files: Sequence[Path]) -> Annotations:
    """The shapes of a project's files, of which those called `meta.json` list the classes; the last object is on top.

    Raises:
        DatasetError: A `meta.json` is broken. A broken file of one photo raises when its shapes are asked for.
    """
    metas = [read_json(file, _Meta) for file in files if file.name == META]
    kinds = {entry.title: entry.shape for meta in metas for entry in meta.classes}
    listed = [name for name, kind in kinds.items() if kind == "any" or kind in _DRAWN]
    contents = [(file, _read(file, kinds)) for file in files if file.name != META]
    found = [content for _, content in contents if isinstance(content, _Content)]
    used = [entry.name for content in found for entry in content.objects if entry.kind in _DRAWN]
    return Annotations(names_in_order(listed, used), tuple(_record(file, content) for file, content in contents))


def _read(file: Path, kinds: dict[str, str]) -> _Content | DatasetError:
    """The content of a photo's file, or what is wrong with it."""
    try:
        content = read_json(file, _Content)
    except DatasetError as error:
        return error
    try:
        check_size(content.size.height, content.size.width)
    except DatasetError as error:
        return broken(file, error)
    for entry in content.objects:  # files of Supervisely's first years leave the kind to the class
        entry.kind = entry.kind or kinds.get(entry.name, "any")
    return content


def _photo(file: Path) -> str:
    """The photo's name, which the file's name holds, below the folder of its dataset."""
    name = file.name[: -len(".json")] if file.name.lower().endswith(".json") else file.name
    return f"{file.parent.parent.name}/{name}" if file.parent.name == "ann" else name


def _record(file: Path, content: _Content | DatasetError) -> Record:
    if isinstance(content, DatasetError):
        return Record(_photo(file), file, lambda size: _raise(content))

    def read(size: tuple[int, int]) -> list[Shape]:
        return bitmaps.bounded(shape for entry in content.objects for shape in _shapes(entry))

    drawn = [entry for entry in content.objects if entry.kind in _DRAWN]
    skipped = Counter(_NO_AREA.get(entry.kind, entry.kind) for entry in content.objects if entry.kind not in _DRAWN)
    boxes = sum(entry.kind == "rectangle" for entry in drawn)
    guessed = bool(content.objects) and all(entry.by_model and entry.untouched for entry in content.objects)
    size = content.size.height, content.size.width
    return Record(_photo(file), file, read, size, len(drawn), boxes, skipped, corrected=not guessed)


def _raise(error: DatasetError) -> list[Shape]:
    raise error


def _shapes(entry: _Object) -> Iterator[Shape]:
    """The shapes of one object; of several outlines, one each."""
    if entry.kind == "polygon":
        yield Shape(entry.name, _rings(_parsed(entry.points, _Points)))
    elif entry.kind == "multipolygon":
        yield from (Shape(entry.name, _rings(part)) for part in _parsed(entry.parts, list[_Points]))
    elif entry.kind == "rectangle":
        yield Shape(entry.name, (_box(_parsed(entry.points, _Points).exterior),))
    elif entry.kind == "oriented_bbox":
        ring = _box(_parsed(entry.points, _Ring))
        yield Shape(entry.name, (shapes.turned(ring, tuple(ring.mean(0)), float(np.rad2deg(entry.angle))),))
    elif entry.kind == "bitmap":
        yield _mask(entry, entry.bitmap, 0)
    elif entry.kind == "alpha_mask":
        yield _mask(entry, entry.alpha_mask or entry.bitmap, SOFT_CUT)


def _mask(entry: _Object, bitmap: _Bitmap | None, cut: int) -> Shape:
    if bitmap is None:
        raise DatasetError(f"an object of the class {entry.name!r} has no mask")
    column, row = (int(np.floor(place)) for place in bitmap.origin)
    mask, (top, left) = bitmaps.tight(bitmaps.from_base64(bitmap.data) > cut)
    return Shape(entry.name, bitmap=mask, origin=(row + top, column + left))


def _rings(points: _Points) -> tuple[np.ndarray, ...]:
    return tuple(np.array(ring, np.float64).reshape(-1, 2) for ring in (points.exterior, *points.interior))


def _box(corners: _Ring) -> np.ndarray:
    """The ring of a rectangle; whole numbers are its first and its last pixel, others its edges."""
    points = np.array(corners, np.float64).reshape(-1, 2)
    if len(points) != 2 or not np.all(np.abs(points) <= FARTHEST):
        raise DatasetError("a rectangle does not have two corners on a photo")
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    last = 1 if np.array_equal(points, np.round(points)) else 0
    return shapes.box(x0, y0, x1 + last, y1 + last)


def _parsed(points: msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(points, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise DatasetError(f"an object has broken points: {error}") from error
