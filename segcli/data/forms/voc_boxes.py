"""Pascal VOC XML: boxes around objects, which say nothing of outlines; and the outlines that some tools write in it.

The LabelMe of MIT, which came before the program of that name, has the same root and holds polygons; so do exports of
Roboflow from polygons.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from segcli.data.forms.annotations import Annotations, Record, broken, check_size
from segcli.data.forms.documents import names_in_order, read_xml
from segcli.data.forms.raster import FARTHEST
from segcli.data.forms.shapes import Shape, box
from segcli.errors import DatasetError

_SIZES = (("size/height", "size/width"), ("imagesize/nrows", "imagesize/ncols"))
_NUMBERED = re.compile(r"([xy])(\d{1,7})")


def load(files: Sequence[Path], fill_boxes: bool = False) -> Annotations:
    """The objects of XML files of one photo each; a file that cannot be read raises when it is drawn.

    Objects with a polygon are shapes; those with a box only are counted as "box", or drawn with `fill_boxes`. The last
    lies on top.
    """
    records, names = [], []
    for file in files:
        try:
            shapes, record = _read(file, fill_boxes)
        except DatasetError as error:
            records.append(Record(file.stem, file, lambda size, error=error: _raise(error)))
            continue
        names += [shape.name for shape in shapes]
        records.append(record)
    return Annotations(names_in_order([], names), tuple(records))


def _raise(error: DatasetError) -> Sequence[Shape]:
    raise error


def _read(file: Path, fill_boxes: bool) -> tuple[list[Shape], Record]:
    root = read_xml(file)
    try:
        size = _size(root)
        shapes, boxes, skipped = [], 0, {}
        for thing in root.iter("object"):
            if _text(thing, "deleted") == "1":
                continue
            outline, bounds = thing.find("polygon"), thing.find("bndbox")
            if outline is None and bounds is not None and fill_boxes:
                shapes.append(Shape(_text(thing, "name"), (_boxed(bounds),)))
                boxes += 1
            elif outline is None:
                kind = "box" if bounds is not None else "without an outline"
                skipped[kind] = skipped.get(kind, 0) + 1
            else:
                shapes.append(Shape(_text(thing, "name"), (_ring(outline),)))
                boxes += _text(thing, "type") == "bounding_box"
    except DatasetError as error:
        raise broken(file, error) from error
    return shapes, Record(file.stem, file, lambda _: shapes, size, len(shapes), boxes, skipped)


def _size(root: Element) -> tuple[int, int] | None:
    """(height, width), where a file states it; many state 0."""
    for height, width in _SIZES:
        stated = [_number(text) for text in (_text(root, height), _text(root, width)) if text]
        if len(stated) == 2 and all(stated):
            return check_size(int(stated[0]), int(stated[1]))
    return None


def _boxed(bounds: Element) -> np.ndarray:
    """The corners of a box, whose pixels count from 1, the last included."""
    left, top, right, bottom = (_number(_text(bounds, name)) for name in ("xmin", "ymin", "xmax", "ymax"))
    return box(left - 1, top - 1, right, bottom)


def _ring(outline: Element) -> np.ndarray:
    """The corners of `pt` elements (MIT), or of x1, y1, x2, ... (Roboflow)."""
    points = [(_text(point, "x"), _text(point, "y")) for point in outline.iter("pt")]
    if not points:
        numbered = [(match, child) for child in outline if (match := _NUMBERED.fullmatch(child.tag))]
        axes = {axis: {int(m[2]): child.text or "" for m, child in numbered if m[1] == axis} for axis in "xy"}
        if axes["x"].keys() != axes["y"].keys():
            raise DatasetError("a polygon does not have as many x as y")
        points = [(axes["x"][number], axes["y"][number]) for number in sorted(axes["x"])]
    return np.array([(_number(x), _number(y)) for x, y in points], np.float64).reshape(-1, 2)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < FARTHEST:  # false for NaN too
        raise DatasetError(f"{text[:40]!r} is not a coordinate or a size")
    return number


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
