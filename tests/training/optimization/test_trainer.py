"""Steps of the optimizer: the recipe's loss, micro-batches, mixed precision, clipping, and what stops a run."""

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from segcli.errors import SegcliError
from segcli.labels import VOID
from segcli.training.events import Step
from segcli.training.optimization import losses
from segcli.training.output import state


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


def steps(run):
    return [event for event in run.run() if isinstance(event, Step)]


@pytest.mark.parametrize(
    "loss", [{"lovasz": 1.5}, {"class_weights": [1, 10]}, {"hardest": 0.25}, {"shrink_labels": True}], ids=str
)
def test_the_recipes_loss_is_the_one_that_is_trained(blobs, tmp_path, loss):
    """The first step's loss against the loss of its crops, computed here."""
    settings = blob_recipe(blobs, {"loss": loss, "model": {"dropout": 0}})
    run = begin(settings, tmp_path)
    images, labels, _ = next(run.micro_batches())
    with torch.no_grad():
        logits = run.model.network.train()(images)
    large = F.interpolate(logits, labels.shape[1:], mode="bilinear", align_corners=run.model.spec.align_corners)
    small = losses.shrink(labels, tuple(logits.shape[2:]), run.model.spec.align_corners)
    class_weights = torch.tensor(settings.loss.class_weights or (1.0, 1.0))
    expected = F.cross_entropy(large, labels.long(), class_weights, ignore_index=VOID)
    if settings.loss.lovasz:
        expected += 1.5 * losses.lovasz_softmax(logits, small)
    if settings.loss.hardest < 1:
        each = F.cross_entropy(large, labels.long(), ignore_index=VOID, reduction="none")[labels != VOID]
        expected = each.topk(len(each) // 4).values.mean()
    if settings.loss.shrink_labels:
        expected = F.cross_entropy(logits, small.long(), ignore_index=VOID)
    plain = next(begin(blob_recipe(blobs, {"model": {"dropout": 0}}), tmp_path).run()).loss
    step = next(begin(settings, tmp_path).run())
    assert step.loss == pytest.approx(float(expected), rel=1e-5)
    assert abs(step.loss - plain) > 1e-4


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
    assert bool(state.read(tmp_path / "mixed").scaler) == (amp == "fp16")


@pytest.mark.parametrize("class_weights", [[], [1, 10]])
def test_micro_batches_of_a_batch_add_up_to_it(blobs, tmp_path, class_weights):
    """With frozen batch normalisation; each photo has another share of void, and of each class."""
    changes = {"schedule": {"iterations": 3, "rate": 1e-3}, "model": {"dropout": 0, "freeze_bn": True}}
    changes["loss"] = {"class_weights": class_weights}
    whole = steps(begin(blob_recipe(blobs, changes), tmp_path / "whole"))
    changes["schedule"]["accumulate"] = 4
    cut = steps(begin(blob_recipe(blobs, changes), tmp_path / "cut"))
    assert [step.loss for step in cut] == pytest.approx([step.loss for step in whole], rel=1e-5)


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


@pytest.mark.parametrize("words", ["CUDA out of memory. Tried", "DefaultCPUAllocator: can't allocate memory"])
def test_out_of_memory_says_what_to_change(blobs, tmp_path, monkeypatch, words):
    def full(*_):
        raise RuntimeError(words)

    monkeypatch.setattr(losses, "mean", full)
    for accumulate, said in ((1, "with 4 crops of 49 pixels"), (4, "with 1 crop of 49 pixels")):
        settings = blob_recipe(blobs, {"schedule": {"accumulate": accumulate}})
        with pytest.raises(SegcliError, match=said) as caught:
            list(begin(settings, tmp_path).run())
        assert ("schedule.accumulate above 1" in caught.value.hint) == (accumulate == 1)
        assert "augment.crop" in caught.value.hint


def test_alone_nothing_is_wrapped(blobs, tmp_path):
    run = begin(blob_recipe(blobs), tmp_path)
    next(run.run())
    assert not isinstance(run.trainer.wrapped, DistributedDataParallel)
