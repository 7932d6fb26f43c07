"""GeoJSON: QuPath's annotations of one photo a file, and those of others who write outlines in pixels this way.

The file is named like its photo; coordinates are full-resolution pixels from the top left corner, and no size is
stated. Maps use the same form with degrees or metres, which are told apart here and refused.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from segcli.data.forms.annotations import Annotations, Record, broken
from segcli.data.forms.documents import names_in_order, read_json
from segcli.data.forms.shapes import Shape, ellipse, is_box
from segcli.errors import DatasetError

WIDEST_DEGREES = (180, 90)
"""The largest longitude and latitude; coordinates within them may be degrees."""
SMALLEST_SPAN = 2
"""Where every shape spans fewer pixels than this, fractions of degrees are meant."""
PIXELS = "Export outlines in pixels of the photo, as QuPath does; whole numbers are always read as pixels."

_Ring = list[list[float]]


class _Geometry(msgspec.Struct, tag_field="type"):
    """What all geometries of QuPath may state: the plane of a stack, and that an ellipse fills their bounds."""

    plane: Any = None
    isEllipse: bool = False  # noqa: N815 (QuPath's name)


class _Polygon(_Geometry, tag="Polygon"):
    coordinates: list[_Ring] = []


class _MultiPolygon(_Geometry, tag="MultiPolygon"):
    coordinates: list[list[_Ring]] = []


class _Point(_Geometry, tag="Point"):
    pass


class _MultiPoint(_Geometry, tag="MultiPoint"):
    pass


class _LineString(_Geometry, tag="LineString"):
    pass


class _MultiLineString(_Geometry, tag="MultiLineString"):
    pass


class _GeometryCollection(_Geometry, tag="GeometryCollection"):
    geometries: list["_AnyGeometry"] = []


_AnyGeometry = _Polygon | _MultiPolygon | _Point | _MultiPoint | _LineString | _MultiLineString | _GeometryCollection


class _Properties(msgspec.Struct, rename={"kind": "class", "children": "childObjects", "qupath": "objectType"}):
    classification: Any = None
    name: Any = None
    label: Any = None
    kind: Any = None
    qupath: Any = None
    children: list["_Feature"] | None = None


class _Feature(msgspec.Struct):
    geometry: _AnyGeometry | None = None
    properties: _Properties | None = None


class _Document(_Feature):
    """A FeatureCollection, or a single Feature."""

    features: list[_Feature] | None = None
    crs: Any = None


@dataclass
class _Content:
    """What one file holds."""

    shapes: list[Shape] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    boxes: int = 0
    named_only: int = 0
    crs: bool = False
    planes: set[str] = field(default_factory=set)

    def skip(self, kind: str) -> None:
        self.skipped[kind] = self.skipped.get(kind, 0) + 1


def load(files: Sequence[Path]) -> Annotations:
    """The annotations of GeoJSON files of one photo each; a file that cannot be read raises when it is drawn.

    A shape's class is its `classification` (QuPath); other writers' `name`, `label` or `class` are taken where there is
    none. Shapes without a class, points and lines are skipped. Of shapes that overlap, the smaller lies on top.
    """
    contents = [_read(file) for file in files]
    read = [content for content in contents if isinstance(content, _Content)]
    degrees = _may_be_degrees([ring for content in read for shape in content.shapes for ring in shape.rings])
    records = [_record(file, content, degrees) for file, content in zip(files, contents, strict=True)]
    names = [shape.name for content in read for shape in content.shapes]
    return Annotations(names_in_order([], names), tuple(records), "area", _notes(read))


def _notes(contents: Sequence[_Content]) -> tuple[str, ...]:
    count = sum(content.named_only for content in contents)
    note = f"{count} annotations have a name but no class, and are left out; give them classes in QuPath (Set class)"
    return (note,) if count else ()


def _record(file: Path, content: _Content | DatasetError, degrees: str) -> Record:
    def shapes(size: tuple[int, int]) -> list[Shape]:
        if isinstance(content, DatasetError):
            raise content
        if fault := _fault(content, degrees, size):
            raise broken(file, DatasetError(fault, PIXELS))
        return content.shapes

    if isinstance(content, DatasetError):
        return Record(file.stem, file, shapes)
    return Record(file.stem, file, shapes, None, len(content.shapes), content.boxes, content.skipped)


def _fault(content: _Content, degrees: str, size: tuple[int, int]) -> str:
    """Why the coordinates of a file are no pixels of one photo of that size; empty where they are."""
    height, width = size
    if content.crs:
        return 'it holds places on a map (it has a "crs"), not pixels'
    if len(content.planes) > 1:
        return f"its shapes lie on {len(content.planes)} planes of a stack, not on one photo"
    if degrees == "surely" or (
        degrees == "maybe" and (width > 2 * WIDEST_DEGREES[0] or height > 2 * WIDEST_DEGREES[1])
    ):
        return "its coordinates look like degrees of longitude and latitude, not pixels"
    return ""


def _may_be_degrees(rings: Sequence[np.ndarray]) -> str:
    """Whether coordinates of all files are degrees: "surely"; "maybe", if the photo is much larger; or "" for no."""
    points = np.concatenate([np.zeros((0, 2)), *rings])
    if not len(points) or np.any(np.abs(points) > WIDEST_DEGREES) or np.all(points == np.round(points)):
        return ""
    tiny = all(np.all(np.ptp(ring, axis=0) < SMALLEST_SPAN) for ring in rings if len(ring))
    return "surely" if tiny or points.min() < -SMALLEST_SPAN else "maybe"


def _read(file: Path) -> _Content | DatasetError:
    """The content of a file, or what is wrong with it."""
    try:
        document = read_json(file, _Document | list[_Feature])
    except DatasetError as error:
        return error
    content = _Content(crs=not isinstance(document, list) and document.crs is not None)
    features = document if isinstance(document, list) else document.features
    try:
        for feature in _flat([document] if features is None else features):
            _add(feature, content)
    except DatasetError as error:
        return broken(file, error)
    return content


def _flat(features: Iterable[_Feature]) -> Iterator[_Feature]:
    """Features, each followed by those that QuPath nests in it."""
    stack = [iter(features)]
    while stack:
        feature = next(stack[-1], None)
        if feature is None:
            stack.pop()
            continue
        yield feature
        if feature.properties and feature.properties.children:
            stack.append(iter(feature.properties.children))


def _add(feature: _Feature, content: _Content) -> None:
    name = _name(feature.properties) if feature.properties else ""
    for geometry in _parts(feature.geometry):
        kind = type(geometry).__name__.lstrip("_").removeprefix("Multi")
        if kind != "Polygon":
            content.skip("point" if kind == "Point" else "line")
        elif not name:
            content.skip("without a class")
            content.named_only += bool(feature.properties and feature.properties.name)
        else:
            _draw(geometry, name, content)


def _draw(geometry: _Polygon | _MultiPolygon, name: str, content: _Content) -> None:
    polygons = [geometry.coordinates] if isinstance(geometry, _Polygon) else geometry.coordinates
    rings = tuple(_points(ring) for polygon in polygons for ring in polygon if ring)
    if not rings:
        content.skip("empty")
        return
    if geometry.isEllipse:  # the outline is a rounded stand-in, and QuPath itself goes by its bounds
        (x0, y0), (x1, y1) = rings[0].min(0), rings[0].max(0)
        rings = (ellipse((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2),)
    content.shapes.append(Shape(name, rings))
    content.boxes += len(rings) == 1 and is_box(rings[0])
    plane = geometry.plane if isinstance(geometry.plane, dict) else {}
    content.planes.add(f"{plane.get('z', 0)} {plane.get('t', 0)}")


def _parts(geometry: _AnyGeometry | None) -> Iterator[_AnyGeometry]:
    """The geometries that a geometry is made of, collections taken apart."""
    stack = [geometry] if geometry else []
    while stack:
        part = stack.pop()
        if isinstance(part, _GeometryCollection):
            stack += reversed(part.geometries)
        else:
            yield part


def _name(properties: _Properties) -> str:
    """The class of a feature; empty where it has none. QuPath's own `name` is that of the object, not a class."""
    given = properties.classification
    if isinstance(given, dict):
        names = given.get("names")
        given = given.get("name") or (": ".join(map(str, names)) if isinstance(names, list) else None)
    own = None if properties.qupath else properties.name
    given_names = (given, own, properties.label, properties.kind)
    named = (str(name).strip() for name in given_names if isinstance(name, str | int) and not isinstance(name, bool))
    return next((name for name in named if name), "")


def _points(ring: _Ring) -> np.ndarray:
    """The points of a ring, float64 (n, 2), without the last where it repeats the first."""
    if any(len(point) < 2 for point in ring):
        raise DatasetError("a point has fewer than two coordinates")
    points = np.array([point[:2] for point in ring], np.float64).reshape(-1, 2)
    return points[:-1] if len(points) > 1 and np.array_equal(points[0], points[-1]) else points
