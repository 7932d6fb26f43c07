import errno
import os
from contextlib import suppress

import pytest

from segcli.errors import SegcliError
from segcli.pipeline import recorder
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.recorder import Recorder
from segcli.pipeline.records import Record


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path)


def done(folder, name):
    (folder / name).write_text(name)
    return Record(name, f"{name}.jpg", "done", outputs={"mask": {"path": name, "bytes": len(name)}})


def test_records_wait_for_their_files_and_come_in_order(tmp_path, ledger, monkeypatch):
    seen = []
    monkeypatch.setattr(recorder, "sync", lambda paths: seen.append(([p.name for p in paths], len(ledger.appended))))
    with Recorder(ledger) as keeper:
        for name in "abc":
            keeper.add(done(tmp_path, name))
        assert not ledger.appended
    assert seen == [(["a", "b", "c"], 0)]
    assert list(Ledger(tmp_path).records) == ["a", "b", "c"]


def test_a_batch_is_kept_while_others_are_added(tmp_path, ledger, monkeypatch):
    monkeypatch.setattr(recorder, "SECONDS", 0)
    with Recorder(ledger) as keeper:
        for index in range(50):
            keeper.add(done(tmp_path, f"{index}"))
    assert list(Ledger(tmp_path).records) == [f"{index}" for index in range(50)]


def test_what_is_done_is_kept_where_the_block_raises(tmp_path, ledger):
    with suppress(KeyboardInterrupt), Recorder(ledger) as keeper:
        keeper.add(done(tmp_path, "a"))
        raise KeyboardInterrupt
    assert list(Ledger(tmp_path).records) == ["a"]


def test_no_record_tells_of_a_file_that_is_gone_or_does_not_get_to_the_disk(tmp_path, ledger, monkeypatch):
    record = done(tmp_path, "a")
    (tmp_path / "a").unlink()
    with pytest.raises(SegcliError, match=r"cannot write to .*a: No such file"), Recorder(ledger) as keeper:
        keeper.add(record)

    def sync(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(recorder, "sync", sync)
    with pytest.raises(SegcliError, match="Input/output error"), Recorder(ledger) as keeper:
        keeper.add(done(tmp_path, "b"))
    assert not Ledger(tmp_path).records


def test_a_ledger_that_is_removed_is_not_begun_anew(tmp_path, ledger):
    ledger.append(done(tmp_path, "a"))
    ledger.path.unlink()
    with pytest.raises(FileNotFoundError):
        ledger.append(done(tmp_path, "b"))
