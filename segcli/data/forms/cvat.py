"""CVAT: "CVAT for images 1.1", read, and written with predictions for people to correct.

CVAT marks each shape with where it came from. "auto" was made by a model, and becomes "semi-auto" when a person
changes it; "manual" was drawn. Whatever is imported becomes "file", and "manual" when it is changed; so a prediction
that went into CVAT and out again untouched is "file", as are labels that people drew with another tool.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from segcli.data.forms import bitmaps, shapes
from segcli.data.forms.annotations import Annotations, Record, broken, check_size
from segcli.data.forms.documents import names_in_order, read_xml
from segcli.data.forms.raster import FARTHEST
from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError
from segcli.files.paths import shown
from segcli.images import regions
from segcli.images.polygons import UNCORRECTED
from segcli.labels import LabelSet

UNTOUCHED = {"auto", "file"}
"""The sources of shapes that nobody has drawn or changed in CVAT."""
MARK = "segcli"
"""The element that segcli's own files have in their `meta`: CVAT drops it, so that a file with it was never there."""
IMAGES = 'Export the task again as "CVAT for images 1.1".'

_SKIPPED = {"polyline": "line", "points": "point", "tag": "tag", "skeleton": "skeleton", "cuboid": "cuboid"}
"""Element -> what to call it where it is left out."""


def load(files: Sequence[Path]) -> Annotations:
    """The shapes of CVAT's XML files; the layer (`z_order`) decides which lies on top, then the order of the file.

    Raises:
        DatasetError: A file is no export of images: it is damaged, or was exported for video.
    """
    roots = [_root(file) for file in files]
    images = [(file, name, image) for file, root in zip(files, roots, strict=True) for name, image in _named(root)]
    sources = set().union(*(_sources(image) for _, _, image in images))
    guessed = {file for file, root in zip(files, roots, strict=True) if root.find(f"meta/{MARK}") is not None}
    records = [
        _record(file, name, image, guessed=file in guessed, imported_only=sources == {"file"})
        for file, name, image in images
    ]
    listed = [name for root in roots for name in _listed(root)]
    used = [shape.get("label") for _, _, image in images for shape in image if shape.tag in _READERS]
    used = [name for name in used if name]
    return Annotations(names_in_order(listed, used), tuple(records), notes=tuple(_notes(records, images, sources)))


def _root(file: Path) -> Element:
    root = read_xml(file)
    if root.find("track") is not None:
        raise DatasetError(f"{shown(file)} was exported for video, as tracks through its frames", IMAGES)
    if root.tag != "annotations" or root.find("image") is None:
        raise DatasetError(f"{shown(file)} lists no image", IMAGES)
    for image in root.iterfind("image"):
        try:
            _size(image)
        except DatasetError as error:
            raise broken(file, error, IMAGES) from error
    names = Counter(name for name, _ in _named(root))
    name, count = names.most_common(1)[0]
    if count > 1:
        raise DatasetError(f"{shown(file)} lists {count} images called {name!r}", "Export the tasks one by one.")
    return root


def _named(root: Element) -> Iterator[tuple[str, Element]]:
    """The images with their names; a project's subsets are folders where tasks have images of the same name."""
    images = root.findall("image")
    names = Counter(image.get("name", "") for image in images)
    for image in images:
        name, subset = image.get("name", ""), image.get("subset")
        yield (f"{subset}/{name}" if subset and names[name] > 1 else name).replace("\\", "/"), image


def _size(image: Element) -> tuple[int, int] | None:
    """(height, width) of an image; None where it is not stated, as in files of CVAT's first years."""
    if not image.get("name"):
        raise DatasetError("an image has no name")
    if image.get("width") is None and image.get("height") is None:
        return None
    try:
        return check_size(_whole(image, "height"), _whole(image, "width"))
    except DatasetError as error:
        raise DatasetError(f"{shown(image.get('name', ''))}: {error.message}", error.hint) from error


