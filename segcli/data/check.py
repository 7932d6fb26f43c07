"""Checks of a whole dataset before hours are spent on it: what is wrong with which file."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from segcli.data.census import Census
from segcli.data.dataset import Dataset, Sample, map_ids
from segcli.data.doubts import Doubts
from segcli.errors import DatasetError, InputError
from segcli.files.atomic import sha256
from segcli.files.paths import shown
from segcli.images.photo import Photo
from segcli.labels import VOID

TURNED = "Perhaps the label was drawn on the photo before its EXIF data turned it upright: then turn the label too."
FETCH_AGAIN = "Fetch or export it again."
Kind = Literal["empty", "missing", "stray", "photo", "label", "size", "ids", "duplicate"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a dataset.

    Attributes:
        kind: "empty": there is no photo at all; "missing": the photo or the label is not there; "stray": a label
            without a photo; "photo", "label": the file cannot be used (damaged, no mask of that form); "size": photo
            and label differ; "ids": the label holds ids that are no class; "duplicate": the same photo stands in the
            dataset twice.
        sample: The sample's name; empty for a stray and an empty dataset.
        file: The file to mend.
        detail: What is wrong with it, naming it.
        hint: What to do next.
    """

    kind: Kind
    sample: str
    file: Path
    detail: str
    hint: str


def check(
    dataset: Dataset, census: Census | None = None, seen: dict[str, str] | None = None, doubts: Doubts | None = None
) -> Iterator[tuple[Sample | None, tuple[Problem, ...]]]:
    """Read every photo and every label once, and yield each sample with what is wrong with it.

    Last of all come the labels without a photo, and that there is no sample at all, with None for the sample.

    Args:
        dataset: The dataset to read.
        census: The count that the labels are added to; illegal ids count as void, as do pixels without data.
        seen: SHA-256 -> name, of photos in splits that were checked before; give the same dict for all splits to find
            photos that stand in two of them.
        doubts: Gathers what is doubtful about the labels; give the same for all splits.
    """
    seen = {} if seen is None else seen
    for sample in dataset.samples:
        yield sample, tuple(_sample_problems(dataset, sample, census, seen, doubts))
    strays = tuple(
        Problem("stray", "", path, f"{shown(path)} has no photo", "Add the photo or remove the label.")
        for path in dataset.strays
    )
    if others := (*_emptiness(dataset), *strays):
        yield None, others


def _emptiness(dataset: Dataset) -> Iterator[Problem]:
    if not dataset.samples:
        folder = next((path.parent for path in dataset.strays), Path())
        detail = f"{dataset.name} {shown(dataset.split)} has no photo with a label"
        yield Problem("empty", "", folder, detail, "Photos and labels are matched by their names.")


def _sample_problems(
    dataset: Dataset, sample: Sample, census: Census | None, seen: dict[str, str], doubts: Doubts | None
) -> Iterator[Problem]:
    photo = yield from _photo_problems(dataset, sample, seen)
    if sample.label is None:
        return
    label, legal = yield from _label_problems(dataset, sample)
    if doubts is not None:
        doubts.add(dataset, sample, photo and photo.rgb, label if legal else None)
    if label is None:
        return
    if photo is not None and label.shape != photo.rgb.shape[:2]:
        yield _size_problem(sample, photo.rgb.shape[:2], label.shape)
    elif photo is not None and photo.valid is not None:
        label[~photo.valid] = VOID
    if census is not None:
        census.add(label)


def _photo_problems(dataset: Dataset, sample: Sample, seen: dict[str, str]) -> Generator[Problem, None, Photo | None]:
    """Yield what is wrong with the photo; return it if it can be read."""
    path = sample.image
    if not path.is_file():
        hint = "Add the photo, or remove its name from the list."
        yield Problem("missing", sample.name, path, f"{shown(path)} is not there", hint)
        return None
    yield from _duplicates(dataset, sample, seen)
    try:
        return dataset.read_photo(sample)
    except InputError as error:
        yield Problem("photo", sample.name, path, error.message, error.hint or FETCH_AGAIN)
        return None


def _label_problems(dataset: Dataset, sample: Sample) -> Generator[Problem, None, tuple[np.ndarray | None, bool]]:
    """Yield what is wrong with the label; return it if it can be read, and whether all its ids are legal.

    It is uint8 (H, W), classes or VOID; illegal ids are void.
    """
    path = sample.label
    if not path.is_file():
        hint = "Add the label of its photo, or take the photo away."
        yield Problem("missing", sample.name, path, f"{shown(path)} is not there", hint)
        return None, False
    try:
        label, illegal = map_ids(dataset.read_ids(sample), dataset.ids)
    except (InputError, DatasetError) as error:
        yield Problem("label", sample.name, path, error.message, error.hint or FETCH_AGAIN)
        return None, False
    if illegal:
        yield Problem("ids", sample.name, path, f"{shown(path)} holds {dataset.count(illegal)}", dataset.legal_ids())
    return label, not illegal


def _duplicates(dataset: Dataset, sample: Sample, seen: dict[str, str]) -> Iterator[Problem]:
    try:
        content = sha256(sample.image)
    except (OSError, InputError):
        return  # reading it says why
    place = f"{dataset.split}/{sample.name}"
    first = seen.setdefault(content, place)
    if first != place:
        detail = f"{shown(sample.image)} has the same content as {first}"
        hint = "A model must not be scored on a photo that it learned from: keep only one of the two."
        yield Problem("duplicate", sample.name, sample.image, detail, hint)


def _size_problem(sample: Sample, photo: tuple[int, ...], label: tuple[int, ...]) -> Problem:
    detail = f"{shown(sample.label)} is {label[1]} x {label[0]} pixels, but its photo is {photo[1]} x {photo[0]}"
    hint = "Export it again at the photo's size. If you resize a mask, use nearest neighbour: it keeps the ids."
    if photo == label[::-1]:
        hint = TURNED
    return Problem("size", sample.name, sample.label, detail, hint)
