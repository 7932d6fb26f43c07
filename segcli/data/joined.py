"""Several splits as one dataset, such as Cityscapes' 3,475 photos with fine labels and 20,000 with coarse ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segcli.data.dataset import Dataset, Sample
from segcli.errors import UsageError
from segcli.labels import VOID


@dataclass(frozen=True)
class JoinedLabels:
    """Reads the classes of a sample as the dataset does that it comes from, whatever ids the others' files hold.

    Attributes:
        owners: Each sample's own dataset.
    """

    owners: Mapping[Sample, Dataset]

    def __call__(self, sample: Sample) -> np.ndarray:
        """The sample's classes, uint8 (H, W) in 0..K-1 or VOID; DatasetError if its label cannot be used."""
        return self.owners[sample].read_label(sample)


def join(name: str, split: str, parts: Sequence[Dataset]) -> Dataset:
    """One dataset of the samples of several, in their order.

    Args:
        name: The dataset's name.
        split: The name of what is joined, such as "train+val".
        parts: At least one dataset.

    Raises:
        UsageError: The parts have other classes, or a photo stands in two of them.
    """
    first = parts[0]
    for other in parts[1:]:
        if other.labels != first.labels:
            raise UsageError(
                f"{other.name} {other.split} cannot be joined to {first.name} {first.split}: it has other classes",
                "Join splits of one label set.",
            )
    samples = tuple(sample for part in parts for sample in part.samples)
    _refuse_repeats(split, samples)
    if all(part.ids == first.ids and part.read_ids is first.read_ids for part in parts):
        reading = {"ids": first.ids, "read_ids": first.read_ids}
    else:
        owners = {sample: part for part in parts for sample in part.samples}
        classes = {index: index for index in range(len(first.labels))}
        reading = {"ids": classes | {VOID: VOID}, "read_ids": JoinedLabels(owners)}
    strays = tuple(path for part in parts for path in part.strays)
    return Dataset(name, split, first.labels, samples, **reading, strays=strays)


def _refuse_repeats(split: str, samples: Sequence[Sample]) -> None:
    """UsageError where two samples have one name: a photo would count twice, and its files could not be told apart."""
    twice = [name for name, count in Counter(sample.name for sample in samples).items() if count > 1]
    if twice:
        raise UsageError(
            f"{split} has {len(twice)} photo{'s' * (len(twice) > 1)} in two of its parts, such as {twice[0]}",
            "Name each part once; trainval holds train and val, trainaug holds train.",
        )
