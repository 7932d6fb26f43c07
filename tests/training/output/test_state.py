"""The state of a run: what may change before it is resumed, and that a damaged one is refused without running it."""

from dataclasses import replace

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.errors import UsageError, WeightsError
from segcli.images.reading import PhotoReading
from segcli.training import loop
from segcli.training.output import state
from segcli.training.output.run_folder import STATE
from segcli.training.partition import split


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
    deep = replace(train, photos=PhotoReading(ranges={"uint16": (0, 4095)}))
    for others in ((train.without(["1"]), val), (train, train), (deep, val)):
        with pytest.raises(UsageError, match="photos to learn from or to validate on are not those"):
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


def test_one_changed_byte_anywhere_is_noticed_before_the_file_is_read(stopped, tmp_path):
    whole = (stopped / STATE).read_bytes()
    for place in (100, len(whole) // 2, len(whole) - 200, whole.rindex(state.SEAL) + 3, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (tmp_path / STATE).write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"is damaged \(ValueError\)"):
            state.read(tmp_path)


def test_a_state_of_an_earlier_version_has_no_checksum_and_resumes(blobs, stopped, tmp_path):
    whole = (stopped / STATE).read_bytes()
    (tmp_path / STATE).write_bytes(whole[: whole.rindex(state.SEAL)])
    torch.load(stopped / STATE, weights_only=True)  # and earlier versions read a new one
    assert resumed(blob_recipe(blobs, {"run": {"save_every": 1}}), tmp_path).history.iteration == 1


def test_what_only_some_runs_have_is_kept_and_leaves_no_trace_in_others(stopped, tmp_path):
    plain = state.read(stopped)
    assert "more" not in torch.load(stopped / STATE, weights_only=True)
    state.write(tmp_path, replace(plain, more={"pace": {"seconds": 1.5}}))
    assert state.read(tmp_path).more == {"pace": {"seconds": 1.5}}
    state.write(tmp_path, replace(plain, more={"of a later version": 1}))
    with pytest.raises(WeightsError, match="another version"):
        state.read(tmp_path)


class Harmful:
    def __reduce__(self):
        return print, ("this must not run",)
