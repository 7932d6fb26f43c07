"""Trial: a few timed steps that leave no trace in the network."""

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.errors import InputError
from segcli.training.planning import trial

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch):
    monkeypatch.setattr(trial, "MOST", 1)


def timed(run):
    return trial.timed(run.model, run.recipe, run.train, run.val, CPU)


def test_a_run_ends_with_the_same_weights_whether_or_not_it_was_tried(blobs, tmp_path):
    settings = blob_recipe(blobs, {"schedule": {"iterations": 2}, "model": {"freeze_backbone": 1, "dropout": 0.3}})
    ends = []
    for tried in (False, True):
        run = begin(settings, tmp_path / str(tried))
        if tried:
            before = {key: tensor.clone() for key, tensor in run.model.network.state_dict().items()}
            found = timed(run)
            assert all(torch.equal(tensor, before[key]) for key, tensor in run.model.network.state_dict().items())
            assert all(parameter.grad is None for parameter in run.model.network.parameters())
            assert found.seconds > 0
            assert found.frozen_seconds > 0
            assert found.validation_seconds > 0
        losses = [event.loss for event in run.run() if hasattr(event, "loss")]
        ends.append((losses, run.model.network.state_dict()))
    (losses, plain), (tried_losses, other) = ends
    assert losses == tried_losses
    assert all(torch.equal(tensor, other[key]) for key, tensor in plain.items())


def test_photos_that_cannot_be_used_are_passed_over(tmp_path):
    """One photo and the mask of another one are broken; what remains is tried all the same."""
    folder = write_blobs(tmp_path / "blobs", 4)
    run = begin(blob_recipe(folder, {"schedule": {"batch": 2}}), tmp_path / "run")
    (folder / "images" / f"{run.train.samples[0].name}.png").write_bytes(b"no picture")
    (folder / "masks" / f"{run.train.samples[1].name}.png").write_bytes(b"no picture")
    found = trial.timed(run.model, run.recipe, run.train, run.train, CPU)
    assert min(found.seconds, found.validation_seconds) > 0
    for sample in run.train.samples:
        sample.image.write_bytes(b"no picture")
    with pytest.raises(InputError):
        timed(run)


def test_slow_steps_are_tried_once_on_one_crop(blobs, tmp_path, monkeypatch):
    sizes = []
    gradients = trial.Trainer.gradients
    monkeypatch.setattr(
        trial.Trainer, "gradients", lambda self, *values: sizes.append(len(values[1][0][2])) or gradients(self, *values)
    )
    monkeypatch.setattr(trial, "LONG", 0.0)
    found = timed(begin(blob_recipe(blobs, {"model": {"freeze_backbone": 1}}), tmp_path))
    assert sizes == [1]
    assert found.frozen_seconds == found.seconds


@pytest.mark.parametrize(
    ("workers", "device", "seconds"),
    [(0, "cpu", 13.0), (1, "cpu", 11.5), (4, "cpu", 11.5), (1, "cuda", 10.0)],
)
def test_readers_share_the_cores_with_the_network(monkeypatch, workers, device, seconds):
    """10 s of computing and 3 s of reading on two cores."""
    monkeypatch.setattr(trial.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert trial._together(10.0, 3.0, workers, torch.device(device)) == seconds


def test_reading_sets_the_pace_where_it_is_slower(monkeypatch):
    monkeypatch.setattr(trial.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert trial._together(1.0, 8.0, 1, torch.device("cpu")) == 8.0
