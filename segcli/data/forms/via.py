"""VIA: the regions of the VGG Image Annotator, versions 1 to 3, as project, exported JSON or CSV.

A region has attributes of the user's own; which of them is the class is decided over all files together.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np

from segcli.data.forms.annotations import ONLY_CLASS, Annotations, Record, broken
from segcli.data.forms.documents import MAX_BYTES, names_in_order, read_bytes, read_json
from segcli.data.forms.shapes import Shape, box, ellipse
from segcli.errors import DatasetError

CLASS_WORDS = ("class", "label", "category", "name", "type", "object")
"""Names of attributes that hold classes, the likeliest first."""
CHOICES = ("radio", "dropdown", "image")
"""The types of attributes of which a region has one of several values."""

_AREAS = ("polygon", "rect", "circle", "ellipse")
_SKIPPED = {"point": "point", "polyline": "line", "line": "line"}
_VERSION_3 = {1: "point", 2: "rect", 3: "circle", 4: "ellipse", 5: "line", 6: "polyline", 7: "polygon"}
_NUMBERS_3 = {"rect": ("x", "y", "width", "height"), "circle": ("cx", "cy", "r"), "ellipse": ("cx", "cy", "rx", "ry")}
_NAMELESS = f"no region has an attribute, so all are of one class, {ONLY_CLASS!r}"
_AGAIN = "Export the annotations again from VIA."


class _Outline(msgspec.Struct):
    """A region's `shape_attributes`."""

    name: str = ""
    all_points_x: list[float] = []
    all_points_y: list[float] = []
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    cx: float = 0
    cy: float = 0
    r: float = 0
    rx: float = 0
    ry: float = 0
    theta: float = 0


class _Region(msgspec.Struct):
    outline: _Outline = msgspec.field(name="shape_attributes", default_factory=_Outline)
    attributes: dict[str, Any] = msgspec.field(name="region_attributes", default_factory=dict)


class _Photo(msgspec.Struct):
    filename: str
    regions: list[_Region] | dict[str, _Region] | None = None

    def in_order(self) -> Sequence[_Region]:
        """The regions, of version 1 (a dict by number) too."""
        return list(self.regions.values()) if isinstance(self.regions, dict) else self.regions or ()


class _Attribute(msgspec.Struct):
    type: str = ""
    options: Any = None


class _Attributes(msgspec.Struct):
    region: dict[str, _Attribute] = {}


class _Row(msgspec.Struct):
    """The cells of a line of CSV that are read."""

    filename: str
    outline: str
    attributes: str


class _File3(msgspec.Struct):
    fname: str


class _View3(msgspec.Struct):
    fid_list: list[str | int] = []


class _Attribute3(msgspec.Struct):
    aname: str
    options: Any = None


class _Region3(msgspec.Struct):
    vid: str | int
    xy: list[float] = []
    av: dict[str, Any] = {}


class _Project3(msgspec.Struct):
    """A project of VIA 3."""

    file: dict[str, _File3]
    view: dict[str, _View3]
    metadata: dict[str, _Region3]
    attribute: dict[str, _Attribute3] = {}


@dataclass
class _Content:
    """The photos of one file, and the attributes that it declares."""

    file: Path
    photos: Sequence[_Photo]
    declared: Mapping[str, _Attribute] = field(default_factory=dict)


def load(files: Sequence[Path]) -> Annotations:
    """The regions of VIA's projects, exported JSON and CSV files.

    The class is the only region attribute, or the only one with choices, or the one that is called like a class. Of a
    checkbox the one that is ticked counts. Points and lines are skipped; the last region lies on top.

    Without any attribute all regions are of one class.

    Raises:
        DatasetError: A file is no such file, or nothing tells which attribute is the class.
    """
    contents = [_read(file) for file in files]
    attribute, notes = _class_attribute(contents)
    listed = [name for content in contents for name in _options(content.declared.get(attribute))]
    records = [_record(content.file, photo, attribute) for content in contents for photo in content.photos]
    used = [_class(region, attribute) for c in contents for photo in c.photos for region in _areas(photo)]
    return Annotations(names_in_order(listed, [name for name in used if name]), tuple(records), "list", notes)


