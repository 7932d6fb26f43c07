"""`segcli train PHOTOS LABELS`: planned, told, repeated and resumed; the times of steps are made up."""

import json
import tomllib
from types import SimpleNamespace

import pytest
import torch
import workspace
from blobs import write_blobs
from small_runs import tree
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.training.optimization.trainer import Trainer
from segcli.training.planning import trial

SHORT = [
    word for change in ("schedule.iterations=2", "run.workers=0", "run.save_every=1") for word in ("--set", change)
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = write_blobs(tmp_path_factory.mktemp("planned"), 12)
    workspace.checkpoint(folder / "first.safetensors", workspace.CAT)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _times():
    with pytest.MonkeyPatch.context() as patch:
        times = SimpleNamespace(frozen_seconds=0.5, seconds=2.0, validation_seconds=1.0)
        patch.setattr(trial, "timed", lambda *given: times)
        yield


def segcli(*arguments):
    torch.set_num_threads(1)  # networks and pictures this small only wait for a second one
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def train(home, output, *more):
    named = ("--names", "field,blob", "--weights", home / "first.safetensors", "--device", "cpu")
    return segcli(home / "images", home / "masks", "-o", output, *named, *more)


@pytest.fixture(scope="module")
def trained(home, tmp_path_factory):
    """(result, folder) of a run."""
    output = tmp_path_factory.mktemp("run") / "run"
    return train(home, output, *SHORT), output


def test_a_dry_run_tells_the_plan_and_what_it_takes_and_leaves_nothing(home, tmp_path):
    result = train(home, tmp_path / "run", "--dry-run", "--minutes", "5")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("plan for 12 photos of 80 x 64, 2 classes, cpu")
    topics = [line.split("  ")[0] for line in lines[1:] if not line.startswith(" ")]
    assert {"first weights", "held out", "crop", "batch", "rate", "iterations", "time", "memory", "disk"} <= set(topics)
    assert max(map(len, lines)) <= 80
    assert "time           about 5 min (" in result.stdout
    assert not (tmp_path / "run").exists()


def test_json_has_every_decision_with_its_keys(home, tmp_path):
    result = train(home, tmp_path / "run", "--dry-run", "--json", "--quiet")
    found = json.loads(result.stdout)
    rate = next(one for one in found["plan"] if one["topic"] == "rate")
    assert rate["keys"]["schedule.rate"] == found["recipe"]["schedule"]["rate"] == 0.005
    assert found["foretold"]["memory"] > 0
    assert found["data"]["labels_with_class"] == {"field": 12, "blob": 12}


def test_a_run_keeps_its_plan_and_the_reasons_in_recipe_toml(trained, home):
    result, output = trained
    assert result.exit_code == 0, result.output
    assert "as you say     schedule.iterations = 2" in result.stderr
    assert "(1.2 s an iteration), " in result.stderr  # by what the plan has measured
    text = (output / "recipe.toml").read_text()
    assert text.startswith("# plan for 12 photos")
    assert "\n# rate: 0.005" in text
    recipe = tomllib.loads(text)
    assert recipe["data"]["images"] == str(home / "images")
    assert recipe["data"]["labels"] == "field,blob"
    assert {"best.safetensors", "last.safetensors", "split.toml"} <= tree(output)


def test_a_folder_with_a_run_is_planned_for_but_not_overwritten(trained, home):
    assert train(home, trained[1], "--dry-run").exit_code == 0
    refused = train(home, trained[1])
    assert refused.exit_code == 2
    assert "Go on with --resume" in refused.stderr


def test_its_recipe_repeats_the_run(trained, tmp_path):
    again = segcli("--config", trained[1] / "recipe.toml", "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output
    for name in ("last.safetensors", "split.toml"):
        assert (tmp_path / "again" / name).read_bytes() == (trained[1] / name).read_bytes(), name


def test_a_run_that_was_stopped_goes_on_with_resume_and_nothing_else(trained, home, tmp_path, monkeypatch):
    step, taken = Trainer.step, []

    def interrupted(*arguments):
        taken.append(arguments)
        if len(taken) > 1:
            raise KeyboardInterrupt
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        assert train(home, tmp_path / "run", *SHORT).exit_code == 130
    went_on = segcli("--resume", "-o", tmp_path / "run")
    assert went_on.exit_code == 0, went_on.output
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == (trained[1] / "last.safetensors").read_bytes()


def test_a_recipe_takes_photos_labels_and_names_of_the_command_line(trained, home, tmp_path):
    more = ("--config", trained[1] / "recipe.toml", "--names", "ground,spot", "--dry-run", "--json", "--quiet")
    result = segcli(home / "images", home / "masks", *more, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["recipe"]["data"]["labels"] == "ground,spot"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no photos to learn from are named"),
        (("--resume", "-o", "nowhere"), "nowhere holds no run to go on with"),
        (("{home}/images", "{home}/masks", "--folds", "1"), "--folds 1"),
        (
            ("{home}/images", "{home}/masks", "--model", "street", "--weights", "first.safetensors"),
            "cannot be used together",
        ),
        (("{home}/images", "{home}/masks", "--names", "field,blob,moss"), "pixel of moss"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_next_step(home, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = segcli(*(str(word).format(home=home) for word in arguments))
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_folds_and_single_runs_keep_apart(trained, home, tmp_path):
    folds = segcli("--resume", "--folds", "3", "-o", trained[1])
    assert (folds.exit_code, "begun without folds" in folds.stderr) == (2, True)
    assert not (trained[1] / "fold-1").exists()
    (tmp_path / "fold-1").mkdir()
    text = (trained[1] / "recipe.toml").read_text().replace("[data]", "[data]\nfold = [1, 3]")
    (tmp_path / "fold-1" / "recipe.toml").write_text(text)
    single = train(home, tmp_path, *SHORT)
    assert (single.exit_code, "holds runs of folds already" in single.stderr) == (2, True)
    assert tree(tmp_path) == {"fold-1/recipe.toml"}


def test_what_a_plan_says_of_the_labels_is_not_said_again(trained):
    said = trained[0].stderr
    assert [said.count(words) for words in ("labels: ", "looking at masks", "reading labels", "held out  ")] == [1] * 4
    assert "held out: " not in said


def test_several_processes_are_told_to_plan_in_one(home, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = train(home, tmp_path / "run")
    assert result.exit_code == 2
    assert "Plan it in one process" in result.stderr
