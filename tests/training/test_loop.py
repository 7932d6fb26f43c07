"""Training: exact resume, what stops a run, what it saves; two processes do as one."""

from dataclasses import replace

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from segcli.errors import InputError, SegcliError, UsageError, WeightsError
from segcli.labels import VOID
from segcli.training import loop, losses, split, state
from segcli.training.events import Step, Validation
from segcli.training.lovasz import lovasz_softmax
from segcli.training.recipe import BEST, LAST, STATE
from segcli.weights import checkpoint, model_io

CPU = torch.device("cpu")
VARIED = {
    "model": {"freeze_backbone": 3, "dropout": 0.3},
    "schedule": {"accumulate": 2, "warmup": 6},
    "augment": {"colour": 0.2, "focus": 0.5},
    "loss": {"hardest": 0.5, "hardest_after": 6, "class_weights": [1, 2], "lovasz": 0.5},
    "optimizer": {"classifier_rate": 10, "clip": 5.0},
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
    assert rest.iteration == 4
    assert [step.loss for step in steps(rest)] == whole_losses[4:]
    for name in (LAST, BEST):
        one, other = (checkpoint.read(tmp_path / run / name) for run in ("whole", "parts"))
        assert one.tensors.keys() == other.tensors.keys()
        assert all(torch.equal(tensor, other.tensors[key]) for key, tensor in one.tensors.items())
        assert one.scores == other.scores
    states = [state.read(tmp_path / run) for run in ("whole", "parts")]
    for key, slot in states[0].optimizer["state"].items():
        assert slot.keys() == states[1].optimizer["state"][key].keys()
        assert all(torch.equal(slot[name], states[1].optimizer["state"][key][name]) for name in slot)
    assert states[0].history == states[1].history


def test_a_validation_that_fails_loses_no_training_and_is_made_up(blobs, tmp_path, monkeypatch):
    settings = blob_recipe(blobs, {"run": {"save_every": 100}})
    list(begin(settings, tmp_path / "whole").run())
    run = begin(settings, tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr(loop.scoring, "score", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(run.run())
    rest = list(resumed(settings, tmp_path / "parts").run())
    assert [(type(event), event.iteration) for event in rest] == [(Validation, 8)]
    for name in (LAST, BEST):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(resumed(settings, tmp_path / "parts").run())


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "loss", [{"lovasz": 1.5}, {"class_weights": [1, 10]}, {"hardest": 0.25}, {"shrink_labels": True}], ids=str
)
def test_the_recipes_loss_is_the_one_that_is_trained(blobs, tmp_path, loss):
    """The first step's loss against the loss of its crops, computed here."""
    settings = blob_recipe(blobs, {"loss": loss, "model": {"dropout": 0}})
    run = begin(settings, tmp_path)
    images, labels, _ = next(run._parts())
    with torch.no_grad():
        logits = run.model.network.train()(images)
    large = F.interpolate(logits, labels.shape[1:], mode="bilinear", align_corners=run.model.spec.align_corners)
    small = losses.shrink(labels, tuple(logits.shape[2:]), run.model.spec.align_corners)
    class_weights = torch.tensor(settings.loss.class_weights or (1.0, 1.0))
    expected = F.cross_entropy(large, labels.long(), class_weights, ignore_index=VOID)
    if settings.loss.lovasz:
        expected += 1.5 * lovasz_softmax(logits, small)
    if settings.loss.hardest < 1:
        each = F.cross_entropy(large, labels.long(), ignore_index=VOID, reduction="none")[labels != VOID]
        expected = each.topk(len(each) // 4).values.mean()
    if settings.loss.shrink_labels:
        expected = F.cross_entropy(logits, small.long(), ignore_index=VOID)
    plain = next(begin(blob_recipe(blobs, {"model": {"dropout": 0}}), tmp_path).run()).loss
    step = next(begin(settings, tmp_path).run())
    assert step.loss == pytest.approx(float(expected), rel=1e-5)
    assert abs(step.loss - plain) > 1e-4


def test_the_loss_falls_and_rates_follow_the_schedule(blobs, tmp_path):
    settings = blob_recipe(blobs, {"schedule": {"iterations": 12}})
    run = begin(settings, tmp_path)
    events = list(run.run())
    taken = [event for event in events if isinstance(event, Step)]
    assert [event.rate for event in taken] == pytest.approx([0.02 * (1 - i / 12) ** 0.9 for i in range(12)])
    assert taken[-1].loss < 0.75 * taken[0].loss
    assert [event.iteration for event in events if isinstance(event, Validation)] == [8, 12]
    assert [row["iteration"] for row in run.history] == [3, 6, 8, 9, 12]


def test_a_checkpoint_explains_itself_and_predicts(blobs, tmp_path):
    settings = blob_recipe(blobs)
    run = begin(settings, tmp_path)
    list(run.run())
    best = checkpoint.read(tmp_path / BEST)
    assert best.recipe == settings.to_dict()
    assert best.scores["miou"] == run.best
    loaded = model_io.load(tmp_path / BEST)
    assert (loaded.labels.names, loaded.output_stride, loaded.preprocessing.size) == (("field", "blob"), 16, 97)


def test_a_batch_of_one_trains_with_image_pooling(blobs, tmp_path):
    settings = blob_recipe(blobs, {"schedule": {"batch": 1, "iterations": 2}})
    assert all(0 < step.loss < 10 for step in steps(begin(settings, tmp_path)))


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_and_channels_last_start_where_single_precision_does(blobs, tmp_path, amp):
    changes = {"schedule": {"iterations": 2}, "model": {"dropout": 0}}
    plain = steps(begin(blob_recipe(blobs, changes), tmp_path / "plain"))
    settings = blob_recipe(blobs, {**changes, "run": {"amp": amp, "channels_last": True}})
    mixed = steps(begin(settings, tmp_path / "mixed"))
    assert mixed[0].loss == pytest.approx(plain[0].loss, rel=0.02)
    assert 0 < mixed[1].loss < 1  # fp16 may skip its first steps until it has found its scale
    assert resumed(settings, tmp_path / "mixed").iteration == 2


@pytest.mark.parametrize("class_weights", [[], [1, 10]])
def test_parts_of_a_batch_add_up_to_it(blobs, tmp_path, class_weights):
    """With frozen batch normalisation; each photo has another share of void, and of each class."""
    changes = {"schedule": {"iterations": 3}, "model": {"dropout": 0, "freeze_bn": True}}
    changes["loss"] = {"class_weights": class_weights}
    whole = steps(begin(blob_recipe(blobs, changes), tmp_path / "whole"))
    changes["schedule"]["accumulate"] = 4
    parts = steps(begin(blob_recipe(blobs, changes), tmp_path / "parts"))
    assert [step.loss for step in parts] == pytest.approx([step.loss for step in whole], rel=1e-5)


def test_a_long_gradient_is_shortened(blobs, tmp_path):
    changes = {"schedule": {"rate": 0.5, "iterations": 1}, "optimizer": {"clip": 0.001, "weight_decay": 0}}
    run = begin(blob_recipe(blobs, changes), tmp_path)
    before = [parameter.detach().clone() for parameter in run.model.network.parameters()]
    next(run.run())
    moved = [(new - old).norm() for new, old in zip(run.model.network.parameters(), before, strict=True)]
    assert torch.stack(moved).norm().item() == pytest.approx(0.5 * 0.001, rel=1e-3)


def test_a_loss_that_is_no_number_stops_with_the_photos_named(blobs, tmp_path):
    run = begin(blob_recipe(blobs), tmp_path)
    with torch.no_grad():
        run.model.network.classifier.bias.fill_(float("nan"))
    weight = run.model.network.classifier.weight.clone()
    with pytest.raises(SegcliError, match=r"loss of iteration 1 is nan; its photos: .*\.png") as caught:
        next(run.run())
    assert caught.value.message.count(".png") == 4
    assert "schedule.rate" in caught.value.hint
    assert "if it has one" in caught.value.hint
    assert torch.equal(run.model.network.classifier.weight, weight)


def test_a_gradient_that_is_no_number_stops_before_it_spoils_the_weights(blobs, tmp_path):
    run = begin(blob_recipe(blobs), tmp_path)
    weight = run.model.network.classifier.weight
    weight.register_hook(lambda gradient: gradient * float("inf"))
    before = weight.detach().clone()
    with pytest.raises(SegcliError, match=r"gradient of iteration 1 is (nan|inf); its photos: .*\.png"):
        next(run.run())
    assert torch.equal(weight, before)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_that_vanishes_is_named_in_one_line(tmp_path, workers):
    folder = write_blobs(tmp_path / "blobs")
    run = begin(blob_recipe(folder, {"run": {"workers": workers}}), tmp_path)
    for photo in (folder / "images").iterdir():
        photo.unlink()
    with pytest.raises(InputError, match=r"images.\d\.png") as caught:
        next(run.run())
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("words", ["CUDA out of memory. Tried", "DefaultCPUAllocator: can't allocate memory"])
def test_out_of_memory_says_what_to_change(blobs, tmp_path, monkeypatch, words):
    def full(*_):
        raise RuntimeError(words)

    monkeypatch.setattr(loop.losses, "mean", full)
    for accumulate, said in ((1, "with 4 crops of 49 pixels"), (4, "with 1 crop of 49 pixels")):
        settings = blob_recipe(blobs, {"schedule": {"accumulate": accumulate}})
        with pytest.raises(SegcliError, match=said) as caught:
            list(begin(settings, tmp_path).run())
        assert ("schedule.accumulate above 1" in caught.value.hint) == (accumulate == 1)
        assert "augment.crop" in caught.value.hint


@pytest.fixture(scope="module")
def stopped(blobs, tmp_path_factory):
    """The folder of a run that stopped after four iterations of eight."""
    folder = tmp_path_factory.mktemp("stopped")
    until(begin(blob_recipe(blobs), folder), 4)
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule": {"rate": 0.5}}, "schedule.rate was 0.02 when this run began and is 0.5 now"),
        ({"model": {"output_stride": 8}}, "model.output_stride was 16"),
        ({"data": {"holdout": 0.5}}, "data.holdout was 0.2"),
    ],
)
def test_another_recipe_cannot_resume(blobs, stopped, changes, said):
    with pytest.raises(UsageError, match=said):
        resumed(blob_recipe(blobs, changes), stopped)


def test_other_photos_cannot_resume(blobs, stopped):
    settings = blob_recipe(blobs)
    train, val = split.choose(settings.data)
    for others in ((train.without(["1"]), val), (train, train)):
        with pytest.raises(UsageError, match="photos to learn from or to choose by are others"):
            loop.resume(settings, *others, stopped, CPU)


def test_resuming_clears_away_what_a_kill_left_half_written(blobs, stopped):
    (stopped / ".segcli-0123.part").write_bytes(b"half")
    resumed(blob_recipe(blobs), stopped)
    assert not list(stopped.glob("*.part"))


def test_how_often_it_saves_may_change(blobs, stopped):
    settings = blob_recipe(blobs, {"run": {"save_every": 1, "validate_every": 3, "overlays": 0}})
    assert resumed(settings, stopped).iteration == 4


def test_a_damaged_state_is_refused_without_running_it(blobs, stopped, tmp_path):
    settings = blob_recipe(blobs)
    with pytest.raises(WeightsError, match="nothing to resume"):
        resumed(settings, tmp_path)
    whole = (stopped / STATE).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no archive"):
        (tmp_path / STATE).write_bytes(damaged)
        with pytest.raises(WeightsError, match="is damaged"):
            resumed(settings, tmp_path)
    torch.save({"network": Harmful()}, tmp_path / STATE)
    with pytest.raises(WeightsError, match="is damaged"):
        resumed(settings, tmp_path)
    torch.save({"iteration": 4}, tmp_path / STATE)
    with pytest.raises(WeightsError, match="another version"):
        resumed(settings, tmp_path)


class Harmful:
    def __reduce__(self):
        return print, ("this must not run",)


def test_alone_nothing_is_wrapped(blobs, tmp_path):
    run = begin(blob_recipe(blobs), tmp_path)
    next(run.run())
    assert not isinstance(run.wrapped, DistributedDataParallel)
