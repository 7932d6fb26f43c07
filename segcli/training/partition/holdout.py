"""Hold-out: the photos of a folder that a network does not learn from, so that they tell how good it is on new ones."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from segcli.data.census import Census
from segcli.data.counting import Counting
from segcli.data.dataset import Dataset, Sample
from segcli.data.parts import Parts, contents
from segcli.errors import DatasetError
from segcli.labels import some_of
from segcli.training.partition import balance, groups
from segcli.training.partition.groups import Group

WORDS = {
    "folder": "of one folder",
    "prefix": "with the same start of the name",
    "time": "of one time",
    "block": "that follow each other",
}
"""What stays together, by the kind of a group."""
FEW = 12
"""Up to so many held-out photos lie in two blocks; more lie in three."""


class Held(NamedTuple):
    """Photos that are held out.

    Attributes:
        samples: They, in the order of the dataset.
        how: What was done with them, "held out", or which fold they are.
        photos: The number of photos that they were chosen from.
        remarks: What goes with the choice, to be read on after how many there are; empty where there is nothing to say.
    """

    samples: tuple[Sample, ...]
    how: str
    photos: int
    remarks: str

    @property
    def count(self) -> str:
        """How many they are, such as "8 of 40 photos"."""
        return f"{len(self.samples)} of {self.photos} photos"

    @property
    def words(self) -> str:
        """What was done, in one line."""
        return f"{self.how}: {self.count}{self.remarks}"


def of_share(
    dataset: Dataset,
    share: float,
    counting: Counting,
    first: Parts | None = None,
    known: Mapping[Sample, np.ndarray] = MappingProxyType({}),
) -> Held:
    """About a share of the photos, neighbours kept together, with every class on both sides where the labels allow it.

    What the first weights have learned from is learned from again, unless there is nothing else to hold out: it would
    be scored too well, and hide what the run gains.

    Args:
        dataset: All photos; the label of each that `known` lacks is read once.
        share: In 0..1, neither of them.
        counting: Shows how far the reading has come.
        first: The photos of the run that the first weights come from; None: they come from no run.
        known: int64 (K), the pixels of each class in a label, of photos whose labels were read before.

    Raises:
        DatasetError: There are too few photos, or all are neighbours that cannot be parted.
    """
    labelled = labelled_samples(dataset)
    wanted = max(1, round(share * len(labelled)))
    if len(labelled) <= wanted:
        raise too_few(len(labelled))
    parted = _Parted.of(dataset, labelled, wanted, counting, known=known)
    pieces = [group.kind == "block" and len(group) > 1 for group in parted.groups]
    unseen = parted.unseen_by(first, counting) if first else []
    chosen = balance.held_out(parted.sizes, parted.holds, wanted, pieces, unseen if any(unseen) else None)
    held = parted.held(chosen, "held out")
    kept = any(unseen) and not all(unseen)
    return held._replace(remarks=f"{held.remarks}; the first weights have learned from none of them") if kept else held


def of_fold(dataset: Dataset, fold: int, k: int, counting: Counting) -> Held:
    """The photos of one of k folds, neighbours kept together; each photo with a label is in one fold.

    Args:
        dataset: All photos; the label of each is read once.
        fold: 1..k.
        k: The number of folds.
        counting: Shows how far the reading has come.

    Raises:
        DatasetError: There are fewer groups of photos than folds.
    """
    labelled = labelled_samples(dataset)
    if len(labelled) < k:
        raise DatasetError(f"{len(labelled)} photos with labels cannot be divided into {k} folds", "Take fewer folds.")
    parted = _Parted.of(dataset, labelled, max(1, len(labelled) // k), counting, at_least=k)
    numbers = balance.folds(parted.sizes, parted.holds, k)
    return parted.held(
        [index for index, number in enumerate(numbers) if number == fold - 1], f"held out, fold {fold} of {k}"
    )


def labelled_samples(dataset: Dataset) -> tuple[Sample, ...]:
    """The photos whose label is there; all where none is, so that reading them says what is missing."""
    return tuple(sample for sample in dataset.samples if sample.label.is_file()) or dataset.samples


def too_few(count: int) -> DatasetError:
    """The error of a set of which nothing can be held out."""
    hint = "Label at least two photos, or hold none out with data.holdout = 0."
    return DatasetError(f"{count} photo{'s are' if count != 1 else ' is'} too few to learn from", hint)


@dataclass(frozen=True)
class _Parted:
    """Photos in groups, and the classes that each group shows.

    Attributes:
        dataset: All photos.
        labelled: Those that may be held out.
        groups: Groups of indices of `labelled`.
        counts: int64 (photos, K), the pixels of each class.
    """

    dataset: Dataset
    labelled: tuple[Sample, ...]
    groups: tuple[Group, ...]
    counts: np.ndarray

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        labelled: tuple[Sample, ...],
        wanted: int,
        counting: Counting,
        at_least: int = 2,
        known: Mapping[Sample, np.ndarray] = MappingProxyType({}),
    ) -> "_Parted":
        """The groups of photos of which about `wanted` shall be held out; DatasetError where they are too few."""
        most = max(1, min(wanted + wanted // 2, len(labelled) // 2))
        found = groups.find(labelled, most, -(-wanted // (2 if wanted <= FEW else 3)))
        if len(found) < at_least:
            few = f"{len(found)} group{'s' * (len(found) != 1)} of copies or of photos that belong together"
            others = (
                'Set data.holdout_by = "every" to hold out every n-th photo, or name other photos in data.val_images.'
            )
            hint = others if at_least == 2 else f"Take {max(2, len(found))} folds or fewer."
            raise DatasetError(f"the {len(labelled)} photos cannot be divided: they are {few}", hint)
        return cls(dataset, labelled, found, _pixels(dataset, labelled, counting, known))

    @property
    def sizes(self) -> list[int]:
        """The number of photos of each group."""
        return [len(group) for group in self.groups]

    @cached_property
    def holds(self) -> np.ndarray:
        """The photos of each group that show each class, int64 (groups, K)."""
        shows = self.counts > 0
        return np.array([shows[list(group.members)].sum(axis=0) for group in self.groups])

    def unseen_by(self, first: Parts, counting: Counting) -> list[bool]:
        """Whether a run has learned from no photo of each group, by the content of their files."""
        found = contents(self.labelled, counting, "hashing")
        learned = [found.get(sample) in first.learned for sample in self.labelled]
        return [not any(learned[index] for index in group.members) for group in self.groups]

    def held(self, chosen: Sequence[int], how: str) -> Held:
        """The photos of the chosen groups."""
        indices = {index for number in chosen for index in self.groups[number].members}
        aside = {self.labelled[index] for index in indices}
        samples = tuple(sample for sample in self.dataset.samples if sample in aside)
        return Held(samples, how, len(self.labelled), self._together() + self._one_sided(indices))

    def _together(self) -> str:
        """What was kept together, as a part of a sentence."""
        kinds = dict.fromkeys(group.kind for group in self.groups if len(group) > 1)
        return (
            f"; photos {' or '.join(WORDS[kind] for kind in kinds)} may look alike and are kept together"
            if kinds
            else ""
        )

    def _one_sided(self, held: set[int]) -> str:
        """The classes that are on one side only, as a part of a sentence."""
        is_held = np.isin(np.arange(len(self.labelled)), sorted(held))
        validated, learned = self.counts[is_held].any(axis=0), self.counts[~is_held].any(axis=0)
        sides = {"the photos to learn from": learned & ~validated, "the held-out photos": validated & ~learned}
        names = np.array(self.dataset.labels.names)
        texts = (f"; only {side} show {some_of(names[only].tolist())}" for side, only in sides.items() if only.any())
        return "".join(texts)


def _pixels(
    dataset: Dataset, samples: Sequence[Sample], counting: Counting, known: Mapping[Sample, np.ndarray]
) -> np.ndarray:
    """The pixels of each class in each photo's label, int64 (photos, K); none for a label that cannot be read."""
    one, rows = Census(len(dataset.labels)), dict(known)
    unknown = [sample for sample in samples if sample not in rows]
    with counting(len(unknown), "reading labels") as counter:
        for sample in unknown:
            with suppress(DatasetError):  # the check of every file says why
                one.add(dataset.read_label(sample))
            rows[sample] = one.pixels[:-1].copy()
            one.clear()
            counter.advance()
    counts = np.array([rows[sample] for sample in samples])
    if dataset.labels.ignore is not None:
        counts[:, dataset.labels.ignore :][:, :1] = 0  # a channel that stands for void is no class
    return counts
