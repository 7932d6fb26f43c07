"""`segcli train`: from a recipe to a checkpoint that predicts; refusals, kills, two processes."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest
import tomli_w
import torch
from blobs import blob_recipe, write_blobs
from dataset_files import write_mask
from kill_training import kill_again_and_again
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.cli.views.training import TrainingDisplay
from segcli.training import recipe
from segcli.training.events import Step
from segcli.training.optimization.trainer import Trainer
from segcli.training.output.history import History


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Blobs and the recipe for them."""
    folder = write_blobs(tmp_path_factory.mktemp("train"))
    (folder / "recipe.toml").write_text(tomli_w.dumps(blob_recipe(folder).to_dict()))
    return folder


def train(home, output, *arguments):
    return CliRunner().invoke(app, ["train", "-c", str(home / "recipe.toml"), "-o", str(output), *arguments])


@pytest.fixture(scope="module")
def trained(home, tmp_path_factory):
    """(result, folder) of a run."""
    output = tmp_path_factory.mktemp("run") / "run"
    return train(home, output, "--set", "schedule.iterations=24"), output


def test_a_run_leaves_checkpoints_metrics_and_pictures(trained):
    result, output = trained
    assert result.exit_code == 0, result.output
    left = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert {"best.safetensors", "last.safetensors", "state.pt", "recipe.toml", "metrics.csv", "curve.png"} <= left
    assert {f"overlays/0000{i:02}/2.jpg" for i in (8, 16, 24)} <= left
    rows = list(csv.DictReader((output / "metrics.csv").open()))
    assert [row["iteration"] for row in rows if row["miou"]] == ["8", "16", "24"]
    names = [f"{score} {name}" for score in ("iou", "dice") for name in ("field", "blob")]
    assert list(rows[-1]) == ["iteration", "loss", "rate", "miou", *names]
    assert sum(float(rows[-1][f"iou {name}"]) for name in ("field", "blob")) / 2 == pytest.approx(
        float(rows[-1]["miou"])
    )
    assert Image.open(output / "curve.png").size == (960, 1200)
    assert recipe.read(output / "recipe.toml").schedule.iterations == 24


def test_it_says_how_far_it_is_how_long_it_takes_and_what_comes_next(trained):
    result, output = trained
    assert "foretold: about " in result.stderr
    assert "for the rest" not in result.stderr  # one estimate is enough
    assert "loss 0." in result.stderr
    assert "iteration 8: val mIOU" in result.stderr
    first, *_, score, use = result.stdout.splitlines()
    assert first.startswith("best val mIOU")
    assert (score, use) == (f"segcli eval --weights {output}", f"segcli predict PHOTOS --weights {output}")
    assert "field" in result.stdout
    assert len(re.findall(r"^worst: \d  mIOU", result.stdout, re.M)) == 2  # all that there are
    table = result.stderr.partition("iteration 16: val mIOU")[2].splitlines()[1:4]
    assert [line.split()[0] for line in table] == ["class", "field", "blob"]


def test_the_checkpoint_predicts(trained, home, tmp_path):
    arguments = [
        "predict",
        str(home / "images"),
        "--weights",
        str(trained[1] / "best.safetensors"),
        "-o",
        str(tmp_path),
    ]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert (result.exit_code, json.loads(result.stdout)["segmented"]) == (0, 8)


@pytest.mark.parametrize(("seconds", "said"), [(0.1, "about 0:33:20"), (9.0, "lower schedule.iterations")])
def test_many_hours_come_with_what_to_lower(home, seconds, said):
    display = TrainingDisplay(blob_recipe(home, {"schedule": {"iterations": 20_020}}), home)
    display.seconds = [seconds] * 20
    text, _ = display._estimate(done=20)
    assert said in text
    assert ("lower" in text) == (seconds > 1)


