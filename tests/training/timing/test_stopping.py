"""Early stop: what counts as a gain, what is waited for, and that a run stopped so has ended."""

from dataclasses import replace

import pytest
from blobs import begin, blob_recipe, write_blobs

from segcli.training import loop
from segcli.training.events import Step
from segcli.training.output.history import History
from segcli.training.partition import split
from segcli.training.recipe import Model, Recipe, Run, Schedule
from segcli.training.timing import stopping


def due(mious, patience, frozen=0, every=10):
    """Whether it is due after validations of those mIOUs, in per cent, at 0, `every`, 2 `every`, ... iterations."""
    rows = [
        row
        for index, miou in enumerate(mious)
        for row in ({"iteration": every * index + 3, "loss": 1.0}, {"iteration": every * index, "miou": miou})
    ]
    for row in rows:
        if row.get("miou") is not None:
            row["miou"] /= 100
    recipe = Recipe(Model("street", freeze_backbone=frozen), run=Run(patience=patience))
    return stopping.due(History(rows=rows), recipe)


@pytest.mark.parametrize(
    ("mious", "patience", "expected"),
    [
        ([50, 50, 50, 50, 50], 0, False),
        ([], 2, False),
        ([50, 50], 2, False),
        ([50, 50, 50], 2, True),
        ([50, 50.1, 50.19], 2, True),
        ([50, 50.1, 50.21], 2, False),  # many small gains are one
        ([50, 50.21, 50.1], 2, False),
        ([50, 40, 49], 2, True),  # the weights it began with are to be beaten too
        ([50, 60, 55, 58, 60.1], 3, True),
        ([50, 60, 55, 58, 60.1], 4, False),
        ([None, None, None, None], 2, False),  # where nothing is labelled nothing can be told
        ([50, None, 50, None, 50], 2, True),
    ],
)
def test_so_many_validations_without_a_gain_are_enough(mious, patience, expected):
    assert due(mious, patience) == expected


@pytest.mark.parametrize(("frozen", "expected"), [(0, True), (29, True), (30, False), (100, False)])
def test_validations_before_the_backbone_learns_are_not_waited_for(frozen, expected):
    assert due([50, 50, 50, 50, 50], 2, frozen) == expected


def test_in_a_run_that_was_cut_short_the_backbone_learns_sooner():
    """Of 100 planned iterations 50 are taken from iteration 0 on, so that a freeze of 40 ends after 20."""
    rows = [{"iteration": done, "miou": 0.5} for done in (10, 20, 30)]
    recipe = Recipe(Model("street", freeze_backbone=40), schedule=Schedule(iterations=100), run=Run(patience=1))
    assert not stopping.due(History(rows=rows[:2], pace=[(0, 50)]), recipe)
    assert stopping.due(History(rows=rows, pace=[(0, 50)]), recipe)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


def test_a_run_stopped_early_has_ended_unless_more_patience_is_asked_for(blobs, tmp_path):
    """Nothing is learned at such a rate, so that no validation brings a gain."""
    changes = {"schedule": {"rate": 1e-12, "iterations": 6}, "model": {"bn_decay": 0.99999}}
    changes["run"] = {"validate_every": 1, "patience": 2, "overlays": 0}
    settings = blob_recipe(blobs, changes)
    run = begin(settings, tmp_path)
    assert [event.iteration for event in run.run() if isinstance(event, Step)] == [1, 2, 3]
    parts = split.choose(settings.data)
    assert not list(loop.resume(settings, *parts, tmp_path, run.device).run())
    patient = replace(settings, run=replace(settings.run, patience=3))
    rest = loop.resume(patient, *parts, tmp_path, run.device)
    assert [event.iteration for event in rest.run() if isinstance(event, Step)] == [4]
