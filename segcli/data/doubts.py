"""Doubts: what about the labels of a dataset can be meant, but seldom is."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from segcli.data.census import Census
from segcli.data.dataset import Dataset, Sample
from segcli.errors import InputError
from segcli.files.atomic import sha256
from segcli.files.paths import shown
from segcli.images import read
from segcli.images.measure import ORDINARY, Measured
from segcli.labels import VOID

MOSTLY = 0.5
"""The share of void above which a label says too little."""
ALIKE = 4
"""The mean difference, of 255, up to which two pictures are one that was stored twice."""
Kind = Literal["absent", "one-class", "void", "same-label", "photo-as-label", "turned", "values"]


@dataclass(frozen=True)
class Doubt:
    """One thing about a dataset that can be meant, but seldom is.

    Attributes:
        kind: "absent": classes have no pixel in any label; "one-class": the labels hold one class, or none; "void":
            more than half of a label is void; "same-label": the label equals another one pixel by pixel;
            "photo-as-label": the label is the photo itself; "turned": the label is as wide as the photo is high;
            "values": the photos hold values of several kinds.
        sample: The sample's name; empty where it is about the whole dataset.
        file: The label; the folder of the labels where it is about the whole dataset.
        detail: What is doubtful, naming it.
        hint: What to do if it is not meant.
    """

    kind: Kind
    sample: str
    file: Path
    detail: str
    hint: str


class Doubts:
    """The doubts about the labels of a dataset, in one or several splits.

    Attributes:
        found: Those about single samples so far.
    """

    def __init__(self) -> None:
        self.found: list[Doubt] = []
        self._first: dict[bytes, str] = {}

    def add(self, dataset: Dataset, sample: Sample, photo: np.ndarray | None, label: np.ndarray | None) -> None:
        """Look at one sample.

        Args:
            dataset: The dataset.
            sample: One of its samples, with a label.
            photo: The photo, uint8 (H, W, 3), upright; None if it cannot be read.
            label: Its classes, 0..K-1 or VOID, uint8 (H, W); None if it cannot be read or holds illegal ids.
        """
        if _is_copy(sample) or (label is None and photo is not None and _is_like(sample, photo)):
            detail = f"{shown(sample.label)} is the photo itself, not a label"
            self.found.append(Doubt("photo-as-label", sample.name, sample.label, detail, "Replace it with the mask."))
        if label is not None:
            self.found += self._same(f"{dataset.split}/{sample.name}", sample, label)
            self.found += _void(sample, label)
            self.found += _turned(sample, label.shape if photo is None else photo.shape[:2], label.shape)

    def _same(self, place: str, sample: Sample, label: np.ndarray) -> Iterator[Doubt]:
        """Labels of one value, such as photos of nothing but background, may well be equal."""
        if label.min() == label.max():
            return
        content = hashlib.blake2b(np.ascontiguousarray(label), digest_size=16, key=b"%d" % label.shape[1]).digest()
        first = self._first.setdefault(content, place)
        if first != place:
            detail = f"{shown(sample.label)} holds the same label for {shown(sample.name)} as for {first}"
            yield Doubt(
                "same-label",
                sample.name,
                sample.label,
                detail,
                "Two photos seldom have exactly the same outlines: look at both.",
            )

    def all(self, dataset: Dataset, census: Census) -> tuple[Doubt, ...]:
        """Those about the whole dataset, by the count of its classes, then those about single samples."""
        return (*of_classes(dataset, census), *self.found)


def of_classes(dataset: Dataset, census: Census) -> Iterator[Doubt]:
    """The doubts about the classes that a dataset's labels hold."""
    labels, folder = dataset.labels, next((s.label.parent for s in dataset.samples if s.label is not None), Path())
    if not census.labels:
        return
    if absent := census.absent(labels):
        hint = "Give --names in the order of the ids, and leave out a class that no label shows."
        yield Doubt("absent", "", folder, f"no label holds a pixel of {', '.join(absent)}", hint)
    if len(present := census.present(labels)) < 2:
        hint = "A model needs two or more classes: look at --names, and at how the labels are read."
        yield Doubt("one-class", "", folder, f"the labels hold only {_only(present, census)}", hint)


def of_values(dataset: Dataset, found: Measured) -> Iterator[Doubt]:
    """The doubts about the values that a dataset's photos hold: one range serves one kind."""
    counts = found.looked_at | ({ORDINARY: found.ordinary} if found.ordinary else {})
    if len(counts) > 1:
        listed = ", ".join(f"{count} of {kind}" for kind, count in counts.items())
        folder = next((sample.image.parent for sample in dataset.samples), Path())
        hint = "Convert them to one kind: all photos are read by one range of values."
        yield Doubt("values", "", folder, f"the photos hold values of several kinds: {listed}", hint)


def _only(present: tuple[str, ...], census: Census) -> str:
    return " and ".join((*present, *(["void"] if census.pixels[-1] or not present else [])))


def _is_copy(sample: Sample) -> bool:
    """Whether the label is a copy of the photo's file."""
    try:
        sizes = sample.label.stat().st_size, sample.image.stat().st_size
        return sizes[0] == sizes[1] and sha256(sample.label) == sha256(sample.image)
    except (OSError, InputError):
        return False  # reading it says why


def _is_like(sample: Sample, photo: np.ndarray) -> bool:
    """Whether the label is a picture like the photo, perhaps stored in another format."""
    try:
        label = read.read_rgb(sample.label)
    except InputError:
        return False
    return label.shape == photo.shape and float(np.abs(label.astype(np.int16) - photo).mean()) < ALIKE


def _void(sample: Sample, label: np.ndarray) -> Iterator[Doubt]:
    share = np.count_nonzero(label == VOID) / label.size
    if share > MOSTLY:
        detail = f"{100 * share:.0f} % of the label of {shown(sample.name)} are void"
        hint = "The model learns nothing from void pixels. If they are background or a class, see --void and --names."
        yield Doubt("void", sample.name, sample.label, detail, hint)


def _turned(sample: Sample, photo: tuple[int, ...], label: tuple[int, ...]) -> Iterator[Doubt]:
    if photo == label[::-1] != label:
        detail = f"the label of {shown(sample.name)} is as wide as its photo is high"
        hint = "The label was drawn on the photo before its EXIF data turned it upright: turn the label too."
        yield Doubt("turned", sample.name, sample.label, detail, hint)
