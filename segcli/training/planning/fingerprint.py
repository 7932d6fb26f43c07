"""Fingerprint: what a plan needs to know of one's own photos and labels, from one pass over the labels."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from segcli.data.census import Census
from segcli.data.counting import Counting, uncounted
from segcli.data.dataset import Dataset, Sample
from segcli.data.doubts import Doubt, Doubts
from segcli.errors import DatasetError
from segcli.files.paths import shown
from segcli.images import objects
from segcli.labels import LabelSet
from segcli.training.planning import upright
from segcli.training.planning.upright import Leaning, Upright

LOOKED_AT = 400
"""Of more labels than this, so many drawn at random are looked at."""
LOOKED_AT_SIDE = 1024
"""A label is looked at at most this large, every n-th pixel of it: no network here sees more."""
SPECK = 9
"""Regions of fewer pixels are what is left at borders and under a slipped pen, and are no regions."""
MOST_REGIONS = 500
"""Of more regions in a label, every n-th is kept."""
SEED = 0

Size = tuple[int, int]


@dataclass(frozen=True)
class Fingerprint:
    """The facts of one's own data that a plan follows from.

    Attributes:
        labels: The classes.
        photos: The number of photos with a usable label.
        census: The count of the classes in the labels that were looked at.
        sizes: int64 (n, 2), height and width of those labels.
        upright: Whether the photos have an up.
        doubts: What is seldom meant: labels that are void, alike, or the photo itself.
        left_out: The number of labels that were looked at and cannot be used.
        regions: The class id, the number of its label, and the square root of the area in pixels of every region:
            float64 (m, 3).
        counts: int64 (K), the pixels of each class, of each label that was looked at.
    """

    labels: LabelSet
    photos: int
    census: Census
    sizes: np.ndarray
    upright: Upright
    doubts: tuple[Doubt, ...] = ()
    left_out: int = 0
    regions: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    counts: Mapping[Sample, np.ndarray] = field(default_factory=dict)

    @property
    def looked_at(self) -> int:
        """The number of labels that were looked at and can be used."""
        return len(self.sizes)

    @property
    def median_size(self) -> Size:
        """The median height and width in pixels."""
        height, width = np.median(self.sizes, axis=0)
        return round(height), round(width)

    @property
    def longest_side(self) -> int:
        """The longest side of any photo in pixels."""
        return int(self.sizes.max())

    @property
    def shares(self) -> dict[str, float]:
        """The share of the labelled pixels by class, 0..1; a channel that stands for void is no class."""
        counts = self._counts(self.census.pixels)
        every = max(1, sum(counts.values()))
        return {name: count / every for name, count in counts.items()}

    @property
    def photos_by_class(self) -> dict[str, int]:
        """In how many of the labels that were looked at each class occurs."""
        return self._counts(self.census.images)

    @property
    def void(self) -> float:
        """The share of void pixels, 0..1."""
        return float(self.census.pixels[-1] / max(1, self.census.pixels.sum()))

    def region_sizes(self, resized: Callable[[Size], Size]) -> dict[str, float]:
        """The square root of the area, in pixels at a working size, of the median region of each class that has some.

        It is the median over the class's pixels, not over its regions: half of the pixels lie in regions no larger.
        The many crumbs of a large class, such as the sky between leaves, count as little as they are.

        Args:
            resized: The (height, width) that a photo of (height, width) has before the network.
        """
        found = {}
        scales = self._scales(resized)
        sides = self.regions[:, 2] * scales[self.regions[:, 1].astype(np.int64)]
        for index, name in enumerate(self.labels.names):
            if (own := self.regions[:, 0] == index).any():
                found[name] = _median_by_area(sides[own])
        return found

    def _scales(self, resized: Callable[[Size], Size]) -> np.ndarray:
        """The factor on the sides of each label that was looked at."""
        unique, which = np.unique(self.sizes, axis=0, return_inverse=True)
        areas = [np.divide(*map(np.prod, (resized((int(h), int(w))), (h, w)))) for h, w in unique]
        return np.sqrt(areas)[which.ravel()]

    def _counts(self, counts: np.ndarray) -> dict[str, int]:
        named = enumerate(zip(self.labels.names, counts[:-1].tolist(), strict=True))
        return {name: count for index, (name, count) in named if index != self.labels.ignore}

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        height, width = self.median_size
        return {
            "photos": self.photos,
            "looked_at": self.looked_at,
            "median_size": {"height": height, "width": width},
            "shares": self.shares,
            "labels_with_class": self.photos_by_class,
            "void": self.void,
            "has_up": self.upright.has_up,
        }


def of(
    dataset: Dataset, has_up: bool | None = None, skip_bad: bool = False, counting: Counting = uncounted
) -> Fingerprint:
    """The fingerprint of a dataset of one's own; each label is read once, no photo is decoded.

    Args:
        dataset: With labels.
        has_up: Whether the photos have an up, as the user says; None: it is found out.
        skip_bad: Pass over labels that cannot be used; training will leave them out.
        counting: Makes a block for work on so many things.

    Raises:
        DatasetError: There is no label, or one cannot be used.
    """
    samples = sampled(dataset.samples)
    gathered = _Gathered(dataset, skip_bad)
    with counting(len(samples), "reading labels") as counter:
        for sample in samples:
            gathered.add(sample)
            counter.advance()
    if not gathered.sizes:
        raise DatasetError(
            f"{shown(dataset.split)} has no photo with a label", "Photos and labels are matched by their names."
        )
    found = upright.judged(gathered.leaning, [sample.image for sample in samples], has_up)
    return gathered.fingerprint(len(dataset.samples), found)


def sampled(samples: Sequence[Sample], most: int = LOOKED_AT) -> tuple[Sample, ...]:
    """The samples that are looked at, in their order: all, or `most` drawn at random, the same ones each time."""
    if len(samples) <= most:
        return tuple(samples)
    chosen = sorted(random.Random(SEED).sample(range(len(samples)), most))
    return tuple(samples[index] for index in chosen)


class _Gathered:
    """What the labels that were read so far hold."""

    def __init__(self, dataset: Dataset, skip_bad: bool):
        self.dataset = dataset
        self.skip_bad = skip_bad
        self.census = Census(len(dataset.labels))
        self.doubts = Doubts()
        self.leaning = Leaning()
        self.sizes: list[Size] = []
        self.regions: list[np.ndarray] = []
        self.counts: dict[Sample, np.ndarray] = {}
        self.left_out = 0

    def add(self, sample: Sample) -> None:
        """Read one label; DatasetError where it cannot be used and none may be passed over."""
        try:
            label = self.dataset.read_label(sample)
        except DatasetError as error:
            if not self.skip_bad:
                hint = error.hint or "`segcli data check` lists all problems; --skip-bad leaves such photos out."
                raise DatasetError(error.message, hint) from error
            self.left_out += 1
            return
        one = Census(self.census.classes)
        one.add(label)
        self.counts[sample] = one.pixels[:-1].copy()
        self.census.take(one)
        self.doubts.add(self.dataset, sample, None, label)
        self.leaning.add(label, len(self.dataset.labels))
        self.regions.append(_regions(label, len(self.dataset.labels), len(self.sizes)))
        self.sizes.append(label.shape)

    def fingerprint(self, photos: int, found: Upright) -> Fingerprint:
        """What came together; of a sample, as many photos are taken to be unusable as were among those looked at."""
        usable = round(photos * len(self.sizes) / (len(self.sizes) + self.left_out))
        return Fingerprint(
            self.dataset.labels,
            usable,
            self.census,
            np.array(self.sizes),
            found,
            tuple(self.doubts.found),
            self.left_out,
            np.concatenate(self.regions),
            self.counts,
        )


def _median_by_area(sides: np.ndarray) -> float:
    """The median of squares' sides, each square counted by its area."""
    sides = np.sort(sides)
    areas = np.cumsum(sides**2)
    return float(sides[np.searchsorted(areas, areas[-1] / 2)])


def _regions(label: np.ndarray, classes: int, number: int) -> np.ndarray:
    """The class, the label's number and the square root of the area, in the label's pixels, of each region: (m, 3)."""
    step = max(1, -(-max(label.shape) // LOOKED_AT_SIDE))
    found = objects.measured(np.ascontiguousarray(label[::step, ::step]), range(classes))
    kept = np.flatnonzero(found.pixels >= SPECK)
    kept = kept[:: max(1, -(-len(kept) // MOST_REGIONS))]
    sides = np.sqrt(found.pixels[kept]) * step
    return np.stack([found.labels[kept], np.full(len(kept), number), sides], axis=1).astype(np.float64)
