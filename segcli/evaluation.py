"""Scores of predicted label maps against the truth: the confusion matrix, what follows from it, and the trimap.

Everything is counted in int64 and summed image by image: memory stays flat, and however the images are shared out among
processes the sum of their `counts` is the same bit for bit.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from segcli.errors import InputError
from segcli.labels import VOID, LabelSet
from segcli.samples import Dataset, Sample, illegal_ids

TRIMAP_WIDTHS = tuple(range(1, 41))
"""The band widths in pixels that the papers plot."""

STRIP = 1 << 20
"""So many pixels are counted at once: the counting takes some 40 bytes a pixel."""


@dataclass(frozen=True)
class Scores:
    """What a confusion matrix says. Each value is in 0..1, or None where no pixel speaks for it.

    Attributes:
        miou: Mean over the classes that occur in the truth or in the predictions, as TensorFlow's mean_iou.
        per_class: Intersection over union by class name; None for a class that occurs in neither.
        pixel_accuracy: Share of the labelled pixels that are right.
        mean_accuracy: Share of a class's pixels that are right, averaged over the classes in the truth.
        frequency_weighted_iou: Intersection over union weighted by each class's share of the labelled pixels.
        classes: Over how many classes `miou` is the mean.
    """

    miou: float | None
    per_class: dict[str, float | None]
    pixel_accuracy: float | None
    mean_accuracy: float | None
    frequency_weighted_iou: float | None
    classes: int

    def to_dict(self) -> dict:
        """Plain JSON values."""
        return asdict(self)


class ConfusionMatrix:
    """Labelled pixels by true and by predicted class, summed over images.

    A labelled pixel that the prediction leaves void is an error of its true class and counts for no other.

    Attributes:
        counts: int64 (K, K + 1), true class by predicted class; the last column is "predicted as void".
    """

    def __init__(self, classes: int):
        self.counts = np.zeros((classes, classes + 1), np.int64)

    def update(self, truth: np.ndarray, predicted: np.ndarray) -> "ConfusionMatrix":
        """Adds one image and returns the matrix of that image alone.

        Args:
            truth: Ids (H, W) in 0..K-1 or VOID; void pixels are not counted.
            predicted: Ids (H, W) in 0..K-1 or VOID.

        Raises:
            ValueError: The shapes differ, or an id is neither a class nor void.
        """
        image = ConfusionMatrix(len(self.counts))
        image.counts[:] = _joint_counts(truth, predicted, len(self.counts))
        self.counts += image.counts
        return image

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        total = ConfusionMatrix(len(self.counts))
        total.counts[:] = self.counts + other.counts
        return total

    def scores(self, labels: LabelSet) -> Scores:
        """The scores. A channel that stands for void (ADE20K's 0) is no class and enters no mean."""
        right = np.diagonal(self.counts)
        truth = self.counts.sum(axis=1)
        union = truth + self.counts[:, :-1].sum(axis=0) - right
        iou = right / np.maximum(union, 1)
        counted = union > 0
        if labels.ignore is not None and labels.ignore < len(counted):
            counted[labels.ignore] = False
        per_class = [float(value) if known else None for value, known in zip(iou, counted, strict=True)]
        return Scores(
            miou=_ratio(iou[counted].sum(), counted.sum()),
            per_class=dict(zip(labels.names, per_class, strict=True)),
            pixel_accuracy=_ratio(right.sum(), truth.sum()),
            mean_accuracy=_ratio((right / np.maximum(truth, 1)).sum(), (truth > 0).sum()),
            frequency_weighted_iou=_ratio((truth * iou).sum(), truth.sum()),
            classes=int(counted.sum()),
        )


class Trimap:
    """Confusion matrices within bands around void, which lies along object boundaries (v3+ section 4.4).

    The band of width w holds the labelled pixels that void, dilated by a square of 2 w + 1 pixels a side, covers; so
    do the published evaluation scripts of the papers' authors.

    Attributes:
        widths: Band widths in pixels, ascending.
        counts: int64 (widths, K, K + 1); entry i counts the pixels in band i that are not in band i - 1.
    """

    def __init__(self, classes: int, widths: Sequence[int] = TRIMAP_WIDTHS):
        self.widths = tuple(sorted(set(widths)))
        self.counts = np.zeros((len(self.widths), classes, classes + 1), np.int64)

    def update(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Adds one image; as `ConfusionMatrix.update`."""
        distance = void_distance(truth, self.widths[-1])
        band = distance <= self.widths[-1]
        rings = np.searchsorted(self.widths, distance[band])
        self.counts += _joint_counts(truth[band], predicted[band], self.counts.shape[1], rings, len(self.widths))

    def scores(self, labels: LabelSet) -> dict[int, Scores]:
        """The scores by band width."""
        bands = {}
        for width, counts in zip(self.widths, np.cumsum(self.counts, axis=0), strict=True):
            matrix = ConfusionMatrix(len(labels))
            matrix.counts[:] = counts
            bands[width] = matrix.scores(labels)
        return bands


def void_distance(truth: np.ndarray, reach: int) -> np.ndarray:
    """Chessboard distance of each pixel (H, W) to the nearest void pixel; reach + 1 where that is beyond `reach`."""
    near = truth == VOID
    distance = np.full(truth.shape, reach + 1, np.int32)
    for _ in range(reach + 1):
        distance -= near
        near = _grown(near)
    return distance


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask dilated by a square of 3 x 3 pixels, one axis after the other."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    grown = wide.copy()
    grown[1:] |= wide[:-1]
    grown[:-1] |= wide[1:]
    return grown


def _joint_counts(
    truth: np.ndarray, predicted: np.ndarray, classes: int, group: np.ndarray | None = None, groups: int = 1
) -> np.ndarray:
    """Labelled pixels by group, true class and predicted class: int64 (groups, K, K + 1)."""
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


@dataclass(frozen=True)
class ImageScore:
    """How one image came out; None where it has no labelled pixel.

    Attributes:
        name: The sample's name.
        miou: Over the classes in this image's truth or prediction.
        pixel_accuracy: Over this image's labelled pixels.
    """

    name: str
    miou: float | None
    pixel_accuracy: float | None


def evaluate(
    dataset: Dataset,
    predictions: Iterable[tuple[Sample, np.ndarray]],
    matrix: ConfusionMatrix,
    trimap: Trimap | None = None,
) -> Iterator[ImageScore]:
    """Counts predictions into `matrix` and `trimap` and yields each image's own score.

    Args:
        dataset: Where the truth comes from.
        predictions: Samples of it, each with its ids (H, W), 0..K-1 or VOID, at the label's own size.
        matrix: Takes every image.
        trimap: Likewise, if wanted.

    Raises:
        InputError: A prediction has another size than its label, or ids that are no classes.
        DatasetError: A label cannot be used.
    """
    for sample, predicted in predictions:
        truth = dataset.read_label(sample)
        check_prediction(sample.name, predicted, truth.shape, len(dataset.labels))
        image = matrix.update(truth, predicted).scores(dataset.labels)
        if trimap is not None:
            trimap.update(truth, predicted)
        yield ImageScore(sample.name, image.miou, image.pixel_accuracy)


def check_prediction(name: str, predicted: np.ndarray, shape: tuple[int, ...], classes: int) -> None:
    """Raises InputError, naming the image, unless the ids (H, W) have that shape and are classes or VOID."""
    if predicted.shape != shape:
        (height, width), found = shape, " x ".join(map(str, predicted.shape[::-1]))
        raise InputError(
            f"the prediction of {name} is {found} pixels, its label {width} x {height}",
            "Predictions are scored at the label's own size.",
        )
    if (illegal := illegal_ids(predicted, classes)).size:
        raise InputError(
            f"the prediction of {name} holds id {illegal[0]} among {classes} classes",
            "Was it made with other labels?",
        )


def worst(images: Iterable[ImageScore], count: int) -> list[ImageScore]:
    """The `count` images of lowest mIOU, the worst first; images without a labelled pixel are left out."""
    scored = (image for image in images if image.miou is not None)
    return heapq.nsmallest(count, scored, key=lambda image: (image.miou, image.pixel_accuracy, image.name))
