"""Folds: which runs are trained where, how they go on, and their scores. No network is trained here."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from segcli.errors import UsageError, WeightsError
from segcli.training import folds
from segcli.training.folds import Across, FoldScore
from segcli.training.output import run_folder
from segcli.training.planning.plan import Plan
from segcli.training.recipe import Recipe

RECIPE = Recipe.from_dict({"model": {"init": "street"}, "schedule": {"minutes": 12}, "data": {"images": "photos"}})


@pytest.fixture
def trained(monkeypatch):
    """A stand-in for training that leaves a state and, where something is validated, a best checkpoint; its calls."""
    calls = []

    def train(recipe, folder, **flags):
        calls.append((recipe, folder, flags))
        yield "step"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state.pt").touch()
        data = (recipe.recipe if isinstance(recipe, Plan) else recipe).data
        if data.fold:
            run_folder.write_recipe(folder, recipe.recipe if isinstance(recipe, Plan) else recipe)
            (folder / "best.safetensors").write_text(str(data.fold[0] / 10))
        yield "validation"

    def read(path):
        value = float(path.read_text())
        return SimpleNamespace(scores={"iteration": 5, "miou": value, "per_class": {"a": value, "b": None}, "more": 1})

    monkeypatch.setattr(folds, "train", train)
    monkeypatch.setattr(folds.metadata, "read", read)
    return calls


def test_k_runs_hold_out_a_fold_each_and_the_last_one_holds_out_none(trained, tmp_path):
    events = list(folds.run(RECIPE, tmp_path, 3, skip_bad=True))
    assert [(event.fold, event.folds, event.event) for event in events[:3]] == [
        *((1, 3, "step"), (1, 3, "validation")),
        (2, 3, "step"),
    ]
    assert [event.is_whole for event in events] == [False] * 6 + [True] * 2
    assert [call[0].data.fold for call in trained] == [(1, 3), (2, 3), (3, 3), None]
    assert [call[0].data.holdout for call in trained] == [0.2, 0.2, 0.2, 0]
    assert [call[1] for call in trained] == [*(tmp_path / f"fold-{n}" for n in (1, 2, 3)), tmp_path]
    assert {call[0].schedule.minutes for call in trained} == {3.0}
    assert all(call[2]["skip_bad"] and not call[2]["resume"] for call in trained)


def test_each_fold_of_a_plan_has_its_reasons_and_what_was_measured(trained, tmp_path):
    plan = Plan(RECIPE, (), None, None, "foretold", 3)
    list(folds.run(plan, tmp_path, 3))
    assert [call[0].foretold for call in trained] == ["foretold"] * 4
    assert [call[0].recipe for call in trained] == [folds.of_fold(RECIPE, number, 3) for number in (1, 2, 3, 4)]


def test_the_scores_of_all_folds_are_written_with_mean_and_spread(trained, tmp_path):
    list(folds.run(RECIPE, tmp_path, 3))
    scores = json.loads((tmp_path / "folds.json").read_text())
    assert scores["miou"] == {"mean": pytest.approx(0.2), "spread": pytest.approx(0.2), "folds": 3}
    assert scores["per_class"]["a"] == scores["miou"]
    assert scores["per_class"]["b"] == {"mean": None, "spread": None, "folds": 0}
    assert [fold["miou"] for fold in scores["folds"]] == [0.1, 0.2, 0.3]
    assert folds.read(tmp_path, 3).folds[2] == FoldScore(3, 5, 0.3, {"a": 0.3, "b": None})


def test_it_goes_on_at_the_fold_that_was_not_finished(trained, tmp_path):
    events = folds.run(RECIPE, tmp_path, 3)
    while next(events).fold < 2:
        pass
    events.close()
    with pytest.raises(UsageError, match="holds runs of folds already"):
        folds.run(RECIPE, tmp_path, 3)
    trained.clear()
    list(folds.run(RECIPE, tmp_path, 3, resume=True))
    assert [call[2]["resume"] for call in trained] == [True, False, False, False]
    assert len(folds.read(tmp_path, 3).folds) == 3


def test_a_run_that_never_began_cannot_be_resumed(trained, tmp_path):
    next(folds.run(RECIPE, tmp_path, 2, resume=True))
    assert trained[0][2]["resume"] is True  # which training then refuses


def test_scores_that_are_no_numbers_are_refused(trained, tmp_path, monkeypatch):
    list(folds.run(RECIPE, tmp_path, 2))
    monkeypatch.setattr(folds.metadata, "read", lambda path: SimpleNamespace(scores={"miou": "high"}))
    with pytest.raises(WeightsError, match="damaged scores: miou cannot be 'high'"):
        folds.read(tmp_path, 2)


def test_a_score_that_no_fold_has_is_none():
    assert Across.of([None, None]) == Across(None, None, 0)
    assert Across.of([0.25, None, 0.75]) == Across(0.5, 0.5, 2)


@pytest.mark.parametrize(
    ("k", "data", "said"),
    [
        (1, {}, "1 folds cannot be made"),
        (101, {}, "101 folds"),
        (3, {"dataset": "camvid", "images": ""}, "camvid has its own photos to validate on"),
        (3, {"val_images": "a", "val_masks": "b"}, "data.val_images and folds cannot be used together"),
        (3, {"fold": [1, 2]}, "data.fold and folds cannot be used together"),
    ],
)
def test_what_cannot_be_split_is_refused_by_the_call(tmp_path, k, data, said):
    recipe = Recipe.from_dict({"model": {"init": "street"}, "data": {"images": "photos", **data}})
    with pytest.raises(UsageError, match=said):
        folds.run(recipe, tmp_path, k)


def test_the_recipe_of_begun_folds_is_found_again(tmp_path):
    run_folder.write_recipe(tmp_path / "fold-1", folds.of_fold(RECIPE, 1, 3))
    found, k = folds.begun(tmp_path)
    assert (found, k) == (replace(RECIPE, data=replace(RECIPE.data, holdout_by="group")), 3)
    assert folds.begun(tmp_path / "fold-1") is None