def _listed(root: Element) -> Iterator[str]:
    """The labels of the task, project or job that can have pixels; a skeleton's points, which have a parent, cannot."""
    for label in root.iterfind("meta//label"):
        name, kind = label.findtext("name"), label.findtext("type")
        if name and kind not in _SKIPPED and label.find("parent") is None:
            yield name


def _sources(image: Element) -> set[str]:
    """Where the shapes of an image came from; files of CVAT's first years do not say, and know no predictions."""
    return {shape.get("source", "manual") for shape in image if shape.tag in _READERS or shape.tag in _SKIPPED}


def _record(file: Path, name: str, image: Element, *, guessed: bool, imported_only: bool) -> Record:
    drawn = [shape for shape in image if shape.tag in _READERS]
    skipped = Counter(_SKIPPED[shape.tag] for shape in image if shape.tag in _SKIPPED)
    boxes = sum(shape.tag == "box" and shape.get("rotation", "0").strip("0.") == "" for shape in drawn)
    sources = _sources(image)
    corrected = not sources <= UNTOUCHED or (not guessed and (imported_only or not sources))

    def read(size: tuple[int, int]) -> list[Shape]:
        try:
            return bitmaps.bounded(map(_shape, drawn))
        except DatasetError as error:
            raise DatasetError(f"{shown(name)}: {error.message}", error.hint or IMAGES) from error

    return Record(name, file, read, _size(image), len(drawn), boxes, skipped, corrected)


def _notes(records: Sequence[Record], images: Sequence[tuple[Path, str, Element]], sources: set[str]) -> Iterator[str]:
    untouched = 'were imported into CVAT (source="file") and never changed there'
    if sources == {"file"}:
        yield f"all shapes {untouched}; they are taken as labels that people drew with another tool"
    elif imported := sum("file" in _sources(image) for _, _, image in images if _sources(image) <= UNTOUCHED):
        yield f"{imported} photos have only shapes that {untouched}; they count as predictions"
    counts = Counter(record.photo for record in records if record.drawn)
    if several := sum(count > 1 for count in counts.values()):
        yield f"{several} photos have shapes in several files, which are drawn together"


def _shape(element: Element) -> Shape:
    name = element.get("label")
    if not name:
        raise DatasetError(f"<{element.tag}> has no label")
    layer = _whole(element, "z_order") if element.get("z_order") else 0
    return _READERS[element.tag](element, name, layer)


def _polygon(element: Element, name: str, layer: int) -> Shape:
    try:
        points = np.array([pair.split(",") for pair in _text(element, "points").split(";")], np.float64)
    except ValueError:
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise DatasetError("<polygon> has points that are not pairs of numbers")
    if not np.all(np.abs(points) <= FARTHEST):  # false for NaN too
        raise DatasetError("<polygon> has a point outside any photo")
    return Shape(name, (points,), z=layer)


