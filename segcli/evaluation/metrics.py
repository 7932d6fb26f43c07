"""Metrics of predicted label maps against the truth: the confusion matrix, and the scores that follow from it.

Everything is counted in int64 and summed image by image: memory stays flat, and however the images are shared out among
processes the sum of their `counts` is the same bit for bit.
"""

from dataclasses import asdict, dataclass

import numpy as np

from segcli.data.dataset import illegal_ids
from segcli.labels import VOID, LabelSet

STRIP = 1 << 20
"""The number of pixels that are counted at once: the counting takes some 40 bytes a pixel."""


@dataclass(frozen=True)
class Scores:
    """The scores of a confusion matrix. Each is in 0..1, or None where no pixel speaks for it.

    Attributes:
        miou: Mean over the classes that occur in the truth or in the predictions, as TensorFlow's mean_iou.
        per_class: Intersection over union by class name; None for a class that occurs in neither.
        pixel_accuracy: Share of the labelled pixels that are right.
        mean_accuracy: Share of a class's pixels that are right, averaged over the classes in the truth.
        frequency_weighted_iou: Intersection over union weighted by each class's share of the labelled pixels.
        classes: The number of classes that `miou` is the mean of.
        named: The number of classes that the label set names.
        absent: The names of the classes with no pixel in the truth or in the predictions, which `miou` says nothing of.
        miou_present: Mean over the classes that occur in the truth. At least `miou`, which also has a 0 for each class
            that is predicted only.
        present: The number of classes that `miou_present` is the mean of.
    """

    miou: float | None
    per_class: dict[str, float | None]
    pixel_accuracy: float | None
    mean_accuracy: float | None
    frequency_weighted_iou: float | None
    classes: int
    named: int = 0
    absent: tuple[str, ...] = ()
    miou_present: float | None = None
    present: int = 0

    @property
    def dice(self) -> dict[str, float | None]:
        """The Dice coefficient, which is the F1 score of the pixels, by class name."""
        return {name: dice_of(iou) for name, iou in self.per_class.items()}

    @property
    def mean_dice(self) -> float | None:
        """Mean of the Dice coefficients, over the classes that `miou` is the mean of."""
        known = [value for value in self.dice.values() if value is not None]
        return _ratio(sum(known), len(known))

    def to_dict(self) -> dict:
        """The scores as plain JSON values."""
        return {**asdict(self), "absent": list(self.absent), "dice": self.dice, "mean_dice": self.mean_dice}


def dice_of(iou: float | None) -> float | None:
    """The Dice coefficient, 2 |A and B| / (|A| + |B|), that belongs to an intersection over union, both in 0..1."""
    return None if iou is None else 2 * iou / (1 + iou)


class ConfusionMatrix:
    """Labelled pixels by true and by predicted class, summed over images.

    A labelled pixel that the prediction leaves void is an error of its true class and counts for no other.

    Attributes:
        counts: int64 (K, K + 1), true class by predicted class; the last column is "predicted as void".
    """

    def __init__(self, classes: int):
        self.counts = np.zeros((classes, classes + 1), np.int64)

    def update(self, truth: np.ndarray, predicted: np.ndarray) -> "ConfusionMatrix":
        """Add one image and return the matrix of that image alone.

        Args:
            truth: Ids (H, W) in 0..K-1 or VOID; void pixels are not counted.
            predicted: Ids (H, W) in 0..K-1 or VOID.

        Raises:
            ValueError: The shapes differ, or an id is neither a class nor void.
        """
        image = ConfusionMatrix(len(self.counts))
        image.counts[:] = joint_counts(truth, predicted, len(self.counts))
        self.counts += image.counts
        return image

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        total = ConfusionMatrix(len(self.counts))
        total.counts[:] = self.counts + other.counts
        return total

    def scores(self, labels: LabelSet) -> Scores:
        """The scores over all images. A channel that stands for void (ADE20K's 0) is no class and enters no mean."""
        right = np.diagonal(self.counts)
        truth = self.counts.sum(axis=1)
        union = truth + self.counts[:, :-1].sum(axis=0) - right
        iou = right / np.maximum(union, 1)
        classes = np.arange(len(union)) != labels.ignore
        counted, present = (union > 0) & classes, (truth > 0) & classes
        per_class = [float(value) if known else None for value, known in zip(iou, counted, strict=True)]
        return Scores(
            miou=_ratio(iou[counted].sum(), counted.sum()),
            per_class=dict(zip(labels.names, per_class, strict=True)),
            pixel_accuracy=_ratio(right.sum(), truth.sum()),
            mean_accuracy=_ratio((right / np.maximum(truth, 1)).sum(), (truth > 0).sum()),
            frequency_weighted_iou=_ratio((truth * iou).sum(), truth.sum()),
            classes=int(counted.sum()),
            named=int(classes.sum()),
            absent=tuple(labels.names[index] for index in np.flatnonzero(classes & ~counted)),
            miou_present=_ratio(iou[present].sum(), present.sum()),
            present=int(present.sum()),
        )


def joint_counts(
    truth: np.ndarray, predicted: np.ndarray, classes: int, group: np.ndarray | None = None, groups: int = 1
) -> np.ndarray:
    """The number of labelled pixels by group, true class and predicted class.

    Args:
        truth: Ids in 0..K-1 or VOID, of any shape; void pixels are not counted.
        predicted: Ids in 0..K-1 or VOID, of the same shape.
        classes: The number of classes, K.
        group: The group of each pixel, 0..groups - 1, of the same shape; None puts all into one.
        groups: The number of groups.

    Returns:
        int64 (groups, K, K + 1); the last column is "predicted as void".

    Raises:
        ValueError: The shapes differ, or an id is neither a class nor void.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"the truth has the shape {truth.shape}, the prediction {predicted.shape}")
    for ids in (truth, predicted):
        if (illegal := illegal_ids(ids, classes)).size:
            raise ValueError(f"id {illegal[0]} among {classes} classes")
    labelled = truth != VOID
    true, guess = truth[labelled], predicted[labelled]
    group = np.zeros_like(true) if group is None else group[labelled]
    counts = np.zeros(groups * classes * (classes + 1), np.int64)
    for start in range(0, len(true), STRIP):
        strip = slice(start, start + STRIP)
        column = np.where(guess[strip] == VOID, classes, guess[strip])
        cells = (group[strip].astype(np.int64) * classes + true[strip]) * (classes + 1) + column
        counts += np.bincount(cells, minlength=len(counts))
    return counts.reshape(groups, classes, classes + 1)


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
