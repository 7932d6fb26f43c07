"""COCO JSON: the annotations of many photos in one file, as most labelling tools write them.

Published COCO with VOC's classes is read in `data.coco`, which follows torchvision's protocol; here are everybody's
own files: any categories, polygons and run lengths, and panoptic files with their PNGs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from segcli.data.forms import coco_panoptic, coco_rle, raster
from segcli.data.forms.annotations import Annotations, Record, broken, check_size
from segcli.data.forms.bitmaps import bounded
from segcli.data.forms.coco_panoptic import Segment
from segcli.data.forms.documents import names_in_order, read_json
from segcli.data.forms.shapes import Shape, is_box
from segcli.errors import DatasetError
from segcli.files.paths import shown
from segcli.images.polygons import UNCORRECTED

_Id = int | str


class _Image(msgspec.Struct):
    id: _Id
    file_name: str = ""
    width: int | None = None
    height: int | None = None


class _Category(msgspec.Struct):
    id: _Id
    name: str | int
    supercategory: Any = None


class _Runs(msgspec.Struct):
    size: tuple[int, int]
    counts: str | list[int]


class _Annotation(msgspec.Struct):
    """One object; in panoptic files all segments of a photo."""

    image_id: _Id
    id: Any = None
    category_id: _Id | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")  # as text, which takes a tenth of the memory of numbers
    bbox: Any = None
    file_name: str = ""
    segments_info: list[Segment] | None = None


class _Document(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category] = []
    info: Any = None


_Outline = msgspec.json.Decoder(_Runs | list[list[float] | float] | None, strict=False)


@dataclass(frozen=True)
class _Object:
    """One annotation: its class, and its outline as the file has it."""

    name: str
    number: Any
    outline: msgspec.Raw


@dataclass(frozen=True)
class _File:
    """A file's content with its categories by id."""

    path: Path
    document: _Document
    names: dict[str, str]
    fill_boxes: bool = False

    @property
    def corrected(self) -> bool:
        info = self.document.info
        return not (isinstance(info, dict) and UNCORRECTED.items() <= info.items())


def load(files: Sequence[Path], fill_boxes: bool = False) -> Annotations:
    """The annotations of COCO files; classes of one name are one class, whatever number each file gives it.

    Polygons of one annotation are a union. Of annotations that overlap the smaller lies on top, since the form knows
    no order. `iscrowd` changes nothing: a crowd consists of pixels of its class.

    Args:
        files: The files.
        fill_boxes: Draw the boxes of annotations without an outline.

    Raises:
        DatasetError: A file cannot be read, or names images, categories or segments that it does not list.
    """
    notes: list[str] = []
    found = [replace(_read(path), fill_boxes=fill_boxes) for path in files]
    found = [file for file in found if not _is_captions(file, notes)]
    if not found:
        raise DatasetError("the COCO files hold captions only, no shapes", "Give the file with the segmentations.")
    unused = _names_of_sets(found, notes)
    records = [record for file in found for record in _records(file, notes)]
    names = names_in_order([name for file in found for name in file.names.values() if name not in unused], [])
    if any(_is_panoptic(file) for file in found):
        names = names_in_order(names, [coco_panoptic.UNLABELLED])
        notes.append("pixels that belong to no segment are void")
    return Annotations(names, tuple(records), "area", tuple(notes))


def _read(path: Path) -> _File:
    document = read_json(path, _Document)
    names: dict[str, str] = {}
    for category in document.categories:
        name = str(category.name).strip()
        if names.setdefault(str(category.id), name) != name:
            raise broken(path, f"two categories have the id {category.id}", "Give each category its own id.")
    return _File(path, document, names)


def _is_captions(file: _File, notes: list[str]) -> bool:
    """Whether a file describes photos in words, as COCO's `captions_*.json`, which needs no reading."""
    annotations = file.document.annotations
    if file.names or not annotations or any(entry.category_id is not None for entry in annotations):
        return False
    notes.append(f"{shown(file.path.name)} has no categories and is left out")
    return True


def _is_panoptic(file: _File) -> bool:
    return any(entry.segments_info is not None for entry in file.document.annotations)


def _names_of_sets(files: Sequence[_File], notes: list[str]) -> set[str]:
    """The categories that name a whole set, as Roboflow adds one: all others are below it, and no annotation has it."""
    used = {file.names.get(str(entry.category_id)) for file in files for entry in file.document.annotations}
    found = set()
    for file in files:
        categories = file.document.categories
        above = {str(category.supercategory) for category in categories[1:]}
        if len(categories) > 1 and above == {name := str(categories[0].name).strip()} and name not in used | found:
            found.add(name)
            notes.append(f"the category {name!r} is the name of the data set, not of a class, and is left out")
    return found


def _records(file: _File, notes: list[str]) -> Iterator[Record]:
    """One record for each image that a file lists."""
    images = {str(image.id): image for image in file.document.images}
    if len(images) < len(file.document.images):
        raise broken(file.path, "two images have the same id", "Merge data sets with a tool that gives new ids.")
    found: dict[str, list[_Annotation]] = defaultdict(list)
    for entry in file.document.annotations:
        found[str(entry.image_id)].append(entry)
    if strays := sum(len(entries) for image, entries in found.items() if image not in images):
        notes.append(f"annotations of images that {shown(file.path.name)} does not list are left out: {strays}")
    for key, image in images.items():
        try:
            yield _record(file, image, found.get(key, []))
        except DatasetError as error:
            raise broken(file.path, error) from error


