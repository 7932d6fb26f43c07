"""LabelMe JSON: the shapes of one photo a file, by LabelMe, AnyLabeling and X-AnyLabeling; and ISAT's, much alike."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from segcli.data.forms.annotations import Annotations, Record, broken, check_size
from segcli.data.forms.bitmaps import bounded, from_base64
from segcli.data.forms.documents import read_json
from segcli.data.forms.raster import FARTHEST
from segcli.data.forms.shapes import Shape, box, ellipse, foreground, is_box
from segcli.errors import DatasetError
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.images import polygons
from segcli.labels import LabelSet

UNCORRECTED = "not corrected yet"
"""The flag, a tick box in LabelMe, of predictions; who finds nothing to correct in them takes the tick away."""
VERSION = "5.5.0"
"""The version of LabelMe whose form is written; later ones read it."""

_POINTS = {
    "polygon": (),
    "rectangle": (2, 4),
    "rotation": (4,),
    "oriented_rectangle": (4,),
    "quadrilateral": (4,),
    "circle": (2,),
    "mask": (2,),
}
"""Type -> how many points a shape of it may have; empty for any number."""
_SKIPPED = {"line": "line", "linestrip": "line", "point": "point", "points": "point", "cuboid": "cuboid"}
"""Type -> what it is called in a note."""


class _Shape(msgspec.Struct):
    label: str | int | None = None
    points: list[tuple[float, float]] = []
    shape_type: str | None = None
    mask: str | None = None

    def kind(self) -> str:
        return self.shape_type or "polygon"  # files of old versions hold nothing else and do not say so


class _Info(msgspec.Struct):
    """What ISAT says about the photo."""

    name: str | None = None
    width: int | None = None
    height: int | None = None


class _Object(msgspec.Struct):
    """A shape of ISAT."""

    category: str | int | None = None
    segmentation: list[tuple[float, float]] = []
    layer: float = 0


class _Document(msgspec.Struct):
    """The file; `imageData`, the photo itself as text, is passed over."""

    shapes: list[_Shape] = []
    imagePath: str | None = None  # noqa: N815 (LabelMe's names)
    imageHeight: int | None = None  # noqa: N815
    imageWidth: int | None = None  # noqa: N815
    flags: Any = None
    checked: Any = None  # X-AnyLabeling's tick box for a file that is done
    segcli: Any = None
    info: _Info | None = None
    objects: list[_Object] | None = None


@dataclass(frozen=True)
class _Drawn:
    """A shape that encloses pixels, as its file has it."""

    name: str
    kind: str
    points: np.ndarray
    mask: str = ""

    def shape(self) -> Shape:
        """The region; DatasetError where its mask is damaged."""
        if self.kind == "mask":
            return self._bitmap()
        (x, y), (far_x, far_y) = self.points[:2]
        ring = self.points
        if self.kind == "circle":  # its centre, and a point on its rim
            radius = float(np.hypot(far_x - x, far_y - y))
            ring = ellipse(x, y, radius, radius)
        elif len(ring) == 2:
            ring = box(x, y, far_x, far_y)
        return Shape(self.name, (ring,))

    def _bitmap(self) -> Shape:
        """The region of a mask, whose points are its first and its last pixel."""
        if not np.all(np.abs(self.points) <= FARTHEST):  # nor NaN
            raise DatasetError("a mask lies outside any photo")
        (left, top), (right, bottom) = ((int(x), int(y)) for x, y in self.points.tolist())
        bitmap = from_base64(self.mask) != 0
        height, width = bitmap.shape
        if (height, width) != (bottom - top + 1, right - left + 1):
            stated = f"{right - left + 1} x {bottom - top + 1}"
            raise DatasetError(f"a mask has {width} x {height} pixels, but its points say {stated}")
        return Shape(self.name, bitmap=bitmap, origin=(top, left))


@dataclass
class _Content:
    """What one file holds."""

    photo: str
    size: tuple[int, int] | None
    drawn: list[_Drawn] = field(default_factory=list)
    boxes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    corrected: bool = True


def load(files: Sequence[Path]) -> Annotations:
    """The shapes of LabelMe's files; a file that cannot be read raises when it is drawn.

    The last shape of a file lies on top; in ISAT's files the one of the highest layer. Points and lines are skipped.
    A file that `document` wrote counts as corrected once its flag is gone or its shapes are others.
    """
    contents = [_read(file) for file in files]
    records = tuple(_record(file, content) for file, content in zip(files, contents, strict=True))
    read = [content for content in contents if isinstance(content, _Content)]
    return Annotations(tuple(sorted({shape.name for content in read for shape in content.drawn})), records)


def _record(file: Path, content: _Content | DatasetError) -> Record:
    def shapes(size: tuple[int, int]) -> list[Shape]:
        if isinstance(content, DatasetError):
            raise content
        return bounded(shape.shape() for shape in content.drawn)

    if isinstance(content, DatasetError):
        return Record(file.stem, file, shapes)
    return Record(
        *(content.photo or file.stem, file, shapes, content.size),
        *(len(content.drawn), content.boxes, dict(content.skipped), content.corrected),
    )


def _read(file: Path) -> _Content | DatasetError:
    """The content of a file, or what is wrong with it."""
    try:
        document = read_json(file, _Document)
    except DatasetError as error:
        return error
    try:
        return _labelme(document) if document.objects is None else _isat(document)
    except DatasetError as error:
        return broken(file, error)


def _labelme(document: _Document) -> _Content:
    content = _Content(_photo(document.imagePath), _size(document.imageHeight, document.imageWidth))
    for shape in document.shapes:
        _add(shape, content)
    content.corrected = _is_corrected(document)
    return content


def _isat(document: _Document) -> _Content:
    info = document.info or _Info()
    content = _Content(_photo(info.name), _size(info.height, info.width))
    for entry in sorted(document.objects or [], key=lambda entry: entry.layer):
        _add(_Shape(entry.category, entry.segmentation), content)
    return content


def _photo(path: str | None) -> str:
    return (path or "").replace("\\", "/")


def _size(height: int | None, width: int | None) -> tuple[int, int] | None:
    """The photo's (height, width); None where it is left out, or is X-AnyLabeling's -1 for what it does not know."""
    unknown = (None, 0, -1)
    return None if height in unknown or width in unknown else check_size(height, width)


def _add(shape: _Shape, content: _Content) -> None:
    """Sort a shape in; DatasetError where it cannot be read."""
    kind, name = shape.kind(), "" if shape.label is None else str(shape.label)
    if kind in _SKIPPED or (kind == "polygon" and len(shape.points) < 3):
        content.skipped[_SKIPPED.get(kind, "line")] += 1
    elif not name.strip():
        content.skipped["shape without a class"] += 1
    else:
        _check(shape)
        points = np.array(shape.points, np.float64)
        content.drawn.append(_Drawn(name, kind, points, shape.mask or ""))
        content.boxes += kind == "rectangle" and (len(points) == 2 or is_box(points))


def _check(shape: _Shape) -> None:
    kind, count = shape.kind(), len(shape.points)
    if kind not in _POINTS:
        raise DatasetError(f"a shape has the type {shown(kind)!r}, which is unknown", "Draw it as a polygon.")
    if _POINTS[kind] and count not in _POINTS[kind]:
        wanted = " or ".join(map(str, _POINTS[kind]))
        raise DatasetError(f"a shape of the type {kind!r} has {count} points, not {wanted}", "Draw it again.")
    if kind == "mask" and not shape.mask:
        raise DatasetError("a shape of the type 'mask' holds no mask", "Draw it again.")


def _is_corrected(document: _Document) -> bool:
    """Whether a person made the shapes, changed predicted ones, or says that these are right."""
    flags = document.flags if isinstance(document.flags, dict) else {}
    if flags.get(UNCORRECTED) is not True or document.checked is True:
        return True
    mark = document.segcli.get("shapes") if isinstance(document.segcli, dict) else None
    return mark is not None and mark != _digest((str(s.label), s.kind(), s.points) for s in document.shapes)


def _digest(shapes: Iterable[tuple[str, str, Any]]) -> str:
    """The SHA-256, 64 hex digits, of shapes' classes, types and points, which LabelMe keeps exactly when it saves."""
    digest = hashlib.sha256()
    for name, kind, points in shapes:
        digest.update(f"{name}\0{kind}\0{len(points)}\0".encode("utf-8", "surrogatepass"))
        digest.update(np.array(points, "<f8").tobytes())
    return digest.hexdigest()


