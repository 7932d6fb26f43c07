"""Regions: what people drew in Label Studio, of every kind that its tools make."""

from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np

from segcli.data.forms import bitmaps, brush, shapes
from segcli.data.forms.annotations import check_size
from segcli.data.forms.raster import FARTHEST
from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError

_NOTHING = msgspec.Raw(b"")


class _Vertex(msgspec.Struct, rename={"is_bezier": "isBezier"}):
    x: float
    y: float
    is_bezier: bool | None = None


class Value(msgspec.Struct, rename={"image": "imageDataURL", "radius_x": "radiusX", "radius_y": "radiusY"}):
    """Where a region lies, in percent of the photo's size, and its labels; what is large stays unread at first."""

    rle: msgspec.Raw = _NOTHING
    points: msgspec.Raw = _NOTHING
    vertices: msgspec.Raw = _NOTHING
    image: str | None = None
    closed: bool | None = None
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    radius_x: float | None = None
    radius_y: float | None = None
    rotation: float | None = None
    labels: list[str] | None = None
    brushlabels: list[str] | None = None
    bitmasklabels: list[str] | None = None
    polygonlabels: list[str] | None = None
    rectanglelabels: list[str] | None = None
    ellipselabels: list[str] | None = None
    vectorlabels: list[str] | None = None
    keypointlabels: list[str] | None = None

    def names(self) -> list[str]:
        """The classes of the region."""
        return [name for key in _LABELS for name in getattr(self, key) or () if name]

    def kind(self) -> str:
        """What the region is: a key of `_READERS`, or what encloses no pixels; nothing for an answer or a relation.

        The strokes of a brush, which files of Label Studio's first years hold without a mask, are lines.
        """
        kind = next((kind for key, kind in _KINDS.items() if getattr(self, key) not in (None, _NOTHING)), "")
        is_open = (kind == "polygon" and self.closed is False) or (kind == "vector" and not self.closed)
        return "line" if is_open or (kind == "polygon" and self.brushlabels) else kind


class Region(msgspec.Struct):
    """One region, or an answer about one.

    Attributes:
        id: Regions with the same id are one, whose place and labels come from two tools.
        type: The kind of tool.
        from_name: The tool.
        to_name: The picture it belongs to.
        original_width: Columns of the photo, where they are stated.
        original_height: Rows of the photo, where they are stated.
        image_rotation: The degrees by which the photo was turned while drawing.
        value: Where it lies.
    """

    id: int | str | None = None
    type: str | None = None
    from_name: str | None = None
    to_name: str | None = None
    original_width: float | None = None
    original_height: float | None = None
    image_rotation: float | None = None
    value: Value | None = None

    def __post_init__(self) -> None:
        self.value = self.value or Value()

    def size(self) -> tuple[int, int] | None:
        """(height, width) of the photo; None where it is not stated. DatasetError where no photo has that size."""
        if not self.original_width or not self.original_height:
            return None
        if not (self.original_width < np.inf and self.original_height < np.inf):
            raise DatasetError("a region says that its photo is endlessly large")
        return check_size(int(self.original_height), int(self.original_width))


class Drawing:
    """The regions of one photo, put together.

    Attributes:
        names: The class of each shape, in the order of the regions.
        skipped: What to call each region that makes no shape.
        boxes: The number of upright rectangles among the shapes.
        brushes: The number of brush masks among the shapes.
    """

    def __init__(self, regions: Iterable[Region]):
        self._parts: list[tuple[str, str, Region]] = []
        self.skipped: list[str] = []
        self._faults: list[DatasetError] = []
        for group in _grouped(regions):
            self._add(group)
        self.names = [name for _, name, _ in self._parts]
        self.brushes = sum(kind == "brush" for kind, _, _ in self._parts)
        self.boxes = sum(kind == "rectangle" and not region.value.rotation for kind, _, region in self._parts)

    def _add(self, group: Sequence[Region]) -> None:
        names = list(dict.fromkeys(name for region in group for name in region.value.names()))
        kind, region = next(((kind, region) for region in group if (kind := region.value.kind())), ("", group[0]))
        if not kind and not names:
            return  # an answer about the whole photo, or a relation
        if kind not in _READERS:
            self.skipped.append(kind or (region.type or "label").removesuffix("labels") or "label")
        elif not names:
            self.skipped.append(f"{kind} without a class")
        else:
            self._parts.append((kind, names[0], region))
            if len(names) > 1:
                text = " and ".join(map(repr, names))
                hint = 'A pixel has one class: label it once, and set choice="single" in the labelling config.'
                self._faults.append(DatasetError(f"a region has the classes {text}", hint))

    def size(self) -> tuple[int, int] | None:
        """(height, width) of the photo, as the regions state it; None where none does, or they are at odds."""
        try:
            found = {size for _, _, region in self._parts if (size := region.size())}
        except DatasetError:
            return None
        return found.pop() if len(found) == 1 else None

    def shapes(self, size: tuple[int, int]) -> list[Shape]:
        """The shapes on a photo of that (height, width); DatasetError where regions are at odds or one is broken."""
        if self._faults:
            raise self._faults[0]
        found = {stated for _, _, region in self._parts if (stated := region.size())}
        if len(found) > 1:
            text = " and ".join(f"{width} x {height}" for height, width in sorted(found))
            raise DatasetError(f"its regions were drawn on photos of {text} pixels", "Make a task of each photo.")
        if len(pictures := {region.to_name for _, _, region in self._parts}) > 1:
            raise DatasetError(f"its regions lie on {len(pictures)} pictures", "Make a task of each photo.")
        if degrees := next((d for _, _, region in self._parts if (d := region.image_rotation) and d % 360), 0):
            hint = "Turn it back in Label Studio, or turn the file itself, and correct the regions."
            raise DatasetError(f"the photo was turned by {degrees:g} degrees when it was drawn on", hint)
        return bitmaps.bounded(self._shapes(found.pop() if found else size))

    def _shapes(self, size: tuple[int, int]) -> Iterable[Shape]:
        for kind, name, region in self._parts:
            yield _READERS[kind](region.value, name, size)