def _record(file: _File, image: _Image, entries: Sequence[_Annotation]) -> Record:
    photo = image.file_name.replace("\\", "/") or str(image.id)
    size = None if image.height is None or image.width is None else check_size(image.height, image.width)
    if any(entry.segments_info is not None for entry in entries):
        segments = [(segment, _name(file, segment.category_id, photo)) for segment in _segments(entries)]
        shapes = coco_panoptic.drawing(file.path, entries[0].file_name or photo, segments)
        return Record(photo, file.path, shapes, size, len(segments), 0, {}, file.corrected)
    objects, boxes, skipped = [], 0, defaultdict(int)
    for entry in entries:
        name = _name(file, entry.category_id, entry.id)
        runs, loops = _outline(entry.segmentation, entry.id)
        if runs is None and not loops and entry.bbox and file.fill_boxes:
            entry.segmentation = _boxed(entry)
            runs, loops = _outline(entry.segmentation, entry.id)
        if runs is None and not loops:
            skipped["box" if entry.bbox else "annotation without an outline"] += 1
            continue
        objects.append(_Object(name, entry.id, entry.segmentation))
        boxes += len(loops) == 1 and len(loops[0]) <= 10 and is_box(_ring(loops[0]))
    return Record(photo, file.path, _drawing(objects), size, len(objects), boxes, dict(skipped), file.corrected)


def _boxed(entry: _Annotation) -> msgspec.Raw:
    """The box of an annotation as a polygon."""
    try:
        x, y, width, height = map(float, entry.bbox)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"annotation {entry.id} has no box of x, y, width and height") from error
    return msgspec.Raw(msgspec.json.encode([[x, y, x + width, y, x + width, y + height, x, y + height]]))


def _segments(entries: Iterable[_Annotation]) -> list[Segment]:
    return [segment for entry in entries for segment in entry.segments_info or ()]


def _name(file: _File, category: _Id | None, place: Any) -> str:
    try:
        return file.names[str(category)]
    except KeyError:
        message = f"annotation {place} has the category {category}, which the file does not list"
        raise DatasetError(message, "Export it again, with all categories.") from None


def _drawing(objects: Sequence[_Object]) -> Callable[[tuple[int, int]], Sequence[Shape]]:
    return lambda size: bounded(_shape(entry, *size) for entry in objects)


def _shape(entry: _Object, height: int, width: int) -> Shape:
    """The region of an annotation in a photo of that size."""
    runs, loops = _outline(entry.outline, entry.number)
    if runs is not None:
        if runs.size != (height, width):
            stated = f"{runs.size[1]} x {runs.size[0]}"
            message = f"annotation {entry.number} has a mask of {stated} pixels, but its photo is {width} x {height}"
            raise DatasetError(message, "Export it again with the photos that were labelled.")
        bitmap, origin = coco_rle.decode(runs.counts, height, width)
        return Shape(entry.name, bitmap=bitmap, origin=origin)
    if len(loops) == 1:
        return Shape(entry.name, (_ring(loops[0]),))
    bitmap, origin = _union(loops, height, width)
    return Shape(entry.name, bitmap=bitmap, origin=origin)


def _union(loops: Sequence[list[float]], height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The pixels inside any of the polygons, where even-odd would cut out what two of them share."""
    canvas = np.zeros((height, width), bool)
    bounds = []
    for loop in loops:
        part, (row, column) = raster.fill([_ring(loop)], height, width)
        if part.size:
            canvas[row : row + part.shape[0], column : column + part.shape[1]] |= part
            bounds.append((row, column, row + part.shape[0], column + part.shape[1]))
    if not bounds:
        return np.zeros((0, 0), bool), (0, 0)
    tops, lefts, bottoms, rights = zip(*bounds, strict=True)
    return canvas[min(tops) : max(bottoms), min(lefts) : max(rights)].copy(), (min(tops), min(lefts))


def _outline(raw: msgspec.Raw, place: Any) -> tuple[_Runs | None, list[list[float]]]:
    """The run lengths of an annotation, or its polygons of three points or more, x and y in turn."""
    try:
        outline = _Outline.decode(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:  # the last for text that is no UTF-8
        raise DatasetError(f"the segmentation of annotation {place} cannot be read: {error}") from error
    if isinstance(outline, _Runs):
        return outline, []
    loops = _loops(outline or [])
    if any(len(loop) % 2 for loop in loops):
        raise DatasetError(f"a polygon of annotation {place} is not a list x, y, x, y, ...")
    return None, [loop for loop in loops if len(loop) >= 6]


def _loops(polygons: list[list[float] | float]) -> list[list[float]]:
    """The polygons, also where a sole one is not in a list of its own, or where each of its points is."""
    if all(isinstance(polygon, list) for polygon in polygons):
        points = len(polygons) > 2 and all(len(polygon) == 2 for polygon in polygons)
        return [list(chain.from_iterable(polygons))] if points else polygons
    return [polygons if all(isinstance(value, float) for value in polygons) else [0.0]]


def _ring(loop: list[float]) -> np.ndarray:
    """The points of a polygon, float64 (n, 2)."""
    return np.array(loop).reshape(-1, 2)