def _record(file: Path, photo: _Photo, attribute: str) -> Record:
    drawn = [region for region in _areas(photo) if _class(region, attribute)]
    skipped: dict[str, int] = {}
    for region in photo.in_order():
        kind = _skipped(region, attribute)
        if kind:
            skipped[kind] = skipped.get(kind, 0) + 1

    def shapes(size: tuple[int, int]) -> list[Shape]:
        try:
            return [Shape(_class(region, attribute), (_ring(region.outline),)) for region in drawn]
        except DatasetError as error:
            raise broken(file, error, _AGAIN) from error

    boxes = sum(region.outline.name == "rect" for region in drawn)
    return Record(_photo_name(photo.filename), file, shapes, None, len(drawn), boxes, skipped)


def _photo_name(filename: str) -> str:
    """The photo of a file name, path or URL."""
    if "://" in filename:
        filename = unquote(urlsplit(filename).path).lstrip("/")
    return filename.replace("\\", "/")


def _areas(photo: _Photo) -> Iterator[_Region]:
    return (region for region in photo.in_order() if region.outline.name in _AREAS)


def _skipped(region: _Region, attribute: str) -> str:
    """Why a region is not drawn; empty where it is, or is none."""
    kind = region.outline.name
    if kind in _AREAS:
        values = _values(region, attribute)
        return "" if len(values) == 1 else "with several classes" if values else "without a class"
    return _SKIPPED.get(kind, kind)


def _ring(outline: _Outline) -> np.ndarray:
    if outline.name == "rect":
        return box(outline.x, outline.y, outline.x + outline.width, outline.y + outline.height)
    if outline.name == "circle":
        return ellipse(outline.cx, outline.cy, outline.r, outline.r)
    if outline.name == "ellipse":
        return ellipse(outline.cx, outline.cy, outline.rx, outline.ry, np.rad2deg(outline.theta))
    if len(outline.all_points_x) != len(outline.all_points_y):
        raise DatasetError("a polygon does not have as many x as y")
    return np.array([outline.all_points_x, outline.all_points_y], np.float64).T


def _values(region: _Region, attribute: str) -> list[str]:
    """The classes of a region: one, none, or several ticks of a checkbox; without any attribute the sole class."""
    if not attribute:
        return [ONLY_CLASS]
    value = region.attributes.get(attribute)
    if isinstance(value, dict):
        return [str(name).strip() for name, ticked in value.items() if ticked is True or ticked == "true"]
    name = str(value).strip() if isinstance(value, str | int | float) else ""
    return [name] if name else []


def _class(region: _Region, attribute: str) -> str:
    """The class of a region; empty where it has none or several."""
    values = _values(region, attribute)
    return values[0] if len(values) == 1 else ""


def _options(attribute: _Attribute | None) -> list[str]:
    """The values that an attribute with choices may have."""
    return [str(name) for name in attribute.options] if attribute and isinstance(attribute.options, dict) else []


def _class_attribute(contents: Sequence[_Content]) -> tuple[str, tuple[str, ...]]:
    """The region attribute that holds the class, and a line on it where others might."""
    regions = [region for content in contents for photo in content.photos for region in _areas(photo)]
    filled = list(dict.fromkeys(name for region in regions for name in region.attributes if _values(region, name)))
    if len(filled) <= 1:
        return (filled or [""])[0], () if filled or not regions else (_NAMELESS,)
    chosen = [name for name in filled if any(_is_choice(content.declared.get(name)) for content in contents)]
    by_word = sorted(
        (name for name in filled if name.lower() in CLASS_WORDS), key=lambda n: CLASS_WORDS.index(n.lower())
    )
    name = chosen[0] if len(chosen) == 1 else next((n for n in by_word if n in chosen or not chosen), "")
    listed = ", ".join(map(repr, filled))
    if not name:
        message = f"regions have the attributes {listed}, of which none says that it is the class"
        raise broken(contents[0].file, DatasetError(message, "Call the attribute with the classes 'class' in VIA."))
    return name, (f"the class is the region attribute {name!r}, of {listed}; call another one 'class' to choose it",)


