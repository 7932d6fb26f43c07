"""Predictions scored image by image."""

import numpy as np
import pytest

from segcli.data import layouts
from segcli.errors import InputError
from segcli.evaluation import scoring
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.evaluation.scoring import ImageScore
from segcli.evaluation.trimap import Trimap
from segcli.labels import VOC, VOID


@pytest.mark.shared
def test_voc_annotations_scored_against_themselves_are_perfect_at_every_width(shared_data):
    dataset = layouts.load("voc2012", shared_data / "voc-mini", "val")
    truths = ((sample, dataset.read_label(sample)) for sample in dataset.samples)
    answers = ((sample, np.where(truth == VOID, 0, truth)) for sample, truth in truths)
    matrix, trimap = ConfusionMatrix(21), Trimap(21)
    images = list(scoring.evaluate(dataset, answers, matrix, trimap))
    assert len(images) == 11
    assert {image.miou for image in images} == {1.0}
    assert (matrix.scores(VOC).miou, matrix.scores(VOC).classes) == (1.0, 14)  # 14 classes stand in the README
    assert {scores.miou for scores in trimap.scores(VOC).values()} == {1.0}


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        (np.zeros((375, 501), np.uint8), "is 501 x 375 pixels, its label 500 x 375"),
        (np.full((375, 500), 21, np.uint8), "holds id 21 among 21 classes"),
    ],
    ids=["size", "id"],
)
def test_a_prediction_that_does_not_fit_is_named(predicted, message):
    with pytest.raises(InputError, match=f"the prediction of 2007_000033 {message}"):
        scoring.check_prediction("2007_000033", predicted, (375, 500), 21)


def test_the_worst_images_come_first_and_empty_ones_not_at_all():
    images = [ImageScore("a", 0.5, 0.9), ImageScore("b", None, None), ImageScore("c", 0.1, 0.8)]
    images += [ImageScore("d", 0.5, 0.2), ImageScore("e", 0.9, 0.9)]
    assert [image.name for image in scoring.worst(iter(images), 3)] == ["c", "d", "a"]
