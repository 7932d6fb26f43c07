"""Averaged weights: the same as torch's own average, whole numbers as they are, and what is validated and saved."""

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from segcli.training.events import Validation
from segcli.training.optimization.ema import Ema
from segcli.training.output import state
from segcli.training.output.run_folder import BEST, LAST
from segcli.weights import checkpoint


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


def learn(network, step):
    """What a step of training might do to weights and statistics."""
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.add_(step + 1)


def test_the_average_is_torchs():
    """After the first steps, in which a decay of 0.6 is above (1 + t) / (10 + t)."""
    network = small()
    ours = Ema(network, 0.6)
    decays = [0.1, 2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 10 / 19, 11 / 20, 12 / 21, 13 / 22, 0.6]
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.0), use_buffers=True)
    theirs.update_parameters(network)
    for step, decay in enumerate(decays):
        learn(network, step)
        ours.update(network)
        theirs.multi_avg_fn = get_ema_multi_avg_fn(decay)
        theirs.update_parameters(network)
    for name, tensor in theirs.module.state_dict().items():
        found = ours.network.state_dict()[name]
        assert torch.allclose(found, tensor) if tensor.is_floating_point() else found == network[1].num_batches_tracked


def test_one_number_by_hand():
    """0 at first; after steps to 10 and 20 with decays 0.1 and 2 / 11: 9, and 9 * 2 / 11 + 20 * 9 / 11 = 18."""
    network = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.zeros_(network.weight)
    ema = Ema(network, 0.999)
    for value, average in ((10.0, 9.0), (20.0, 18.0)):
        nn.init.constant_(network.weight, value)
        ema.update(network)
        assert ema.network.weight.item() == pytest.approx(average)


def test_it_goes_on_from_its_state():
    network = small()
    one, other = Ema(network, 0.9), Ema(small(), 0.9)
    learn(network, 1)
    one.update(network)
    other.load_state_dict(one.state_dict())
    learn(network, 2)
    for ema in (one, other):
        ema.update(network)
    assert all(map(torch.equal, one.network.state_dict().values(), other.network.state_dict().values()))


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
def averaged(blobs, tmp_path_factory):
    """A run with a slow average, and its last validation."""
    folder = tmp_path_factory.mktemp("averaged")
    settings = blob_recipe(blobs, {"schedule": {"iterations": 2}, "optimizer": {"ema": 0.99}})
    run = begin(settings, folder)
    return run, [event for event in run.run() if isinstance(event, Validation)][-1], folder


def test_what_is_saved_and_shown_is_the_average_and_training_goes_on_with_its_own(averaged):
    run, validation, folder = averaged
    saved = state.read(folder)
    average = saved.more["ema"]["network"]
    assert saved.more["ema"]["steps"] == 2
    assert not torch.equal(average["classifier.weight"], saved.network["classifier.weight"])
    assert torch.equal(saved.network["classifier.weight"], run.model.network.classifier.weight)
    for name in (BEST, LAST):
        tensors = checkpoint.read(folder / name).tensors
        assert all(torch.equal(tensor, average[key]) for key, tensor in tensors.items())
    assert validation.segmenter.network is run.trainer.ema.network


def test_a_step_that_fp16_leaves_out_is_not_averaged(blobs, tmp_path):
    run = begin(blob_recipe(blobs, {"schedule": {"batch": 1}, "optimizer": {"ema": 0.99}}), tmp_path)
    batch = [next(run.micro_batches())]
    for scale, steps in ((2.0**127, 0), (16.0, 1)):
        run.trainer.precision.scaler = torch.amp.GradScaler("cpu", scale)
        run.trainer.step(0, batch)
        assert run.trainer.ema.steps == steps
