"""Datasets: photos paired with their labels, whatever published layout they come from."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from segcli.data.reading import Reading
from segcli.errors import DatasetError, InputError
from segcli.images import masks, read
from segcli.images.photo import Photo
from segcli.images.reading import PLAIN, PhotoReading
from segcli.labels import VOID, LabelSet


@dataclass(frozen=True)
class Sample:
    """One photo with its label.

    Attributes:
        name: Unique in its dataset; safe as a relative path, with "/" between folders and no suffix.
        image: The photo.
        label: The file that holds its ids, or None in a split whose labels are not published.
        others: Further files that its label is made of.
    """

    name: str
    image: Path
    label: Path | None
    others: tuple[Path, ...] = ()

    @property
    def label_files(self) -> tuple[Path, ...]:
        """Every file that its label is made of."""
        return () if self.label is None else (self.label, *self.others)


def read_mask(sample: Sample) -> np.ndarray:
    """Read the ids of the sample's label PNG as they are stored, uint8 or uint16 (H, W); InputError if it has none."""
    return masks.read_label_map(sample.label)


@dataclass(frozen=True)
class Dataset:
    """One split of a dataset. Listing it reads no photo and no label.

    Attributes:
        name: The name by which the command line knows it.
        split: The split, such as "val".
        labels: The classes.
        samples: The photos with their labels, in a fixed order.
        ids: Every id that a label file may hold -> a class of `labels`, or VOID.
        read_ids: Reads the ids of a sample as its file holds them, (H, W).
        strays: Label files that no photo belongs to.
        value_names: What the label files call some of their ids, for messages.
        reading: How label files of one's own are read; None for a published dataset, whose files have one form.
        photos: How photos are read.
    """

    name: str
    split: str
    labels: LabelSet
    samples: tuple[Sample, ...]
    ids: Mapping[int, int]
    read_ids: Callable[[Sample], np.ndarray] = field(default=read_mask, compare=False)
    strays: tuple[Path, ...] = ()
    value_names: Mapping[int, str] = field(default_factory=dict)
    reading: Reading | None = None
    photos: PhotoReading = PLAIN

    def __len__(self) -> int:
        return len(self.samples)

    def read_label(self, sample: Sample) -> np.ndarray:
        """Read the sample's classes, uint8 (H, W) in 0..K-1 or VOID; DatasetError if its label cannot be used."""
        if sample.label is None:
            raise DatasetError(f"{self.name} {self.split} has no labels", "Choose a split whose labels are published.")
        try:
            raw = self.read_ids(sample)
        except InputError as error:
            raise DatasetError(error.message, error.hint) from error
        mapped, illegal = map_ids(raw, self.ids)
        if illegal:
            raise DatasetError(f"{sample.label} holds {self.count(illegal)}", self.legal_ids())
        return mapped

    def read_photo(self, sample: Sample) -> Photo:
        """Decode the sample's photo; InputError if it cannot be read."""
        return read.read_photo(sample.image, self.photos)

    def read_truth(self, sample: Sample) -> np.ndarray:
        """Read the sample's classes as `read_label` does; pixels of which the photo has no data are void.

        Raises:
            DatasetError: Its label cannot be used.
            InputError: Its photo cannot be read.
        """
        label, valid = self.read_label(sample), read.read_valid(sample.image, self.photos)
        if valid is not None and valid.shape == label.shape:
            label[~valid] = VOID
        return label

    def count(self, illegal: Mapping[int, int]) -> str:
        """Illegal ids and their pixels in words; by their names where the label files name them."""
        return count_ids(illegal, self.value_names)

    def legal_ids(self) -> str:
        """The ids, or the classes where the label files name them, that the label files may hold, as a sentence."""
        if self.value_names:
            names = ", ".join(self.labels.names)
            return f"The classes are {names}. Name all with --names, or map other names with other_names in a TOML."
        classes = [file_id for file_id, label in self.ids.items() if label != VOID]
        void = sorted(file_id for file_id, label in self.ids.items() if label == VOID)
        span = f"{min(classes)} to {max(classes)}"
        return f"Labels of {self.name} hold ids from {span}" + (f", and {_listed(void)} for void." if void else ".")

    def without(self, names: Collection[str]) -> "Dataset":
        """The dataset less the samples of those names; DatasetError if none is left."""
        rest = tuple(sample for sample in self.samples if sample.name not in names)
        if not rest:
            raise DatasetError(f"no sample of {self.name} {self.split} can be used", "See `segcli data check`.")
        return replace(self, samples=rest)


def ids_of(labels: LabelSet) -> dict[int, int]:
    """The `ids` of a dataset whose files hold the indices of the names, and `labels.ignore` for void."""
    ids = {index: index for index in range(len(labels))}
    if labels.ignore is not None:
        ids[labels.ignore] = VOID
    return ids


def map_ids(raw: np.ndarray, ids: Mapping[int, int]) -> tuple[np.ndarray, dict[int, int]]:
    """Turn a file's ids into classes.

    Args:
        raw: Ids (H, W), unsigned.
        ids: Every legal id -> a class or VOID.

    Returns:
        The classes, uint8 (H, W) with VOID for void and for illegal ids, and how many pixels each illegal id has.
    """
    counts = np.bincount(raw.ravel(), minlength=VOID + 1)
    table = np.full(len(counts), VOID, np.uint8)
    for file_id, label in ids.items():
        if file_id < len(table):
            table[file_id] = label
    illegal = {int(i): int(counts[i]) for i in np.flatnonzero(counts) if int(i) not in ids}
    return table[raw], illegal


def illegal_ids(ids: np.ndarray, classes: int) -> np.ndarray:
    """The ids, one for each pixel that has such a one, that are neither in 0..classes - 1 nor VOID."""
    return ids[(ids >= classes) & (ids != VOID)]


def count_ids(illegal: Mapping[int, int], names: Mapping[int, str] = MappingProxyType({})) -> str:
    """Ids, or names where there are such, and their pixels in words, at most three: "id 21 (17 pixels)"."""
    words = {label: f"the class {names[label]!r}" if label in names else f"id {label}" for label in illegal}
    first = [f"{words[label]} ({pixels} pixel{'s' * (pixels != 1)})" for label, pixels in list(illegal.items())[:3]]
    more = len(illegal) - len(first)
    return ", ".join(first) + (f" and {more} other illegal ids" if more else "")


def _listed(ids: Sequence[int]) -> str:
    """The ids, a run of neighbours as "0-6"."""
    runs: list[list[int]] = []
    for label in ids:
        if runs and label == runs[-1][-1] + 1:
            runs[-1].append(label)
        else:
            runs.append([label])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
