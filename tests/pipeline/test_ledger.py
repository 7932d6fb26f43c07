"""The manifest has one line for each photo once a run has ended."""

from dataclasses import replace

import pytest

from segcli.pipeline.ledger import Ledger
from segcli.pipeline.records import Record


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def record():
    return Record("pets/cat", "cat.jpg", "done", "s1")


def test_compacting_leaves_a_line_for_each_name_and_what_is_no_record(folder, record):
    ledger = Ledger(folder)
    failed = replace(record, name="bad", status="failed", error="broken")
    for one in (record, failed, replace(record, name="other"), failed, record):
        ledger.append(one)
    with (folder / "manifest.jsonl").open("a") as file:
        file.write("from a newer version\n")
    assert ledger.compact()
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    assert [line.partition('"name": "')[2].partition('"')[0] for line in lines] == ["other", "bad", record.name, ""]
    assert lines[-1] == "from a newer version"
    again = Ledger(folder)
    assert (len(again.records), again.records[record.name], again.compact()) == (3, record, False)


def test_a_large_manifest_is_written_anew_only_for_many_lines(folder, record, monkeypatch):
    monkeypatch.setattr("segcli.pipeline.ledger.SMALL", 0)
    ledger = Ledger(folder)
    for name in ("a", "b", "a"):
        ledger.append(replace(record, name=name))
    assert not ledger.compact()
    ledger.append(replace(record, name="b"))
    assert ledger.compact()
