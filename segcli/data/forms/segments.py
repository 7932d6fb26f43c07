"""Segments.ai: a release file of many photos, with the numbers of objects in pictures beside it."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np

from segcli.data.forms.annotations import Annotations, Record, broken
from segcli.data.forms.bitmaps import bounded
from segcli.data.forms.documents import names_in_order, read_json
from segcli.data.forms.shapes import Shape, box
from segcli.errors import DatasetError, InputError
from segcli.images.opening import opened

LABEL_SET = "ground-truth"
"""The name of the labels that are corrected, where a release has several kinds."""
LEFT_OUT = ("SKIPPED", "REJECTED", "UNLABELED")
"""The states of photos whose labels do not count."""
PREDICTED = "PRELABELED"
"""The state of photos that nobody has looked at yet."""

_VECTORS = ("polygon", "bbox")


class _Category(msgspec.Struct):
    name: str
    id: int


class _TaskAttributes(msgspec.Struct):
    categories: list[_Category] = []


class _Object(msgspec.Struct):
    id: int
    category_id: int
    type: str = ""
    points: list[list[float]] = []


class _Bitmap(msgspec.Struct):
    url: str | None = None


class _Attributes(msgspec.Struct):
    annotations: list[_Object] | None = None
    segmentation_bitmap: _Bitmap | None = None


class _Label(_Attributes):
    label_status: str = ""
    attributes: _Attributes | None = None
    label: _Attributes | None = None

    def content(self) -> _Attributes:
        """The objects, which releases keep in `attributes`, in `label`, or here."""
        return self.attributes or self.label or self


class _Sample(msgspec.Struct):
    name: str
    labels: dict[str, _Label | None] | None = None


class _Dataset(msgspec.Struct):
    samples: list[_Sample]
    task_attributes: _TaskAttributes = msgspec.field(default_factory=_TaskAttributes)
    task_type: Any = None


class _Release(msgspec.Struct):
    dataset: _Dataset


@dataclass(frozen=True)
class _Place:
    """Where one photo's labels are: the release, its category names, the PNG files below it, and the label set."""

    file: Path
    names: Mapping[int, str]
    pictures: Mapping[str, Sequence[Path]]
    label_set: str


def load(files: Sequence[Path]) -> Annotations:
    """The labels of releases; their pictures are looked for by name below the release, and never fetched.

    Photos that were skipped or rejected are left out; those with predictions only are marked as such.

    Raises:
        DatasetError: A file is no release, or two categories have one number.
    """
    names: list[str] = []
    records: list[Record] = []
    left_out = 0
    for file in files:
        dataset = read_json(file, _Release).dataset
        pictures = _pictures(file.parent)
        listed = _names(file, dataset.task_attributes.categories)
        names += listed.values()
        for sample in dataset.samples:
            label_set, label = _chosen(sample)
            if label is None or label.label_status in LEFT_OUT:
                left_out += label is not None
                continue
            records.append(_record(sample, label, _Place(file, listed, pictures, label_set)))
    notes = (f"{left_out} photos are left out, because their labels were skipped or rejected",) if left_out else ()
    return Annotations(names_in_order(names, []), tuple(records), "list", notes)


def _names(file: Path, categories: Sequence[_Category]) -> dict[int, str]:
    names = {category.id: category.name.strip() for category in categories}
    if len(names) < len(categories):
        raise broken(file, DatasetError("two of its categories have the same number"))
    return names


def _chosen(sample: _Sample) -> tuple[str, _Label | None]:
    """The label set that counts, and its labels of a photo."""
    labels = {name: label for name, label in (sample.labels or {}).items() if label is not None}
    name = LABEL_SET if LABEL_SET in labels else next(iter(labels), "")
    return name, labels.get(name)


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """The PNG files below a folder, by name."""
    found: dict[str, list[Path]] = defaultdict(list)
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in files:
            if name.lower().endswith(".png"):
                found[name].append(Path(place, name))
    return found


