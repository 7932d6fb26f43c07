"""Records that stay in the file are those that were written, whatever became of the file."""

import random
import tracemalloc
from dataclasses import replace

import pytest

from segcli.errors import SegcliError
from segcli.files.encoding import to_json
from segcli.pipeline.kept import Chosen, Facts, KeptRecords
from segcli.pipeline.records import Record

OUTPUTS = {"mask": {"path": "masks/a.png", "bytes": 1, "sha256": "0" * 64}}
RECORD = Record("a", "a.jpg", "done", outputs=OUTPUTS, areas={"cat": 3}, seconds={"read": 0.25})


def line(record: Record) -> bytes:
    return to_json(record.to_dict()).encode()


def kept(path, content: bytes) -> KeptRecords:
    path.write_bytes(content)
    records = KeptRecords()
    records.add_file(path)
    return records


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_record_is_read_again_whatever_ends_the_lines(tmp_path, end):
    others = [replace(RECORD, name=name) for name in ("b", "ü", "caf\udce9")]
    records = kept(tmp_path / "m", end.join([line(RECORD), b'{"name": "torn', b"", *map(line, others), b""]))
    assert records == {record.name: record for record in (RECORD, *others)}
    assert list(records) == ["a", "b", "ü", "caf\udce9"]


def test_the_last_of_a_name_counts_at_the_place_of_the_first(tmp_path):
    again = replace(RECORD, status="failed", outputs={})
    records = kept(tmp_path / "m", b"\n".join([line(RECORD), line(replace(RECORD, name="b")), line(again)]))
    assert (list(records), records["a"]) == (["a", "b"], again)


def test_records_of_several_files_and_such_as_come_later(tmp_path):
    records = kept(tmp_path / "m", line(RECORD) + b"\n")
    (tmp_path / "n").write_bytes(line(replace(RECORD, name="n")) + b"\n")
    records.add_file(tmp_path / "n")
    with (tmp_path / "m").open("ab") as file:
        offset = file.tell()
        file.write(line(later := replace(RECORD, name="later")) + b"\n")
    records.add(later, tmp_path / "m", offset)
    assert [records[name].name for name in records] == ["a", "n", "later"]


def test_a_line_that_is_gone_is_no_record(tmp_path):
    records = kept(tmp_path / "m", line(RECORD) + b"\n")
    few = Chosen(records, [records.place(records.number("a"))])
    (tmp_path / "m").write_bytes(line(replace(RECORD, name="b")) + b"\n")
    assert records.get("a") is None
    (tmp_path / "m").write_bytes(b"")
    with pytest.raises(SegcliError, match="changed"):
        few[0]


def test_a_record_takes_few_bytes(tmp_path):
    names = [f"{number // 1000:04}/{number:06}" for number in range(3000)]
    (tmp_path / "m").write_bytes(b"\n".join(line(replace(RECORD, name=name)) for name in names))
    tracemalloc.start()
    records = KeptRecords()
    records.add_file(tmp_path / "m")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(records) < 100


def test_facts_are_those_of_the_last_record_of_a_name(tmp_path):
    lines = [RECORD, replace(RECORD, name="b", settings="s", uncertainty=0.5, specks=2)]
    again = replace(RECORD, settings="t", status="failed", objects={})
    records = kept(tmp_path / "m", b"\n".join(map(line, (*lines, again))))
    assert records.facts(records.number("a")) == Facts("t", False, False, True, None)
    assert records.facts(records.number("b")) == Facts("s", True, True, False, 0.5)
    assert records.is_of("a", "a.jpg")
    assert not records.is_of("a", "b.jpg")
    assert not records.is_of("c", "a.jpg")


def test_records_are_read_in_any_order(tmp_path):
    names = [f"{number:04}" for number in range(400)]
    records = kept(tmp_path / "m", b"\n".join(line(replace(RECORD, name=name)) for name in names))
    mixed = random.Random(1).sample(names, len(names))
    assert [records[name].name for name in (*mixed, *names)] == [*mixed, *names]
