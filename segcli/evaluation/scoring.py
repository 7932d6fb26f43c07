"""Scoring: predictions against a dataset, image by image."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from segcli.data.dataset import Dataset, Sample, illegal_ids
from segcli.errors import InputError
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.evaluation.trimap import Trimap


@dataclass(frozen=True)
class ImageScore:
    """The scores of one image, in 0..1; None where it has no labelled pixel.

    Attributes:
        name: The sample's name.
        miou: Mean intersection over union of the classes in this image's truth or prediction.
        pixel_accuracy: Share of this image's labelled pixels that are right.
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
    """Count predictions into `matrix` and `trimap`, and yield each image's own scores.

    Args:
        dataset: The dataset that holds the truth.
        predictions: Samples of the dataset, each with its ids (H, W), 0..K-1 or VOID, at the label's own size.
        matrix: The confusion matrix that every image is added to.
        trimap: The trimap that every image is added to, if one is wanted.

    Raises:
        InputError: A prediction has another size than its label, or ids that are no classes.
        DatasetError: A label cannot be used.
    """
    for sample, predicted in predictions:
        truth = dataset.read_truth(sample)
        check_prediction(sample.name, predicted, truth.shape, len(dataset.labels))
        image = matrix.update(truth, predicted).scores(dataset.labels)
        if trimap is not None:
            trimap.update(truth, predicted)
        yield ImageScore(sample.name, image.miou, image.pixel_accuracy)


def check_prediction(name: str, predicted: np.ndarray, shape: tuple[int, ...], classes: int) -> None:
    """Raise InputError, naming the image, unless the ids (H, W) have that shape and are classes or VOID."""
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
