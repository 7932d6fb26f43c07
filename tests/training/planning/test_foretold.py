"""Foretold: what a run takes before its first step, and what is refused with the setting that fits."""

from dataclasses import replace

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.errors import UsageError
from segcli.files import headroom
from segcli.training.planning import foretold, memory
from segcli.training.planning.foretold import Foretold, Needs
from segcli.training.timing.clock import Costs

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blobs")
    return begin(blob_recipe(write_blobs(folder / "data"), {"augment": {"crop": 129}}), folder / "run")


def needs_of(run):
    return Needs(run.model, CPU, run.processes, foretold.largest_input(run.model, run.val))


def told(run):
    return foretold.foretell(run.recipe, run.model, run.train, run.val, run.folder, CPU)


def test_what_was_measured_before_is_not_timed_again(run, monkeypatch):
    monkeypatch.setattr(foretold.trial, "timed", lambda *_: pytest.fail("timed again"))
    short = replace(run.recipe, run=replace(run.recipe.run, save_every=100, validate_every=4))
    given = (short, run.model, run.train, run.val, run.folder, CPU)
    found = foretold.foretell(*given, known=Costs(1.0, 2.0, 5.0))
    assert (found.step_seconds, found.costs.validation) == (2.0, 5.0)
    assert found.seconds == pytest.approx(8 * 2 + 2 * 5, abs=0.5)
    unseen = foretold.foretell(*given[:3], replace(run.val, samples=()), *given[4:], known=Costs(1.0, 2.0, 5.0))
    assert unseen.costs.validation == 0


def allow(monkeypatch, count):
    """Let the process have so many bytes more than it has."""
    monkeypatch.setattr(headroom, "own_bytes", lambda: 0)
    monkeypatch.setattr(memory, "available", lambda _: int(count))


def test_a_run_that_fits_is_told_in_a_line(run):
    found = told(run)
    assert found.seconds is None  # eight steps are as short as a trial
    assert found.memory < found.available
    assert 2e6 < found.disk < found.free
    line = str(
        replace(found, seconds=720.0, step_seconds=1.5, memory=2_400_000_000, available=9 * 10**9, disk=35_000_000)
    )
    assert line == "about 12 min (1.5 s an iteration), 2.4 GB of memory of 9.0 GB free, 35 MB on disk"


def test_the_smallest_accumulate_that_fits_is_named(run, monkeypatch):
    allow(monkeypatch, 10**12)
    needs = needs_of(run)
    whole, half = (
        needs.bytes(replace(run.recipe, schedule=replace(run.recipe.schedule, accumulate=parts))) for parts in (1, 2)
    )
    allow(monkeypatch, (whole + half) / 2)
    with pytest.raises(UsageError, match=r"this run needs about \d+ MB of memory, \d+ MB are free") as caught:
        told(run)
    assert caught.value.hint == f"--set schedule.accumulate=2 needs {foretold.size(half)}."


def test_else_smaller_crops_and_where_nothing_fits_another_model(run, monkeypatch):
    allow(monkeypatch, 10**12)
    parts = replace(run.recipe, schedule=replace(run.recipe.schedule, accumulate=4))
    allow(monkeypatch, needs_of(run).bytes(parts) - 1)
    with pytest.raises(UsageError) as caught:
        told(run)
    assert caught.value.hint.startswith("--set schedule.accumulate=4 --set augment.crop=97 needs ")
    allow(monkeypatch, 1)
    with pytest.raises(UsageError) as caught:
        told(run)
    assert caught.value.hint.startswith("Take a smaller model")


def test_a_disk_that_is_too_full_is_refused(run, tmp_path):
    full = Foretold(None, None, 1, None, 3_000_000_000, 1_000_000_000)
    with pytest.raises(UsageError, match=r"writes about 3\.0 GB to .*, 1\.0 GB are free there"):
        foretold.require_fit(run.recipe, full, needs_of(run), tmp_path)


def test_the_largest_photo_counts_at_the_working_size(run):
    assert foretold.largest_input(run.model, run.val) == (97, 97)
    assert foretold.largest_input(run.model, replace(run.val, samples=())) is None