def test_the_estimate_is_made_again_when_the_backbone_learns(home, capsys):
    changes = {"model": {"freeze_backbone": 22}, "schedule": {"iterations": 44}}
    display = TrainingDisplay(blob_recipe(home, changes), home)
    display.started(History())
    display.follow(Step(iteration, 0.5, 0.01, seconds=60.0) for iteration in range(1, 45))
    said = capsys.readouterr().err
    assert (
        "about 0:24:00 for the rest, validations not counted; longer once the backbone learns, after iteration 22"
        in said
    )
    assert "about 0:02:00 for the rest, validations not counted\n" in said
    assert said.count("for the rest") == 2


@pytest.mark.parametrize(("steps", "said"), [(1, "the same command starts anew"), (5, "--resume goes on")])
def test_an_interruption_says_what_can_go_on(home, tmp_path, monkeypatch, steps, said):
    taken, step = [], Trainer.step

    def interrupted(*arguments):
        taken.append(arguments)
        if len(taken) > steps:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(Trainer, "step", interrupted)
    result = train(home, tmp_path / "run")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert said in result.stderr


def test_a_recipe_may_be_named_and_an_old_path_leads_to_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = CliRunner().invoke(app, ["train", "--config", "finetune"])
    assert named.exit_code == 1
    assert "photos is no folder" in named.stderr
    moved = CliRunner().invoke(app, ["train", "--config", "examples/finetune.toml"])
    assert moved.exit_code == 2
    assert "It comes with segcli: --config finetune" in moved.stderr


def test_only_the_first_of_torchruns_processes_speaks(home, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    display = TrainingDisplay(blob_recipe(home), tmp_path, as_json=True)
    assert (display.as_json, display.quiet) == (False, True)
    monkeypatch.setenv("RANK", "0")
    display = TrainingDisplay(blob_recipe(home), tmp_path, as_json=True)
    assert (display.as_json, display.quiet) == (True, False)


def test_json_is_one_object(home, tmp_path):
    result = train(home, tmp_path, "--json", "--quiet", "--set", "schedule.iterations=1")
    found = json.loads(result.stdout)
    assert found["iou"].keys() == found["dice"].keys() == {"field", "blob"}
    assert (found["iterations"], found["best_iteration"], found["ended"]) == (1, 1, "iterations")
    assert found["best_miou"] == pytest.approx(sum(found["iou"].values()) / 2)
    assert result.stderr == ""


def test_a_folder_with_a_run_is_not_overwritten(trained, home):
    result = train(home, trained[1])
    assert result.exit_code == 2
    assert "--resume" in result.stderr


def test_a_new_run_does_not_overwrite_the_checkpoints_of_one_whose_state_was_deleted(home, tmp_path):
    kept = {"state.pt": "--resume", "last.safetensors": "would overwrite", "best.safetensors": "would overwrite"}
    for name, said in kept.items():
        (tmp_path / name).touch()
        result = train(home, tmp_path)
        assert result.exit_code == 2
        assert said in result.stderr
        (tmp_path / name).unlink()
    assert not (tmp_path / "recipe.toml").exists()


def test_a_finished_run_resumes_to_its_end_at_once(trained, home):
    before = (trained[1] / "last.safetensors").read_bytes()
    result = train(home, trained[1], "--resume", "--set", "schedule.iterations=24")
    assert result.exit_code == 0, result.output
    assert (trained[1] / "last.safetensors").read_bytes() == before
    assert "this run has ended, after iteration 24" in result.stderr
    assert result.stdout == trained[0].stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("schedule.rat=1", "Did you mean schedule.rate?"),
        ("model.name=v3-mobilnetv2", "v3-mobilenetv2"),
        ("loss.class_weights=[1, 2, 3]", "3 numbers, there are 2 classes"),
        ("data.images=nowhere", "nowhere"),
        ("run.device=gpu", "auto, cpu, cuda"),
    ],
)
def test_a_wrong_recipe_is_refused(home, tmp_path, change, said):
    result = train(home, tmp_path / "run", "--set", change)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert not (tmp_path / "run").exists()