def _grouped(regions: Iterable[Region]) -> list[list[Region]]:
    """The regions, those of one id together."""
    groups: dict[object, list[Region]] = {}
    for place, region in enumerate(regions):
        groups.setdefault(("place", place) if region.id is None else region.id, []).append(region)
    return list(groups.values())


def _brush(value: Value, name: str, size: tuple[int, int]) -> Shape:
    try:
        data = bytes(msgspec.json.decode(value.rle, type=list[int]))
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise DatasetError(f"a brush mask is not a list of bytes: {error}") from error
    bitmap, origin = brush.decode(data, *size)
    return Shape(name, bitmap=bitmap, origin=origin)


def _bitmask(value: Value, name: str, size: tuple[int, int]) -> Shape:
    """A PNG of the photo's size as a data URL, black on nothing."""
    bitmap = bitmaps.from_base64((value.image or "").rpartition("base64,")[2]) > brush.CUT
    if bitmap.shape != size:
        raise DatasetError(
            f"a bitmask has {bitmap.shape[1]} x {bitmap.shape[0]} pixels, but its photo is {size[1]} x {size[0]}"
        )
    bitmap, origin = bitmaps.tight(bitmap)
    return Shape(name, bitmap=bitmap, origin=origin)


def _polygon(value: Value, name: str, size: tuple[int, int]) -> Shape:
    return Shape(name, (_scaled(_parsed(value.points, list[tuple[float, float]]), size),))


def _vector(value: Value, name: str, size: tuple[int, int]) -> Shape:
    vertices = _parsed(value.vertices, list[_Vertex])
    if any(vertex.is_bezier for vertex in vertices):
        raise DatasetError(
            "a vector has curves, which segcli does not draw",
            "Change its points to corners, or draw it with the brush.",
        )
    return Shape(name, (_scaled([(vertex.x, vertex.y) for vertex in vertices], size),))


def _rectangle(value: Value, name: str, size: tuple[int, int]) -> Shape:
    """A rectangle is turned around its top left corner, clockwise."""
    (corner, span) = _scaled([(value.x, value.y), (value.width, value.height)], size)
    return Shape(name, (shapes.turned(shapes.box(*corner, *(corner + span)), tuple(corner), value.rotation or 0),))


def _ellipse(value: Value, name: str, size: tuple[int, int]) -> Shape:
    (centre, radii) = _scaled([(value.x, value.y), (value.radius_x, value.radius_y)], size)
    return Shape(name, (shapes.ellipse(*centre, *radii, value.rotation or 0),))


def _parsed(raw: msgspec.Raw, kind: type) -> list:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise DatasetError(f"a polygon cannot be read: {error}") from error


def _scaled(percent: Sequence[Sequence[float | None]], size: tuple[int, int]) -> np.ndarray:
    """Points in pixels, float64 (n, 2) of x and y, from percent of the photo's (height, width)."""
    points = np.array(percent, np.float64).reshape(-1, 2) * (size[1] / 100, size[0] / 100)  # None becomes NaN
    if not np.all(np.abs(points) <= FARTHEST):
        raise DatasetError("a region lies outside any photo")
    return points


_KINDS = {
    "rle": "brush",
    "image": "bitmask",
    "points": "polygon",
    "vertices": "vector",
    "radius_x": "ellipse",
    "height": "rectangle",
    "x": "point",
}
"""What a value of that name makes of a region; the first that is there decides."""

_LABELS = tuple(key for key in Value.__struct_fields__ if key.endswith("labels"))

_READERS: dict[str, Callable[[Value, str, tuple[int, int]], Shape]] = {
    "brush": _brush,
    "bitmask": _bitmask,
    "polygon": _polygon,
    "vector": _vector,
    "rectangle": _rectangle,
    "ellipse": _ellipse,
}
"""Kind of region -> what makes a shape of it, its class and the photo's size."""
