"""The course of a run: rows, the best score, and what is still to be told."""

import pytest

from segcli.training.history import History


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
    assert [history.add_score(0.25), history.best] == [True, 0.25]
    history.add_step(1.0)
    history.add_loss(rate=0.5)
    assert not history.is_validated
    assert history.last_miou == 0.25
    assert not history.add_score(0.25)
    assert history.is_validated
    assert history.rows == [{"iteration": 0, "miou": 0.25}, {"iteration": 1, "loss": 1.0, "rate": 0.5, "miou": 0.25}]
    assert history.add_score(0.5)
    assert history.best == history.last_miou == 0.5


def test_a_score_of_no_class_is_noted_and_never_the_best():
    history = History(iteration=3)
    assert not history.add_score(None)
    assert history.best is None
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