def _record(sample: _Sample, label: _Label, place: _Place) -> Record:
    content = label.content()
    objects = content.annotations or []
    in_bitmap = content.segmentation_bitmap is not None and bool(content.segmentation_bitmap.url)
    drawn = [thing for thing in objects if in_bitmap or thing.type in _VECTORS]
    skipped = {} if in_bitmap else Counter(t.type or "without a shape" for t in objects if t.type not in _VECTORS)

    def shapes(size: tuple[int, int]) -> Sequence[Shape]:
        try:
            if not in_bitmap:
                return list(_vectors(drawn, place))
            return bounded(_masks(objects, _find(content.segmentation_bitmap.url, sample, place), size, place))
        except DatasetError as error:
            raise broken(place.file, error) from error

    boxes = sum(not in_bitmap and thing.type == "bbox" for thing in drawn)
    corrected = label.label_status != PREDICTED
    photo = sample.name.replace("\\", "/")
    return Record(photo, place.file, shapes, None, len(drawn), boxes, skipped, corrected)


def _find(url: str, sample: _Sample, place: _Place) -> Path:
    """The picture of a photo's objects: called as its URL ends, or as Segments.ai's own package keeps it."""
    parts = PurePosixPath(unquote(urlsplit(url).path).replace("\\", "/")).parts
    kept = f"{PurePosixPath(sample.name).stem}_label_{place.label_set}.png"
    called = place.pictures.get(parts[-1] if parts else "") or place.pictures.get(kept)
    if not called:
        message = f"the bitmap of {sample.name!r} is missing: {parts[-1] if parts else kept}"
        raise DatasetError(message, "Download the bitmaps of the release into its folder.")
    # A photo may be called like its bitmap; then the folder tells, which the URL may name too.
    return max(called, key=lambda path: (_common_end(path.parts, parts), "label" in str(path.parent).lower()))


def _common_end(parts: Sequence[str], others: Sequence[str]) -> int:
    """The number of parts at the end that two paths share."""
    pairs = zip(reversed(parts), reversed(others), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _masks(objects: Sequence[_Object], path: Path, size: tuple[int, int], place: _Place) -> Iterator[Shape]:
    """The masks of one photo, one of each class; pixels of objects that are not listed belong to none."""
    numbers = _numbers(path, size)
    of_category: dict[int, list[int]] = defaultdict(list)
    for thing in objects:
        of_category[thing.category_id].append(thing.id)
    for category, ids in of_category.items():
        inside = np.isin(numbers, ids)
        rows, columns = inside.any(1).nonzero()[0], inside.any(0).nonzero()[0]
        if len(rows):
            cut = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
            yield Shape(_name(category, place), bitmap=cut, origin=(int(rows[0]), int(columns[0])))


def _numbers(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The number of the object at each pixel, uint32 (H, W)."""
    try:
        with opened(path) as (image, _):
            if image.size != (size[1], size[0]):
                message = (
                    f"{path.name} has {image.width} x {image.height} pixels, but its photo is {size[1]} x {size[0]}"
                )
                raise InputError(message, "Use the bitmap and the photo of the same release.")  # told as it is
            image.load()
            pixels = np.array(image)
    except InputError as error:
        raise DatasetError(error.message, error.hint) from error
    if pixels.ndim == 2:
        return pixels.astype(np.uint32)
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    return red | green << 8 | blue << 16  # alpha only makes objects visible


def _vectors(objects: Sequence[_Object], place: _Place) -> Iterator[Shape]:
    """The outlines and boxes of one photo."""
    for thing in objects:
        points = thing.points
        if any(len(point) != 2 for point in points) or (thing.type == "bbox" and len(points) != 2):
            raise DatasetError(f"the points of object {thing.id} do not fit its type")
        ring = box(*points[0], *points[1]) if thing.type == "bbox" else np.array(points, np.float64).reshape(-1, 2)
        yield Shape(_name(thing.category_id, place), (ring,))


def _name(category: int, place: _Place) -> str:
    if category not in place.names:
        raise DatasetError(f"an object has the category {category}, which the release does not list")
    return place.names[category]