def _box(element: Element, name: str, layer: int) -> Shape:
    x0, y0, x1, y1 = (_number(element, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    degrees = _number(element, "rotation", 0)
    return Shape(name, (shapes.turned(shapes.box(x0, y0, x1, y1), ((x0 + x1) / 2, (y0 + y1) / 2), degrees),), z=layer)


def _ellipse(element: Element, name: str, layer: int) -> Shape:
    numbers = (_number(element, key) for key in ("cx", "cy", "rx", "ry"))
    return Shape(name, (shapes.ellipse(*numbers, _number(element, "rotation", 0)),), z=layer)


def _mask(element: Element, name: str, layer: int) -> Shape:
    """The runs go row by row through the mask's box, empty ones first; those of the API end with the box's corners."""
    left, top, width, height = (_whole(element, key) for key in ("left", "top", "width", "height"))
    try:
        counts = [int(count) for count in _text(element, "rle").split(",")]
    except ValueError:
        raise DatasetError("<mask> has runs that are not whole numbers") from None
    if counts[-4:] == [left, top, left + width - 1, top + height - 1] and sum(counts[:-4]) == width * height:
        del counts[-4:]
    bitmap, (row, column) = bitmaps.from_counts(counts, height, width)
    return Shape(name, bitmap=bitmap, origin=(top + row, left + column), z=layer)


_READERS: dict[str, Callable[[Element, str, int], Shape]] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}
"""Element -> what makes a shape of it, its label and its layer."""


def _text(element: Element, key: str) -> str:
    text = element.get(key)
    if text is None:
        raise DatasetError(f"<{element.tag}> has no {key}")
    return text


def _number(element: Element, key: str, otherwise: float | None = None) -> float:
    if otherwise is not None and element.get(key) is None:
        return otherwise
    try:
        value = float(_text(element, key))
    except ValueError:
        value = np.inf
    if not abs(value) <= FARTHEST:  # false for NaN too
        raise DatasetError(f"<{element.tag}> has the {key} {_text(element, key)[:40]!r}")
    return value


def _whole(element: Element, key: str) -> int:
    value = _number(element, key)
    if value != int(value):
        raise DatasetError(f"<{element.tag}> has the {key} {_text(element, key)[:40]!r}, which is not a whole number")
    return int(value)


def document(images: Iterable[str], labels: LabelSet) -> Iterator[str]:
    """The pieces of an XML file that CVAT imports as "CVAT 1.1", into a task with these labels and photos.

    Args:
        images: What `image` made for each photo.
        labels: Names and colours; background and void are no labels of CVAT's.
    """
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
    yield f"<meta><{MARK}>{UNCORRECTED['segcli']}</{MARK}><task><labels>\n"
    for label, name in shapes.foreground(labels).items():
        text = f"<name>{escape(_printable(name))}</name><color>#{bytes(labels.palette[label]).hex()}</color>"
        yield f"<label>{text}<type>any</type><attributes></attributes></label>\n"
    yield "</labels></task></meta>\n"
    for element in images:
        yield element + "\n"
    yield "</annotations>\n"


def image(number: int, name: str, label_map: np.ndarray, labels: LabelSet) -> str:
    """The `<image>` of one photo, with a `<mask source="auto">` for each connected region that is not background.

    Args:
        number: The image's place in the file, from 0 on.
        name: The photo's path as CVAT knows it, with "/".
        label_map: uint8 or uint16 (H, W) of class ids.
        labels: Their names.
    """
    height, width = label_map.shape
    head = f'<image id="{number}" name={quoteattr(_printable(name))} width="{width}" height="{height}">'
    return "\n".join([head, *_masks(label_map, labels), "</image>"])


def _masks(label_map: np.ndarray, labels: LabelSet) -> Iterator[str]:
    names = shapes.foreground(labels)
    runs = regions.connected(label_map)
    chosen = np.flatnonzero(np.isin(runs.values, list(names)))
    chosen = chosen[np.lexsort((runs.region[chosen], runs.values[chosen]))]  # stable: runs stay in the picture's order
    for part in np.split(chosen, np.flatnonzero(np.diff(runs.region[chosen])) + 1):
        if len(part):
            label = quoteattr(_printable(names[int(runs.values[part[0]])]))
            box = _packed(*np.divmod(runs.starts[part], label_map.shape[1]), runs.lengths[part])
            yield f'<mask label={label} source="auto" occluded="0" {box} z_order="0"></mask>'


def _packed(rows: np.ndarray, columns: np.ndarray, lengths: np.ndarray) -> str:
    """The attributes that say where a mask is, from the rows, first columns and lengths of its runs."""
    top, left = rows[0], columns.min()
    height, width = rows[-1] + 1 - top, (columns + lengths).max() - left
    starts = (rows - top) * width + columns - left
    ends = starts + lengths
    apart = starts[1:] != ends[:-1]  # else a run goes on in the next row
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    counts = np.diff(np.stack([starts, ends], 1).ravel(), prepend=0, append=height * width).tolist()
    rle = ", ".join(map(str, counts if counts[-1] else counts[:-1]))
    return f'rle="{rle}" left="{left}" top="{top}" width="{width}" height="{height}"'


def _printable(text: str) -> str:
    """Text with a mark in place of what XML cannot hold, such as control characters."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "\ufffd"
        for c in text
    )
