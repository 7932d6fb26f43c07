"""The state of a run: what may change before it is resumed, and that a damaged one is refused without running it."""

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.errors import UsageError, WeightsError
from segcli.training import loop, split, state
from segcli.training.run_folder import STATE


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
def stopped(blobs, tmp_path_factory):
    """The folder of a run that was saved after one iteration."""
    folder = tmp_path_factory.mktemp("stopped")
    events = begin(blob_recipe(blobs, {"run": {"save_every": 1}}), folder).run()
    for _ in range(2):
        next(events)
    return folder


def resumed(settings, folder):
    return loop.resume(settings, *split.choose(settings.data), folder, torch.device("cpu"))


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
            loop.resume(settings, *others, stopped, torch.device("cpu"))


def test_how_often_it_saves_may_change(blobs, stopped):
    settings = blob_recipe(blobs, {"run": {"save_every": 1, "validate_every": 3, "overlays": 0}})
    assert resumed(settings, stopped).history.iteration == 1


def test_a_damaged_state_is_refused_without_running_it(stopped, tmp_path):
    with pytest.raises(WeightsError, match="nothing to resume"):
        state.read(tmp_path)
    whole = (stopped / STATE).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no archive"):
        (tmp_path / STATE).write_bytes(damaged)
        with pytest.raises(WeightsError, match="is damaged"):
            state.read(tmp_path)
    torch.save({"network": Harmful()}, tmp_path / STATE)
    with pytest.raises(WeightsError, match="is damaged"):
        state.read(tmp_path)
    torch.save({"iteration": 4}, tmp_path / STATE)
    with pytest.raises(WeightsError, match="another version"):
        state.read(tmp_path)


class Harmful:
    def __reduce__(self):
        return print, ("this must not run",)