def test_labels_out_of_range_stop_it_before_the_first_step(tmp_path):
    folder = write_blobs(tmp_path / "bad", 5)
    (folder / "recipe.toml").write_text(tomli_w.dumps(blob_recipe(folder).to_dict()))
    write_mask(folder / "masks" / "3.png", [[0, 7] * 40] * 64)
    result = train(folder, tmp_path / "run")
    assert result.exit_code == 1
    assert "3.png holds id 7 (2560 pixels)" in result.stderr
    assert not (tmp_path / "run").exists()
    left_out = train(folder, tmp_path / "run", "--skip-bad", "--set", "schedule.iterations=1")
    assert left_out.exit_code == 0, left_out.output


def test_labels_without_a_class_stop_it_unless_they_may_lack_it(home, tmp_path):
    more = ("--set", 'data.labels=["field", "blob", "moss"]', "--set", "schedule.iterations=1")
    result = train(home, tmp_path / "run", *more)
    assert result.exit_code == 1
    assert "no label holds a pixel of moss" in result.stderr
    assert "--allow-missing" in result.stderr
    allowed = train(home, tmp_path / "run", *more, "--allow-missing")
    assert allowed.exit_code == 0, allowed.output
    assert "over 2 of 3 classes; no pixel of: moss" in allowed.stderr


def test_weights_that_know_the_classes_are_scored_before_the_first_step(trained, home, tmp_path):
    start = trained[1] / "last.safetensors"
    changes = {"model": {"init": str(start), "freeze_bn": True}, "schedule": {"iterations": 2, "rate": 1e-12}}
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(blob_recipe(home, changes).to_dict()))
    result = train(tmp_path, tmp_path / "run", "--json")
    assert result.exit_code == 0, result.output
    assert "no better than the weights it began with" in result.stderr
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").open()))
    assert (rows[0]["iteration"], rows[0]["loss"]) == ("0", "")
    assert float(rows[0]["miou"]) == json.loads(result.stdout)["best_miou"]
    best = load_file(tmp_path / "run" / "best.safetensors")
    assert all(torch.equal(best[key], tensor) for key, tensor in load_file(start).items())


def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path):
    """Twenty kills: `python tests/helpers/kill_training.py`."""
    began = kill_again_and_again(tmp_path, kills=1, iterations=20, patience=0.2, saved=True)
    assert 0 < began[0] < 20


def test_two_processes_do_as_one_with_the_whole_batch(trained, home, tmp_path):
    """From a trained checkpoint, its batch normalisation frozen; every photo has its own share of void.

    The rate is low: with fixed statistics so small a network multiplies the last bit's difference at every step. What
    moved by a hundred-thousandth of itself moved by few last bits: two of them are allowed for rounding. A lost or
    doubled share of the batch moves it by dozens.
    """
    start = trained[1] / "last.safetensors"
    changes = {
        "model": {"init": str(start), "freeze_bn": True, "dropout": 0},
        "schedule": {"iterations": 10, "rate": 1e-5},
        "optimizer": {"classifier_rate": 100, "ema": 0.9},
        "loss": {"auxiliary": 0.4},
        "run": {"validate_every": 10, "overlays": 0},
    }
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(blob_recipe(home, changes).to_dict()))
    one = train(tmp_path, tmp_path / "one")
    assert one.exit_code == 0, one.output
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "segcli"]
    arguments = ["train", "-c", str(tmp_path / "recipe.toml"), "-o", str(tmp_path / "two"), "--json"]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    two = subprocess.run([*launcher, *arguments], env=quiet, capture_output=True, text=True, check=False)
    assert two.returncode == 0, two.stderr
    assert json.loads(two.stdout)["iterations"] == 10
    before, alone, together = map(load_file, (start, *(tmp_path / run / "last.safetensors" for run in ("one", "two"))))
    assert max(relative(together[key], alone[key]) for key in alone) <= 1e-5
    moved = [key for key in alone if relative(alone[key], before[key]) > 1e-5]
    assert {"backbone.stem.conv.weight", "classifier.weight"} <= set(moved)
    for key in moved:
        rounding = 2 * torch.finfo(torch.float32).eps * alone[key].norm()
        assert (together[key] - alone[key]).norm() <= 1e-3 * (alone[key] - before[key]).norm() + rounding, key


def relative(one, other):
    return float((one - other).norm() / other.norm().clamp(min=1e-12))
