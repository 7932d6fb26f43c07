"""Memory that runs out in training: stopped in time on a CPU, stepped down once on a GPU, and resumed likewise."""

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.errors import SegcliError
from segcli.files import headroom
from segcli.files.headroom import Headroom
from segcli.training import failures, loop
from segcli.training.optimization import losses
from segcli.training.output import state
from segcli.training.partition import split
from segcli.training.run import TrainingListener

FROZEN = {"schedule": {"iterations": 2}, "model": {"freeze_bn": True, "dropout": 0}}


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


class Heard(TrainingListener):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def short_of_memory(monkeypatch, crops, times=1):
    """Let the loss of more than so many crops fail as on a full GPU, so many times."""
    terms = losses.Criterion.terms
    left = [times]

    def full(self, outputs, labels, *more):
        if len(labels) > crops and left[0]:
            left[0] -= 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return terms(self, outputs, labels, *more)

    monkeypatch.setattr(losses.Criterion, "terms", full)


def test_memory_that_is_nearly_full_stops_the_run_saved(blobs, tmp_path, monkeypatch):
    run = begin(blob_recipe(blobs), tmp_path)
    events = run.run()
    next(events)
    monkeypatch.setattr(headroom, "of_host", lambda: Headroom(1 << 20, 8 << 30))
    with pytest.raises(SegcliError, match="memory is nearly full: stopped after iteration 2, which is saved") as caught:
        list(events)
    assert "--resume" in caught.value.hint
    assert state.read(tmp_path).iteration == 2


def test_a_full_gpu_splits_each_batch_in_two_and_goes_on_with_the_same_gradient(blobs, tmp_path, monkeypatch):
    settings = blob_recipe(blobs, FROZEN)
    plain = [event.loss for event in begin(settings, tmp_path / "plain").run() if hasattr(event, "loss")]
    run = begin(settings, tmp_path / "split")
    run.listener = Heard()
    short_of_memory(monkeypatch, crops=2)
    stepped = [event.loss for event in run.run() if hasattr(event, "loss")]
    assert stepped == pytest.approx(plain, rel=1e-5)
    assert run.listener.notes.count(failures.SPLIT) == 1
    assert state.read(tmp_path / "split").more == {"split_batches": True}
    again = loop.resume(settings, *split.choose(settings.data)[:2], tmp_path / "split", torch.device("cpu"))
    assert again.trainer.split_batches


def test_batch_statistics_forget_the_attempt_that_failed(blobs, tmp_path, monkeypatch):
    run = begin(blob_recipe(blobs), tmp_path)
    short_of_memory(monkeypatch, crops=2)
    next(run.run())
    counts = {int(b) for name, b in run.model.network.named_buffers() if name.endswith("num_batches_tracked")}
    assert counts == {2}  # the two halves


def test_a_second_shortage_stops_the_run(blobs, tmp_path, monkeypatch):
    run = begin(blob_recipe(blobs), tmp_path)
    short_of_memory(monkeypatch, crops=1, times=2)
    with pytest.raises(SegcliError, match="out of memory with 2 crops of 49 pixels") as caught:
        next(run.run())
    assert "schedule.accumulate above 2" in caught.value.hint
