"""`segcli init`: a recipe with comments, which says what the plan says and which `segcli train` takes as it is."""

import tomllib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import workspace
from blobs import write_blobs
from small_runs import tree
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.training import recipe
from segcli.training.output import commented
from segcli.training.planning import trial


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(write_blobs(tmp_path / "home", 12))
    workspace.checkpoint(tmp_path / "first.safetensors", workspace.CAT)
    return tmp_path


@pytest.fixture(autouse=True)
def _times(monkeypatch):
    times = SimpleNamespace(frozen_seconds=0.5, seconds=2.0, validation_seconds=1.0)
    monkeypatch.setattr(trial, "timed", lambda *given: times)


def segcli(*arguments):
    torch.set_num_threads(1)
    return CliRunner().invoke(app, [*map(str, arguments)])


def init(home, *more):
    named = ("--names", "field,blob", "--weights", home / "first.safetensors", "--set", "run.workers=0")
    return segcli("init", "images", "masks", *named, *more)


def test_the_recipe_is_commented_and_train_takes_it_as_it_is(home):
    result = init(home, "--set", "schedule.iterations=2", "--set", "run.save_every=1", "-o", "own.toml")
    assert result.exit_code == 0, result.output
    assert "segcli train --config own.toml" in result.stdout
    lines = (home / "home/own.toml").read_text().splitlines()
    for key in ("init", "images", "batch", "rate", "crop", "minutes"):
        (place,) = (number for number, line in enumerate(lines) if line.startswith(f"{key} = "))
        assert lines[place - 1].startswith("# "), key
    assert any(line.startswith("# batch: ") for line in lines)  # why the plan has it so
    trained = segcli("train", "--config", "own.toml", "-o", "run")
    assert trained.exit_code == 0, trained.output
    assert "best.safetensors" in tree(home / "home/run")


def test_a_file_that_is_there_is_replaced_only_when_asked(home):
    (home / "home/recipe.toml").write_text("mine")
    refused = init(home)
    assert (refused.exit_code, (home / "home/recipe.toml").read_text()) == (2, "mine")
    assert "recipe.toml is there already" in refused.stderr
    assert "--force" in refused.stderr
    assert init(home, "--force").exit_code == 0
    assert "[model]" in (home / "home/recipe.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "no photos to learn from are named"), (("images", "masks", "--folds", "3"), "--folds is nothing")],
)
def test_what_cannot_be_written_is_wrong_usage(home, arguments, said):
    result = segcli("init", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_reading_the_text_gives_the_recipe_again(tmp_path):
    made = recipe.Recipe.from_dict(
        {
            "model": {"name": "v3-resnet101", "spec": {"multi_grid": [1, 2, 3]}},
            "data": {"labels": ["a", "b"], "size": 65},
        }
    )
    made = replace(made, run=replace(made.run, keep_every=7))
    (tmp_path / "recipe.toml").write_text(commented.text(made, ["two", "lines"]))
    assert recipe.read(tmp_path / "recipe.toml") == made


def test_every_word_is_of_a_key_that_there_is():
    assert commented.WORDS.keys() <= set(recipe.known_keys())
    text = commented.text(recipe.Recipe())
    assert tomllib.loads(text)["schedule"]["batch"] == recipe.Recipe().schedule.batch
