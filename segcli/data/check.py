"""Checks of a whole dataset before hours are spent on it: what is wrong with which file."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from segcli.data.dataset import Dataset, Sample, count_ids, map_ids
from segcli.errors import DatasetError, InputError
from segcli.files.atomic import sha256
from segcli.files.paths import shown
from segcli.images import read

FETCH_AGAIN = "Fetch or export it again."
Kind = Literal["missing", "stray", "photo", "label", "size", "ids", "duplicate"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a dataset.

    Attributes:
        kind: "missing": the photo or the label is not there; "stray": a label without a photo; "photo", "label": the
            file cannot be used (damaged, colours instead of ids, JPEG); "size": photo and label differ; "ids": the
            label holds ids that are no class; "duplicate": the same photo stands in the dataset twice.
        sample: The sample's name; empty for a stray.
        file: The file to mend.
        detail: What is wrong with it, naming it.
        hint: What to do next.
    """

    kind: Kind
    sample: str
    file: Path
    detail: str
    hint: str


@dataclass
class Census:
    """A count of the classes in the labels that were read.

    Attributes:
        classes: The number of classes, K.
        pixels: int64 (K + 1), the pixels of each class; the last entry is void.
        images: int64 (K + 1), the labels in which each class occurs at all; the last entry is void.
        labels: The number of labels that were counted.
    """

    classes: int
    pixels: np.ndarray = field(init=False)
    images: np.ndarray = field(init=False)
    labels: int = 0

    def __post_init__(self) -> None:
        self.pixels, self.images = np.zeros((2, self.classes + 1), np.int64)

    def add(self, label: np.ndarray) -> None:
        """Count the ids (H, W), 0..K-1 or VOID, of one label."""
        counts = np.bincount(np.minimum(label, self.classes).ravel(), minlength=self.classes + 1)
        self.pixels += counts
        self.images += counts > 0
        self.labels += 1


def check(
    dataset: Dataset, census: Census | None = None, seen: dict[str, str] | None = None
) -> Iterator[tuple[Sample | None, tuple[Problem, ...]]]:
    """Read every photo and every label once, and yield each sample with what is wrong with it.

    Last of all come the labels without a photo, with None for the sample.

    Args:
        dataset: The dataset to read.
        census: The count that the labels are added to; illegal ids count as void.
        seen: SHA-256 -> name, of photos in splits that were checked before; give the same dict for all splits to find
            photos that stand in two of them.
    """
    seen = {} if seen is None else seen
    for sample in dataset.samples:
        yield sample, tuple(_sample_problems(dataset, sample, census, seen))
    strays = tuple(
        Problem("stray", "", path, f"{shown(path)} has no photo", "Add the photo or remove the label.")
        for path in dataset.strays
    )
    if strays:
        yield None, strays


def _sample_problems(
    dataset: Dataset, sample: Sample, census: Census | None, seen: dict[str, str]
) -> Iterator[Problem]:
    photo_size = yield from _photo_problems(dataset, sample, seen)
    if sample.label is None:
        return
    label = yield from _label_problems(dataset, sample)
    if label is None:
        return
    if photo_size is not None and label.shape != photo_size:
        yield _size_problem(sample, photo_size, label.shape)
    if census is not None:
        census.add(label)


def _photo_problems(
    dataset: Dataset, sample: Sample, seen: dict[str, str]
) -> Generator[Problem, None, tuple[int, int] | None]:
    """Yield what is wrong with the photo; return its (height, width), upright, if it can be read."""
    path = sample.image
    if not path.is_file():
        hint = "Add the photo, or take it off the list."
        yield Problem("missing", sample.name, path, f"{shown(path)} is not there", hint)
        return None
    yield from _duplicates(dataset, sample, seen)
    try:
        return read.read_rgb(path).shape[:2]
    except InputError as error:
        yield Problem("photo", sample.name, path, error.message, error.hint or FETCH_AGAIN)
        return None


def _label_problems(dataset: Dataset, sample: Sample) -> Generator[Problem, None, np.ndarray | None]:
    """Yield what is wrong with the label; return it as classes (H, W), illegal ids as void, if it can be read."""
    path = sample.label
    if not path.is_file():
        hint = f"Add the label of {shown(sample.image.name)}."
        yield Problem("missing", sample.name, path, f"{shown(path)} is not there", hint)
        return None
    try:
        label, illegal = map_ids(dataset.read_ids(sample), dataset.ids)
    except (InputError, DatasetError) as error:
        yield Problem("label", sample.name, path, error.message, error.hint or FETCH_AGAIN)
        return None
    if illegal:
        yield Problem("ids", sample.name, path, f"{shown(path)} holds {count_ids(illegal)}", dataset.legal_ids())
    return label


def _duplicates(dataset: Dataset, sample: Sample, seen: dict[str, str]) -> Iterator[Problem]:
    try:
        content = sha256(sample.image)
    except (OSError, InputError):
        return  # reading it says why
    place = f"{dataset.split}/{sample.name}"
    first = seen.setdefault(content, place)
    if first != place:
        detail = f"{shown(sample.image)} has the same content as {first}"
        hint = "A photo that a network was trained on must not score it: keep one of the two."
        yield Problem("duplicate", sample.name, sample.image, detail, hint)


def _size_problem(sample: Sample, photo: tuple[int, ...], label: tuple[int, ...]) -> Problem:
    detail = f"{shown(sample.label)} is {label[1]} x {label[0]} pixels, its photo {photo[1]} x {photo[0]}"
    hint = "Export it again at the photo's size; where ids must be resized, take the nearest neighbour."
    if photo == label[::-1]:
        hint = "Perhaps the photo's EXIF data turn it upright and the label was drawn on the photo as it is stored."
    return Problem("size", sample.name, sample.label, detail, hint)
