"""The confusion matrix and its scores against scikit-learn's."""

import warnings

import numpy as np
import pytest
from random_maps import random_maps
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, jaccard_score

from segcli.evaluation import metrics
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.labels import ADE20K, VOC, VOID, from_names


def test_the_confusion_matrix_equals_scikit_learns_on_maps_with_void():
    generator = np.random.default_rng(0)
    matrix, expected = ConfusionMatrix(21), np.zeros((21, 21), np.int64)
    for shape in ((60, 80), (10, 200), (90, 30)):
        truth, predicted = random_maps(generator, shape=shape)
        matrix.update(truth, predicted)
        labelled = truth != VOID
        expected += confusion_matrix(truth[labelled], predicted[labelled], labels=range(21))
    assert matrix.counts.dtype == np.int64
    np.testing.assert_array_equal(matrix.counts[:, :21], expected)
    assert matrix.counts[:, 21].sum() == 0


def test_the_scores_equal_scikit_learns():
    truth, predicted = random_maps(np.random.default_rng(1))
    truth[truth == 7] = 8  # 7 is then only predicted,
    truth[truth == 9], predicted[predicted == 9] = 10, 10  # 9 in neither: it is left out of the mean
    matrix = ConfusionMatrix(21)
    matrix.update(truth, predicted)
    scores = matrix.scores(VOC)
    labelled = truth != VOID
    true, guess = truth[labelled], predicted[labelled]
    present = [index for index in range(21) if index != 9]
    assert scores.miou == pytest.approx(jaccard_score(true, guess, labels=present, average="macro"), abs=1e-12)
    assert scores.classes == 20
    in_truth = np.unique(true)
    expected = jaccard_score(true, guess, labels=in_truth, average="macro")
    assert scores.miou_present == pytest.approx(expected, abs=1e-12)
    assert scores.present == len(in_truth) < scores.classes
    assert scores.per_class["chair"] is None
    assert scores.per_class["car"] == 0
    expected = jaccard_score(true, guess, labels=present, average=None)
    np.testing.assert_allclose([scores.per_class[VOC.names[i]] for i in present], expected, atol=1e-12)
    expected = f1_score(true, guess, labels=present, average=None)
    np.testing.assert_allclose([scores.dice[VOC.names[i]] for i in present], expected, atol=1e-12)
    assert scores.dice["chair"] is None
    assert scores.mean_dice == pytest.approx(f1_score(true, guess, labels=present, average="macro"), abs=1e-12)
    assert scores.pixel_accuracy == pytest.approx((true == guess).mean(), abs=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn: classes in the prediction that are not in the truth
        assert scores.mean_accuracy == pytest.approx(balanced_accuracy_score(true, guess), abs=1e-12)
    weighted = jaccard_score(true, guess, labels=present, average="weighted")
    assert scores.frequency_weighted_iou == pytest.approx(weighted, abs=1e-12)


def test_images_in_any_order_and_any_split_give_the_same_matrix():
    generator = np.random.default_rng(2)
    maps = [random_maps(generator) for _ in range(5)]
    whole, first, second = ConfusionMatrix(21), ConfusionMatrix(21), ConfusionMatrix(21)
    for pair in maps:
        whole.update(*pair)
    for pair in maps[::-2]:
        first.update(*pair)
    for pair in maps[1::2]:
        second.update(*pair)
    np.testing.assert_array_equal((first + second).counts, whole.counts)


def test_counting_in_strips_changes_nothing(monkeypatch):
    generator = np.random.default_rng(6)
    maps = (*random_maps(generator), 21, generator.integers(0, 3, (60, 80)), 3)
    whole = metrics.joint_counts(*maps)
    monkeypatch.setattr(metrics, "STRIP", 7)
    assert whole.sum() > 4000
    np.testing.assert_array_equal(metrics.joint_counts(*maps), whole)


def test_update_returns_the_matrix_of_that_image_alone():
    generator = np.random.default_rng(3)
    matrix, alone = ConfusionMatrix(21), ConfusionMatrix(21)
    matrix.update(*random_maps(generator))
    second = random_maps(generator)
    alone.update(*second)
    np.testing.assert_array_equal(matrix.update(*second).counts, alone.counts)


def test_a_pixel_predicted_as_void_is_an_error_of_its_true_class_only():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([[0, 0, 1, VOID]], np.uint8), np.array([[0, VOID, 1, 2]], np.uint8))
    scores = matrix.scores(from_names(["a", "b", "c"]))
    assert scores.per_class == {"a": 0.5, "b": 1.0, "c": None}
    assert scores.dice == {"a": pytest.approx(2 / 3), "b": 1.0, "c": None}
    assert scores.mean_dice == pytest.approx(5 / 6)
    assert (scores.miou, scores.pixel_accuracy) == (0.75, pytest.approx(2 / 3))


def test_ade20ks_void_channel_is_no_class():
    matrix = ConfusionMatrix(151)
    matrix.update(np.array([[1, 1, 2, VOID]], np.uint8), np.array([[1, 0, 2, 0]], np.uint8))
    scores = matrix.scores(ADE20K)
    assert scores.per_class["void"] is None
    assert (scores.miou, scores.classes) == (0.75, 2)


def test_without_a_labelled_pixel_there_is_no_score():
    matrix = ConfusionMatrix(21)
    matrix.update(np.full((4, 4), VOID, np.uint8), np.zeros((4, 4), np.uint8))
    scores = matrix.scores(VOC)
    assert (scores.miou, scores.pixel_accuracy, scores.mean_accuracy, scores.classes) == (None, None, None, 0)
    assert (scores.frequency_weighted_iou, scores.mean_dice) == (None, None)


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)),
        (np.full((2, 2), 21, np.uint8), np.zeros((2, 2), np.uint8)),
        (np.zeros((2, 2), np.uint8), np.full((2, 2), 21, np.uint8)),
        (np.zeros((2, 2), np.uint8), np.full((2, 2), 254, np.uint8)),
    ],
    ids=["shapes", "true id", "predicted id", "predicted id next to void"],
)
def test_what_cannot_be_counted_is_refused_and_counts_nothing(truth, predicted):
    matrix = ConfusionMatrix(21)
    with pytest.raises(ValueError, match=r"shape|among 21 classes"):
        matrix.update(truth, predicted)
    assert matrix.counts.sum() == 0
