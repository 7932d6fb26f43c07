"""What a run came to, from its history alone; so a resumed run tells the same."""

from pathlib import Path

import pytest

from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore
from segcli.training.output.history import History
from segcli.training.output.run_folder import BEST, LAST
from segcli.training.output.summary import Summary
from segcli.training.recipe import Model, Recipe, Run, Schedule

RECIPE = Recipe(Model("street"), schedule=Schedule(iterations=20, minutes=3), run=Run(patience=2))


def history(*mious, every=10):
    found = History()
    for index, miou in enumerate(mious):
        found.iteration = every * index
        images = [ImageScore(f"{index}-{place}", miou, 0.5) for place in "ab"]
        found.add_validation(Scores(miou, {"soil": miou, "moss": None}, None, None, None, 1), images)
    return found


def test_the_best_validation_is_told_and_not_the_last(tmp_path):
    (tmp_path / BEST).touch()
    found = Summary.of(history(0.25, 0.5, 0.4), RECIPE, tmp_path)
    assert (found.weights, found.iterations, found.ended) == (tmp_path / BEST, 20, "iterations")
    assert (found.first_miou, found.best_miou, found.best_iteration, found.last_miou) == (0.25, 0.5, 10, 0.4)
    assert found.iou == {"soil": 0.5, "moss": None}
    assert found.dice == {"soil": pytest.approx(2 / 3), "moss": None}
    assert found.mean_dice == pytest.approx(2 / 3)
    assert found.worst == (("1-a", 0.5), ("1-b", 0.5))
    told = found.to_dict()
    assert told["worst"][0] == {"name": "1-a", "miou": 0.5}
    assert told["dice"] == found.dice


@pytest.mark.parametrize(
    ("mious", "every", "ended"),
    [([0.5, 0.5, 0.5], 10, "iterations"), ([0.5, 0.5, 0.5], 9, "patience"), ([0.5, 0.6], 9, "minutes")],
)
def test_why_it_ended(mious, every, ended):
    assert Summary.of(history(*mious, every=every), RECIPE, Path("run")).ended == ended


def test_a_run_without_validation_names_its_newest_checkpoint(tmp_path):
    found = Summary.of(History(20, rows=[{"iteration": 20, "loss": 1.0, "rate": 0.1}]), RECIPE, tmp_path / "my run")
    assert found.weights == tmp_path / "my run" / LAST
    assert (found.best_miou, found.best_iteration, found.first_miou, found.mean_dice) == (None,) * 4
    assert found.commands == [f"segcli predict PHOTOS --weights '{tmp_path / 'my run'}'"]


def test_a_run_that_an_earlier_version_validated_has_no_scores_of_classes():
    rows = [{"iteration": 10, "miou": 0.5}, {"iteration": 20, "loss": 1.0, "rate": 0.1, "miou": 0.25}]
    found = Summary.of(History(20, 0.5, rows), RECIPE, Path("run"))
    assert (found.best_iteration, found.iou, found.worst, found.mean_dice) == (10, {}, (), None)
    assert found.commands[0] == "segcli eval --weights run"
