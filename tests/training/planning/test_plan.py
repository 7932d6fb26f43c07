"""A plan as a whole: from photos and labels to a recipe; the steps are not timed here, their times are made up."""

from types import SimpleNamespace

import pytest
import workspace
from blobs import write_blobs
from heard import Heard

import segcli
from segcli.errors import UsageError
from segcli.labels import from_names
from segcli.training.partition import split
from segcli.training.planning import trial
from segcli.training.recipe import Recipe

BLOBS = from_names(["field", "blob"])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Twelve photos with blobs, and weights of which one set knows their classes."""
    folder = write_blobs(tmp_path_factory.mktemp("planned"), 12)
    workspace.checkpoint(folder / "others.safetensors", workspace.CAT)
    workspace.checkpoint(folder / "same.safetensors", BLOBS)
    return folder


@pytest.fixture(scope="module", autouse=True)
def tried():
    """The recipes that were tried."""
    recipes = []

    def timed(model, recipe, train, val, device):
        recipes.append(recipe)
        return SimpleNamespace(frozen_seconds=0.5, seconds=2.0, validation_seconds=1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "timed", timed)
        yield recipes


@pytest.fixture(scope="module")
def plan(home, tried, tmp_path_factory):
    return planned(home, output=tmp_path_factory.mktemp("out") / "run")


def planned(home, **others):
    given = {"names": "field,blob", "model": home / "others.safetensors", "device": "cpu", **others}
    return segcli.plan(home / "images", home / "masks", **given)


def test_photos_and_labels_make_a_recipe(plan, home, tried):
    assert plan.recipe == Recipe.from_dict(plan.recipe.to_dict())
    data = plan.recipe.data
    assert (data.images, data.masks, data.labels) == (str(home / "images"), str(home / "masks"), "field,blob")
    assert (data.holdout, data.holdout_by) == (0.25, "group")
    assert plan.recipe.model.init == str(home / "others.safetensors")
    assert plan.recipe.schedule.minutes == 10
    # 570 s less ten validations of 4 photos of 1 s; a third of the steps takes 0.5 s, the rest 2 s
    assert plan.recipe.schedule.iterations == 458  # 1.3 times 353
    assert plan.recipe.model.freeze_backbone == 153
    assert tried[0].model.freeze_backbone == 1
    assert tried[0].augment == plan.recipe.augment


def test_the_plan_holds_out_the_very_photos_that_the_run_will(plan, home):
    _, val = split.choose(plan.recipe.data)
    assert plan.data.counts.keys() >= set(val.samples)
    reason = next(reason for reason in plan.reasons if reason.topic == "held out")
    assert reason.taken == f"{len(val)} of 12 photos"
    assert reason.why == (
        "the model does not learn from them, and is scored on them; "
        "photos that follow each other may look alike and are kept together"
    )
    several = planned(home, changes=["data.holdout=0.5"])
    assert several.foretold.costs.validation == len(split.choose(several.recipe.data)[1])  # at 1 s a photo


def test_every_reason_says_what_stands_in_the_recipe(plan):
    tables = plan.recipe.to_dict()
    for reason in plan.reasons:
        for key, value in reason.keys.items():
            table, _, name = key.partition(".")
            assert tables[table].get(name) == value, key
    assert plan.comments[0].startswith("plan for 12 photos of 80 x 64, 2 classes, cpu")
    assert max(map(len, plan.comments)) <= 100


def test_weights_that_know_the_classes_are_trained_gently(home):
    recipe = planned(home, model=home / "same.safetensors").recipe
    assert (recipe.schedule.rate, recipe.model.freeze_backbone) == (0.0007, 0)


def test_what_the_user_sets_goes_before_the_plan(home, tried):
    plan = planned(home, changes=["augment.crop=49", "schedule.iterations=30", "run.seed=5"])
    assert plan.recipe.augment.crop == tried[-1].augment.crop == 49
    assert (plan.recipe.schedule.iterations, plan.recipe.schedule.minutes) == (30, 0)
    assert plan.recipe.run.seed == 5
    said = {reason.taken for reason in plan.reasons if reason.topic == "as you say"}
    assert said == {"augment.crop = 49", "schedule.iterations = 30", "run.seed = 5"}
    assert "crop" not in {reason.topic for reason in plan.reasons}


def test_how_labels_are_read_is_said_and_kept(home):
    heard = Heard()
    plan = planned(home, changes=['data.labels=["field", "spot"]'], listener=heard)
    assert any(note.startswith("labels: ") for note in heard.notes)
    assert plan.data.labels.names == ("field", "spot")


def test_pictures_are_turned_where_the_user_says_that_they_have_no_up(plan, home):
    assert not plan.recipe.augment.quarter_turns
    assert planned(home, has_up=False).recipe.augment.quarter_turns


def test_folds_share_the_time(plan, home):
    parted = planned(home, folds=3)
    assert parted.folds == 3
    assert parted.recipe.schedule.minutes == 10
    assert parted.recipe.schedule.iterations < plan.recipe.schedule.iterations / 3
    assert parted.foretold.seconds == 600


def test_what_a_plan_takes_is_foretold(plan):
    told = plan.foretold
    assert told.seconds == 600  # more steps are planned than are thought to fit
    assert told.step_seconds == pytest.approx(1.5, abs=0.01)
    assert 0 < told.memory < told.available
    assert 0 < told.disk < told.free


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"changes": ["schedule.rat=1"]}, "schedule.rat"),
        ({"changes": ["data.dataset=camvid"]}, "cannot be planned"),
        ({"changes": ["model.init=imagenet"]}, "a plan starts from weights"),
        ({"model": "street", "changes": ["model.init=other"]}, "are both first weights"),
        ({"minutes": 0}, "no time to train in"),
        ({"folds": 1}, "--folds 1 is not possible"),
        ({"model": "strete"}, "strete"),
        ({"names": "field"}, "field"),
    ],
)
def test_what_cannot_be_planned_is_refused(home, others, said):
    with pytest.raises(UsageError, match=said):
        planned(home, **others)


def test_several_processes_do_not_plan(home, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="several processes") as refused:
        planned(home)
    assert "--config" in refused.value.hint
