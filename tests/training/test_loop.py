"""Training: exact resume, what stops a run, what it saves; two processes do as one."""

from dataclasses import replace

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.errors import InputError, SegcliError
from segcli.training import loop, validation
from segcli.training.events import Step, Validation
from segcli.training.output import state
from segcli.training.output.run_folder import BEST, LAST, STATE
from segcli.training.partition import split
from segcli.weights import checkpoint, model_io

CPU = torch.device("cpu")
VARIED = {
    "model": {"freeze_backbone": 3, "dropout": 0.3, "output_stride": 16, "eval_output_stride": 8},
    "schedule": {"accumulate": 2, "warmup": 6},
    "augment": {
        "crop": [33, 65],
        "colour": 0.2,
        "focus": 0.5,
        "rotate": 20,
        "quarter_turns": True,
        "flip_vertical": True,
    },
    "loss": {"hardest": 0.5, "hardest_after": 6, "class_weights": [1, 2], "lovasz": 0.5, "auxiliary": 0.4},
    "optimizer": {"classifier_rate": 10, "head_rate": 2, "bias_rate": 2, "clip": 5.0, "ema": 0.9},
    "run": {"keep_every": 3},
}
FROZEN_ADAMW = {
    "model": {"freeze_backbone": 6, "bn_decay": 0.99},
    "optimizer": {"kind": "adamw", "weight_decay": 0.02},
}
"""Resumed while the backbone is frozen."""


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


def resumed(settings, folder):
    return loop.resume(settings, *split.choose(settings.data), folder, CPU)


def steps(run):
    return [event for event in run.run() if isinstance(event, Step)]


def until(run, iteration):
    """Follow a run until that many iterations are done and what they entail is written; then drop it."""
    for event in run.run():
        if isinstance(event, Step) and event.iteration == iteration + 1:
            return


@pytest.mark.parametrize("changes", [{}, VARIED, FROZEN_ADAMW], ids=["plain", "everything", "frozen, AdamW"])
def test_a_resumed_run_ends_with_the_same_bits(blobs, tmp_path, changes):
    settings = blob_recipe(blobs, changes)
    whole = begin(settings, tmp_path / "whole")
    whole_losses = [step.loss for step in steps(whole)]
    until(begin(settings, tmp_path / "parts"), 4)
    rest = resumed(replace(settings, run=replace(settings.run, workers=1)), tmp_path / "parts")
    assert rest.history.iteration == 4
    assert [step.loss for step in steps(rest)] == whole_losses[4:]
    runs = ("whole", "parts")
    numbered = [f"checkpoints/{iteration:06}.safetensors" for iteration in (3, 6) if "run" in changes]
    assert len(list(tmp_path.glob("*/checkpoints/*"))) == 2 * len(numbered)
    for name in (LAST, BEST, *numbered):
        one, other = (checkpoint.read(tmp_path / run / name) for run in runs)
        assert one.tensors.keys() == other.tensors.keys()
        assert all(torch.equal(tensor, other.tensors[key]) for key, tensor in one.tensors.items())
        assert one.scores == other.scores
    states = [state.read(tmp_path / run) for run in runs]
    for key, slot in states[0].optimizer["state"].items():
        assert slot.keys() == states[1].optimizer["state"][key].keys()
        assert all(torch.equal(slot[name], states[1].optimizer["state"][key][name]) for name in slot)
    assert states[0].history == states[1].history


