"""Darwin: V7's JSON of version 2, a file for each photo."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from segcli.data.forms.annotations import Annotations, Record, broken, check_size
from segcli.data.forms.bitmaps import bounded, from_runs
from segcli.data.forms.documents import names_in_order, read_json
from segcli.data.forms.shapes import Shape, box, ellipse
from segcli.errors import DatasetError

_KINDS = ("line", "keypoint", "skeleton", "cuboid", "eye", "tag", "table", "simple_table", "string", "graph", "link")
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]


class _Point(msgspec.Struct):
    x: float
    y: float


class _Polygon(msgspec.Struct):
    paths: list[list[_Point]] = []
    path: list[_Point] = []
    additional_paths: list[list[_Point]] = []

    def rings(self) -> list[list[_Point]]:
        """All outlines, of older exports too."""
        return self.paths or [self.path, *self.additional_paths]


class _Ellipse(msgspec.Struct):
    center: _Point
    radius: _Point
    angle: float = 0


class _Box(msgspec.Struct):
    x: float
    y: float
    w: float
    h: float


class _Raster(msgspec.Struct):
    """A layer of masks: pairs of a number and how many pixels have it, row by row."""

    dense_rle: list[_Count]
    mask_annotation_ids_mapping: dict[str, _Count]


class _Annotation(msgspec.Struct):
    name: str
    id: str = ""
    polygon: _Polygon | None = None
    ellipse: _Ellipse | None = None
    bounding_box: _Box | None = None
    mask: Any = None
    raster_layer: _Raster | None = None
    frames: Any = None
    line: Any = None
    keypoint: Any = None
    skeleton: Any = None
    cuboid: Any = None
    eye: Any = None
    tag: Any = None
    table: Any = None
    simple_table: Any = None
    string: Any = None
    graph: Any = None
    link: Any = None


class _Slot(msgspec.Struct):
    width: int | None = None
    height: int | None = None


class _Item(msgspec.Struct):
    name: str
    path: str = ""
    slots: list[_Slot] = []


class _Document(msgspec.Struct):
    item: _Item
    annotations: list[_Annotation] = []


def load(files: Sequence[Path]) -> Annotations:
    """The annotations of Darwin files of one photo each; a file that cannot be read raises when it is drawn.

    Polygons are even-odd, masks come from the photo's raster layer, and a box counts only where an annotation has
    nothing else. Other kinds are skipped; the last annotation lies on top.
    """
    names: list[str] = []
    records, turned = [], 0
    for file in files:
        try:
            document = read_json(file, _Document)
            record = _record(file, document)
        except DatasetError as error:
            records.append(_broken_record(file, error))
            continue
        records.append(record)
        names += [name for name, _ in _drawn(document)]
        turned += sum(bool(a.ellipse and a.ellipse.angle % (2 * np.pi)) for a in document.annotations)
    notes = (f"the angles of {turned} turned ellipses are taken as radians",) if turned else ()
    return Annotations(names_in_order([], names), tuple(records), "list", notes)


def _broken_record(file: Path, error: DatasetError) -> Record:
    def shapes(size: tuple[int, int]) -> list[Shape]:
        raise error

    return Record(file.stem, file, shapes)


def _record(file: Path, document: _Document) -> Record:
    item = document.item
    size = None
    try:
        if len(item.slots) > 1:
            raise DatasetError(f"it has {len(item.slots)} slots, not one photo", "Export photos of one slot each.")
        if any(annotation.frames is not None for annotation in document.annotations):
            raise DatasetError("it labels a video, not a photo", "Export its frames as photos of their own.")
        if item.slots and item.slots[0].width is not None and item.slots[0].height is not None:
            size = check_size(item.slots[0].height, item.slots[0].width)
    except DatasetError as error:
        raise broken(file, error) from error

    def shapes(photo_size: tuple[int, int]) -> list[Shape]:
        try:
            return bounded(_shapes(document, size or photo_size))
        except DatasetError as error:
            raise broken(file, error) from error

    drawn = list(_drawn(document))
    photo = f"{item.path.strip('/')}/{item.name}".lstrip("/").replace("\\", "/")
    boxes = sum(kind == "box" for _, kind in drawn)
    return Record(photo, file, shapes, size, len(drawn), boxes, _skipped(document))


def _drawn(document: _Document) -> Iterator[tuple[str, str]]:
    """The (class, kind) of each annotation that encloses pixels."""
    for annotation in document.annotations:
        kind = _kind(annotation)
        if kind in ("polygon", "ellipse", "mask", "box"):
            yield annotation.name.strip(), kind


def _kind(annotation: _Annotation) -> str:
    for kind in ("polygon", "ellipse", "mask", "raster_layer"):
        if getattr(annotation, kind) is not None:
            return kind
    if annotation.bounding_box is not None and not any(getattr(annotation, kind) is not None for kind in _KINDS):
        return "box"
    return next((kind for kind in _KINDS if getattr(annotation, kind) is not None), "other")


def _skipped(document: _Document) -> dict[str, int]:
    skipped: dict[str, int] = {}
    for annotation in document.annotations:
        kind = _kind(annotation)
        if kind == "other" or kind in _KINDS:
            skipped[kind] = skipped.get(kind, 0) + 1
    return skipped


def _shapes(document: _Document, size: tuple[int, int]) -> Iterator[Shape]:
    names = {
        annotation.id: annotation.name.strip() for annotation in document.annotations if annotation.mask is not None
    }
    if names and not any(annotation.raster_layer for annotation in document.annotations):
        raise DatasetError("it has masks, but not the raster layer that holds their pixels")
    for annotation in document.annotations:
        name = annotation.name.strip()
        match _kind(annotation):
            case "polygon":
                rings = annotation.polygon.rings()
                yield Shape(name, tuple(np.array([(p.x, p.y) for p in ring], np.float64) for ring in rings if ring))
            case "ellipse":
                oval = annotation.ellipse
                degrees = np.rad2deg(oval.angle)
                yield Shape(name, (ellipse(oval.center.x, oval.center.y, oval.radius.x, oval.radius.y, degrees),))
            case "box":
                frame = annotation.bounding_box
                yield Shape(name, (box(frame.x, frame.y, frame.x + frame.w, frame.y + frame.h),))
            case "raster_layer":
                yield from _masks(annotation.raster_layer, names, size)


def _masks(raster: _Raster, names: dict[str, str], size: tuple[int, int]) -> Iterator[Shape]:
    """The masks of a layer, one of each class."""
    height, width = size
    if len(raster.dense_rle) % 2:
        raise DatasetError("the runs of its raster layer are not pairs")
    values, lengths = np.array(raster.dense_rle, np.int64).reshape(-1, 2).T
    ends = np.cumsum(lengths)
    if lengths.sum() != height * width:
        raise DatasetError(f"its raster layer has {lengths.sum()} pixels, not {width} x {height}")
    unknown = raster.mask_annotation_ids_mapping.keys() - names.keys()
    unlisted = set(np.unique(values).tolist()) - {0, *raster.mask_annotation_ids_mapping.values()}
    if unknown or unlisted:
        raise DatasetError("its raster layer has masks that no annotation names")
    for name in dict.fromkeys(names[key] for key in raster.mask_annotation_ids_mapping):
        numbers = [number for key, number in raster.mask_annotation_ids_mapping.items() if names[key] == name]
        of_class = np.isin(values, numbers)
        bitmap, origin = from_runs((ends - lengths)[of_class], ends[of_class], width)
        yield Shape(name, bitmap=bitmap, origin=origin)
