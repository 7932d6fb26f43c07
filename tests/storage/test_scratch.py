"""Scratch folders: gone when they are closed, and those of killed processes gone at the next start."""

import os
import tempfile
import time

import pytest

from segcli.errors import SegcliError
from segcli.storage.scratch import ABANDONED, PREFIX, Scratch


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_it_is_gone_when_it_is_closed(tmp_path):
    one = Scratch()
    (one.folder / "in").mkdir()
    one.close()
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    old = time.time() - ABANDONED - 1
    for name in (f"{PREFIX}dead", f"{PREFIX}young", f"{PREFIX}living", "others"):
        (tmp_path / name).mkdir()
        if "young" not in name:
            os.utime(tmp_path / name, (old, old))
    if os.name != "posix":
        pytest.skip("no POSIX shell")
    import fcntl

    living = os.open(tmp_path / f"{PREFIX}living", os.O_RDONLY)
    fcntl.flock(living, fcntl.LOCK_EX)
    Scratch().close()
    os.close(living)
    assert {path.name for path in tmp_path.iterdir()} == {f"{PREFIX}young", f"{PREFIX}living", "others"}


def test_a_full_disk_is_told_before_it_is_full():
    one = Scratch()
    with pytest.raises(SegcliError, match="do not fit"):
        one.require(1 << 60)
    one.close()
