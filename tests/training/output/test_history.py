"""The course of a run: rows, the best score, and what is still to be told."""

import pytest

from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore
from segcli.training.output.history import WORST, History


def scores(miou, **per_class):
    return Scores(miou, per_class, None, None, None, len(per_class))


def test_a_row_holds_the_mean_loss_since_the_last_one():
    history = History()
    for loss in (1.0, 2.0, 4.0):
        history.add_step(loss)
    history.add_loss(rate=0.5)
    history.add_step(8.0)
    assert history.rows == [{"iteration": 3, "loss": pytest.approx(7 / 3), "rate": 0.5}]
    assert (history.iteration, history.recent) == (4, [8.0])


def test_a_score_joins_the_row_of_its_iteration_and_is_best_or_not():
    history = History()
    assert [history.add_validation(scores(0.25, a=0.5, b=None)), history.best] == [True, 0.25]
    history.add_step(1.0)
    history.add_loss(rate=0.5)
    assert not history.is_validated
    assert history.last_miou == 0.25
    assert not history.add_validation(scores(0.25))
    assert history.is_validated
    assert history.rows == [
        {"iteration": 0, "miou": 0.25, "iou": {"a": 0.5, "b": None}, "worst": []},
        {"iteration": 1, "loss": 1.0, "rate": 0.5, "miou": 0.25, "iou": {}, "worst": []},
    ]
    assert history.best_row is history.validations[0]
    history.add_step(1.0)
    assert history.add_validation(scores(0.5))
    assert history.best == history.last_miou == 0.5
    assert history.best_row is history.rows[2]


def test_the_photos_that_fail_most_are_kept_by_name():
    mious = [0.5, None, 0.1, 0.9, 0.8, 0.7, 0.6]
    history = History()
    history.add_validation(scores(0.5), [ImageScore(f"{i}", miou, miou) for i, miou in enumerate(mious)])
    assert history.rows[0]["worst"] == [["2", 0.1], ["0", 0.5], ["6", 0.6], ["5", 0.7], ["4", 0.8]]
    assert len(history.rows[0]["worst"]) == WORST


def test_a_score_of_no_class_is_noted_and_never_the_best():
    history = History(iteration=3)
    assert not history.add_validation(scores(None))
    assert (history.best, history.best_row) == (None, {})
    assert history.is_validated


@pytest.mark.parametrize(
    ("rows", "best", "at_start"),
    [
        ([], None, False),
        ([{"iteration": 0, "miou": 0.5}, {"iteration": 9, "miou": 0.4}], 0.5, True),
        ([{"iteration": 0, "miou": 0.5}, {"iteration": 9, "miou": 0.6}], 0.6, False),
        ([{"iteration": 3, "miou": 0.5}], 0.5, False),
        ([{"iteration": 0, "miou": None}], None, False),
    ],
)
def test_whether_training_has_bettered_its_first_weights(rows, best, at_start):
    assert History(9, best, rows).is_best_at_start == at_start
