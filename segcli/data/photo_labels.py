"""Photo labels: the labels of given photos, for commands that are not about a whole dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcli.data import folder, tree
from segcli.data.counting import Counting, uncounted
from segcli.data.dataset import Dataset, Sample
from segcli.data.names import Classes
from segcli.data.reading import Choice
from segcli.data.tree import Tree
from segcli.files.sources import label_maps


@dataclass(frozen=True)
class PhotoLabels:
    """The labels of photos.

    Attributes:
        data: The photos that have labels, as a dataset.
        samples: Photo, as an absolute path -> its sample.
    """

    data: Dataset
    samples: Mapping[Path, Sample]

    def file(self, photo: Path) -> Path | None:
        """The file that holds a photo's labels; None where it has none."""
        sample = self.samples.get(photo.absolute())
        return None if sample is None else sample.label

    def read(self, photo: Path) -> np.ndarray:
        """The photo's classes, uint8 (H, W) in 0..K-1 or VOID; DatasetError where its labels cannot be used."""
        return self.data.read_label(self.samples[photo.absolute()])


def open_labels(
    photos: Sequence[Path],
    labels: Path,
    classes: Classes | None = None,
    choice: Choice | None = None,
    counting: Counting = uncounted,
) -> PhotoLabels:
    """The labels of photos, matched by name.

    Args:
        photos: Photos; label maps that were predicted of photos stand for them as well.
        labels: A folder of labels in any form, an output folder of segcli, or one label file.
        classes: The classes; None takes those that the labels name.
        choice: What the user decided.
        counting: As for `folder.open_folder`.

    Raises:
        UsageError: There is no such form.
        DatasetError: There are no labels, or they cannot be read truly.
    """
    absolute = [photo.absolute() for photo in photos]
    root = tree.common_root(*absolute)
    found = tree.walk(label_maps(labels).absolute())
    data = folder.of_trees(Tree(root, tuple(sorted(absolute)), ()), found, classes, choice or Choice(), counting)
    there = {sample.image: sample for sample in data.samples if sample.label is not None and sample.label.is_file()}
    wanted = set(absolute)
    return PhotoLabels(data, {photo: sample for photo, sample in there.items() if photo in wanted})