def test_a_validation_that_fails_loses_no_training_and_is_made_up(blobs, tmp_path, monkeypatch):
    settings = blob_recipe(blobs, {"run": {"save_every": 100}})
    list(begin(settings, tmp_path / "whole").run())
    run = begin(settings, tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr(validation, "score", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(run.run())
    rest = list(resumed(settings, tmp_path / "parts").run())
    assert [(type(event), event.iteration) for event in rest] == [(Validation, 8)]
    for name in (LAST, BEST):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(resumed(settings, tmp_path / "parts").run())


def test_a_run_stopped_before_its_first_step_keeps_what_its_first_weights_came_to(blobs, tmp_path):
    list(begin(blob_recipe(blobs, {"schedule": {"iterations": 1}}), tmp_path / "first").run())
    settings = blob_recipe(blobs, {"model": {"name": "", "init": str(tmp_path / "first" / LAST)}})
    events = begin(settings, tmp_path / "second").run()
    assert (type(scored := next(events)), scored.iteration) == (Validation, 0)
    events.close()
    rest = resumed(settings, tmp_path / "second")
    assert rest.history.best == scored.scores.miou
    assert isinstance(next(rest.run()), Step)


def interrupted(*_):
    raise KeyboardInterrupt


def test_the_loss_falls_and_rates_follow_the_schedule(blobs, tmp_path):
    settings = blob_recipe(blobs, {"schedule": {"iterations": 12}})
    run = begin(settings, tmp_path)
    events = list(run.run())
    taken = [event for event in events if isinstance(event, Step)]
    assert [event.rate for event in taken] == pytest.approx([0.02 * (1 - i / 12) ** 0.9 for i in range(12)])
    assert taken[-1].loss < 0.75 * taken[0].loss
    assert [event.iteration for event in events if isinstance(event, Validation)] == [8, 12]
    assert [row["iteration"] for row in run.history.rows] == [3, 6, 8, 9, 12]


def test_a_checkpoint_explains_itself_and_predicts(blobs, tmp_path):
    settings = blob_recipe(blobs)
    run = begin(settings, tmp_path)
    list(run.run())
    best = checkpoint.read(tmp_path / BEST)
    assert best.recipe == settings.to_dict()
    assert best.scores["miou"] == run.history.best
    assert best.scores["per_class"] == run.history.best_row["iou"]
    assert not {"dice", "mean_dice"} & best.scores.keys()  # they follow from the IOU
    loaded = model_io.load(tmp_path / BEST)
    assert (loaded.labels.names, loaded.output_stride, loaded.preprocessing.size) == (("field", "blob"), 16, 97)


def test_what_is_saved_was_scored_at_the_stride_that_it_says(blobs, tmp_path):
    settings = blob_recipe(blobs, {"model": {"eval_output_stride": 8}, "schedule": {"iterations": 1}})
    run = begin(settings, tmp_path)
    list(run.run())
    saved = model_io.load(tmp_path / BEST)
    assert (saved.output_stride, run.model.output_stride) == (8, 16)
    assert validation.validate(saved, run.val, CPU, run.processes).scores.miou == run.history.best


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_that_vanishes_is_named_in_one_line(tmp_path, workers):
    folder = write_blobs(tmp_path / "blobs")
    run = begin(blob_recipe(folder, {"run": {"workers": workers}}), tmp_path)
    for photo in (folder / "images").iterdir():
        photo.unlink()
    with pytest.raises(InputError, match=r"images.\d\.png") as caught:
        next(run.run())
    assert "\n" not in caught.value.message


def test_resuming_clears_away_what_a_kill_left_half_written_and_makes_up_what_it_lost(blobs, tmp_path):
    settings = blob_recipe(blobs, {"run": {"save_every": 1}})
    until(begin(settings, tmp_path), 1)
    whole = (tmp_path / LAST).read_bytes()
    (tmp_path / "checkpoints").mkdir()
    for name in (".segcli-0123.part", "checkpoints/.segcli-0456.part"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / LAST).unlink()  # a kill may come between the state and its checkpoint
    resumed(settings, tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    assert (tmp_path / LAST).read_bytes() == whole


@pytest.mark.parametrize("spoilt", ["network", "optimizer"])
def test_weights_that_are_no_numbers_stop_the_run_and_spoil_nothing_that_was_saved(blobs, tmp_path, spoilt):
    """Also where the loss is one still: the batch's statistics stand in for the running ones while it learns."""
    run = begin(blob_recipe(blobs, {"run": {"save_every": 1, "validate_every": 99}}), tmp_path)
    events = run.run()
    next(events), next(events)
    before = {name: (tmp_path / name).read_bytes() for name in (LAST, STATE)}
    if spoilt == "network":
        run.model.network.get_buffer("backbone.stem.bn.running_mean")[0] = float("nan")
    else:
        first = next(iter(run.trainer.optimizer.state.values()))
        first["momentum_buffer"].view(-1)[0] = float("inf")
    with pytest.raises(SegcliError, match=rf"after iteration 2 the weights of the {spoilt} hold"):
        run._save()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