def document(photo: str, label_map: np.ndarray, labels: LabelSet) -> bytes:
    """The JSON file of predictions, for LabelMe to open beside their photo; it says that nobody has corrected them.

    Args:
        photo: The photo's name.
        label_map: Ids (H, W) of the upright photo; background, void and ids without a name are left out.
        labels: The classes.

    Returns:
        The file's content: a polygon for each connected region, along the edges of its pixels.
    """
    names = foreground(labels)
    shapes = [
        (names[label], "polygon", _from_single_point(polygon.points))
        for label, polygon in polygons.regions(label_map, names)
    ]
    values = {
        "version": VERSION,
        "flags": {UNCORRECTED: True},
        "shapes": [_entry(name, kind, points.tolist()) for name, kind, points in shapes],
        "imagePath": photo,
        "imageData": None,
        "imageHeight": label_map.shape[0],
        "imageWidth": label_map.shape[1],
        "segcli": {"shapes": _digest(shapes)},  # LabelMe keeps keys that it does not know
    }
    try:
        return msgspec.json.encode(values)
    except UnicodeEncodeError:  # the photo's name is no text: as escapes, which LabelMe's Python reads as that name
        return to_json(values).encode()


def _entry(name: str, kind: str, points: list[list[int]]) -> dict[str, Any]:
    keys = {"label": name, "points": points, "group_id": None, "description": ""}
    return keys | {"shape_type": kind, "flags": {}, "mask": None}


def _from_single_point(points: np.ndarray) -> np.ndarray:
    """An outline (n, 2) from a point on that it passes once: AnyLabeling drops others that are equal to the first."""
    _, first, count = np.unique(points @ [1 << 32, 1], return_index=True, return_counts=True)
    return np.roll(points, -first[count == 1].min(), axis=0)