def _is_choice(attribute: _Attribute | None) -> bool:
    return attribute is not None and attribute.type in CHOICES


def _read(file: Path) -> _Content:
    """The content of a file of any version."""
    if file.suffix.lower() == ".csv":
        return _Content(file, list(_rows(file)))
    document = read_json(file, dict[str, Any])
    try:
        if "_via_img_metadata" in document:
            photos = msgspec.convert(document["_via_img_metadata"], dict[str, _Photo], strict=False)
            declared = msgspec.convert(document.get("_via_attributes") or {}, _Attributes, strict=False)
            return _Content(file, list(photos.values()), declared.region)
        if {"file", "view", "metadata"} <= document.keys():
            return _Content(file, list(_version_3(msgspec.convert(document, _Project3, strict=False))))
        return _Content(file, list(msgspec.convert(document, dict[str, _Photo], strict=False).values()))
    except (msgspec.ValidationError, UnicodeEncodeError, RecursionError) as error:
        raise broken(file, error, _AGAIN) from error


def _rows(file: Path) -> Iterator[_Photo]:
    """The photos of a CSV file, in which each region has a line, with JSON in quoted cells."""
    photos: dict[str, _Photo] = {}
    try:
        for row in _table(read_bytes(file).decode()):
            regions = photos.setdefault(row.filename, _Photo(row.filename, [])).regions
            outline = msgspec.json.decode(row.outline or "{}", type=_Outline, strict=False)
            regions.append(_Region(outline, msgspec.json.decode(row.attributes or "{}", type=dict[str, Any])))
    except (csv.Error, UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
        raise broken(file, error, _AGAIN) from error
    yield from photos.values()


def _table(text: str) -> Iterator[_Row]:
    limit = csv.field_size_limit(MAX_BYTES)  # long polygons pass the usual limit
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            cells = {str(key).lstrip("#").strip(): value for key, value in row.items()}
            yield msgspec.convert(
                {
                    "filename": cells.get("filename"),
                    "outline": cells.get("region_shape_attributes") or "",
                    "attributes": cells.get("region_attributes") or "",
                },
                _Row,
            )
    finally:
        csv.field_size_limit(limit)


def _version_3(project: _Project3) -> Iterator[_Photo]:
    """The photos of a VIA 3 project as those of VIA 2."""
    for key, view in project.view.items():
        files = [project.file[str(fid)] for fid in view.fid_list if str(fid) in project.file]
        regions = (region for region in project.metadata.values() if str(region.vid) == key and region.xy)
        if files:
            yield _Photo(
                files[0].fname, [_Region(_outline_3(region.xy), _attributes_3(region, project)) for region in regions]
            )


def _outline_3(numbers: Sequence[float]) -> _Outline:
    name = _VERSION_3.get(numbers[0], f"shape {numbers[0]:g}")
    if name in _NUMBERS_3:
        return _Outline(name, **dict(zip(_NUMBERS_3[name], numbers[1:], strict=False)))
    return _Outline(name, list(numbers[1::2]), list(numbers[2::2]))


def _attributes_3(region: _Region3, project: _Project3) -> dict[str, Any]:
    """A region's attributes by name, with the texts of their options instead of the numbers."""
    named: dict[str, Any] = {}
    for key, value in region.av.items():
        attribute = project.attribute.get(key)
        if attribute:
            options = attribute.options if isinstance(attribute.options, dict) else {}
            named[attribute.aname] = options.get(str(value), value)
    return named
