"""The folder of a run: what it may not hold before, and what a kill leaves in it."""

from contextlib import nullcontext

import pytest

from segcli.errors import SegcliError, UsageError
from segcli.training import recipe
from segcli.training.output import run_folder
from segcli.training.output.run_folder import LAST, RECIPE, STATE


@pytest.mark.parametrize(("name", "said"), [(STATE, "holds a run already"), (LAST, "would overwrite")])
def test_a_run_is_not_overwritten_but_may_be_resumed(tmp_path, name, said):
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=said):
        run_folder.check(tmp_path, resume=False)
    run_folder.check(tmp_path, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_cannot_be_is_refused_and_nothing_is_made(tmp_path, resume):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(SegcliError, match="cannot write to"):
            run_folder.check(folder, resume)
    run_folder.check(tmp_path / "new" / "run", resume)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_processes_do_not_train_in_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "locked", lambda folder: nullcontext(False))
    with pytest.raises(UsageError, match="another process is training in"), run_folder.alone(tmp_path / "run", True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_began_in_the_meantime_is_not_overwritten(tmp_path):
    (tmp_path / STATE).touch()
    with pytest.raises(UsageError, match="holds a run already"), run_folder.alone(tmp_path, resume=False):
        pass
    with run_folder.alone(tmp_path, resume=True):
        assert (tmp_path / STATE).exists()


@pytest.mark.parametrize(("count", "state", "again"), [("1", True, True), ("1", False, False), ("0", True, False)])
def test_a_job_that_torchrun_starts_anew_goes_on(tmp_path, monkeypatch, count, state, again):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", count)
    if state:
        (tmp_path / STATE).touch()
    assert run_folder.restarted(tmp_path) == again


def test_the_recipe_that_is_written_is_the_recipe(tmp_path):
    wanted = recipe.Recipe.from_dict({"model": {"name": "v3-mobilenetv2"}, "data": {"labels": ["a", "b"]}})
    run_folder.write_recipe(tmp_path / "new", wanted)
    assert recipe.read(tmp_path / "new" / RECIPE) == wanted
    (tmp_path / "file").touch()
    with pytest.raises(SegcliError, match="cannot write to"):
        run_folder.write_recipe(tmp_path / "file", wanted)


def test_only_half_written_files_are_removed(tmp_path):
    for name in (".segcli-0123.part", LAST, "notes.part"):
        (tmp_path / name).touch()
    run_folder.remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, "notes.part"}
