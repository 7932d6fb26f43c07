"""Census: how often each class occurs in the labels of a dataset."""

from dataclasses import dataclass, field

import numpy as np

from segcli.labels import LabelSet


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

    def take(self, other: "Census") -> None:
        """Move the counts of another census of the same classes to this one."""
        self.pixels += other.pixels
        self.images += other.images
        self.labels += other.labels
        other.clear()

    def clear(self) -> None:
        """Forget everything that was counted."""
        self.pixels[:], self.images[:], self.labels = 0, 0, 0

    def absent(self, labels: LabelSet) -> tuple[str, ...]:
        """The names of the classes that have no pixel in any label; a channel that stands for void is no class."""
        counted = zip(labels.names, self.pixels[:-1].tolist(), strict=True)
        return tuple(n for index, (n, pixels) in enumerate(counted) if not pixels and index != labels.ignore)

    def present(self, labels: LabelSet) -> tuple[str, ...]:
        """The names of the classes that have a pixel."""
        counted = zip(labels.names, self.pixels[:-1].tolist(), strict=True)
        return tuple(n for index, (n, pixels) in enumerate(counted) if pixels and index != labels.ignore)
