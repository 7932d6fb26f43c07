import csv
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from segcli.errors import SegcliError, UsageError
from segcli.files.sources import Source
from segcli.pipeline.ledger import Ledger, open_folder
from segcli.pipeline.records import Record, RunFile, engine_of, fingerprint, read_run, state
from segcli.pipeline.tables import write_areas


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "cat.jpg"
    path.write_bytes(b"a photo")
    return Source(path, PurePosixPath("pets/cat"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out" / "masks").mkdir(parents=True)
    (tmp_path / "out" / "masks" / "cat.png").write_bytes(b"a mask")
    return tmp_path / "out"


@pytest.fixture
def record(source):
    status = source.path.stat()
    return Record(
        name="pets/cat",
        input=str(source.path),
        status="done",
        settings="s1",
        bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        sha256=hashlib.sha256(b"a photo").hexdigest(),
        width=100,
        height=50,
        outputs={"mask": {"path": "masks/cat.png", "bytes": 6}},
        areas={"background": 4000, "cat": 1000},
        notes=("grey",),
    )


def test_what_is_written_is_read_again(folder, record):
    Ledger(folder).append(record)
    assert Ledger(folder).records == {"pets/cat": record}


def test_the_last_line_of_a_name_counts(folder, record):
    ledger = Ledger(folder)
    ledger.append(record)
    ledger.append(replace(record, status="failed", error="gone"))
    assert Ledger(folder).records["pets/cat"].error == "gone"


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_torn_last_line_costs_that_line_only(folder, record, cut):
    ledger = Ledger(folder)
    ledger.append(replace(record, name="whole"))
    ledger.append(replace(record, name="torn"))
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    after = Ledger(folder)
    after.append(replace(record, name="next"))
    kept = {"whole", "next"} | ({"torn"} if cut == 1 else set())  # without its newline alone the line is whole
    assert set(Ledger(folder).records) == kept


@pytest.mark.parametrize("line", [b"[]", b"null", b'{"name": 1}', b"\xff\xfe", b'{"name":"x","surprise":1}'])
def test_lines_that_are_no_records_are_passed_over(folder, record, line):
    Ledger(folder).path.write_bytes(line + b"\n")
    ledger = Ledger(folder)
    ledger.append(record)
    assert set(Ledger(folder).records) == {"pets/cat"}


def test_a_newer_versions_line_is_read_without_what_it_adds(folder, record):
    Ledger(folder).append(record)
    line = json.loads((folder / "manifest.jsonl").read_text())
    (folder / "manifest.jsonl").write_text(json.dumps(line | {"future": {"a": [1]}}) + "\n")
    assert Ledger(folder).records == {"pets/cat": record}


def test_an_older_versions_line_lacks_what_is_unknown(folder):
    (folder / "manifest.jsonl").write_text('{"name": "a", "input": "a.jpg", "status": "done"}\n')
    assert Ledger(folder).records == {"a": Record("a", "a.jpg", "done")}


@pytest.mark.parametrize(
    "change",
    [
        {"bytes": "6"},
        {"width": 1.5},
        {"notes": [1]},
        {"outputs": {"mask": "x"}},
        {"areas": {"cat": True}},
        {"input": 3},
    ],
    ids=str,
)
def test_a_line_with_a_value_of_another_type_counts_as_none(folder, record, change):
    Ledger(folder).append(record)
    line = json.loads((folder / "manifest.jsonl").read_text())
    (folder / "manifest.jsonl").write_text(json.dumps(line | change) + "\n" + "[" * 100_000 + "\n")
    assert Ledger(folder).records == {}


def test_a_run_file_is_read_whatever_else_it_holds(folder):
    text = (
        'segcli = "0.9"\ninputs = ["a b.jpg"]\nfuture = 1\n[model]\nname = "x"\nengine = "onnx"\n[options]\nbatch = 2\n'
    )
    (folder / "run.toml").write_text(text)
    assert read_run(folder / "run.toml") == RunFile(("a b.jpg",), {"batch": 2})
    assert engine_of(folder) == "onnx"


@pytest.mark.parametrize(
    "text",
    ["", "inputs = [1]\n[options]\n", "inputs = []\n", "options = 3\ninputs = []\n", "[[[", "a = " + "[" * 100_000],
    ids=["empty", "input", "no options", "no table", "no TOML", "deep"],
)
def test_what_is_no_run_file_is_refused_or_tells_no_engine(folder, text):
    (folder / "run.toml").write_text(text)
    assert engine_of(folder) is None
    with pytest.raises(UsageError, match="holds no options of a run"):
        read_run(folder / "run.toml")


def test_an_engine_is_read_whatever_else_is_odd(folder):
    (folder / "run.toml").write_text('segcli = 1\n[model]\nengine = "torch"\n')
    assert engine_of(folder) == "torch"


def test_a_missing_run_file_tells_no_engine(folder):
    assert engine_of(folder) is None
    with pytest.raises(UsageError, match="No such file"):
        read_run(folder / "run.toml")


def test_done_while_nothing_has_changed(folder, source, record):
    ledger = Ledger(folder)
    assert ledger.to_do([source], "s1") == [source]
    ledger.append(record)
    assert ledger.to_do([source], "s1") == []


def test_touched_but_equal_is_done_by_its_hash(folder, source, record):
    ledger = Ledger(folder)
    ledger.append(record)
    os.utime(source.path, ns=(1, 1))
    assert ledger.proves_done(source, "s1")


def test_another_content_of_the_same_size_and_time_needs_verify(folder, source, record):
    ledger = Ledger(folder)
    ledger.append(record)
    source.path.write_bytes(b"b photo")
    os.utime(source.path, ns=(record.mtime_ns, record.mtime_ns))
    assert ledger.proves_done(source, "s1")
    assert not ledger.proves_done(source, "s1", verify=True)


def test_what_undoes_a_record(folder, source, record):
    ledger = Ledger(folder)
    ledger.append(record)
    assert not ledger.proves_done(source, "other settings")
    (folder / "masks" / "cat.png").write_bytes(b"cut")
    assert not ledger.proves_done(source, "s1")
    (folder / "masks" / "cat.png").unlink()
    assert not ledger.proves_done(source, "s1")
    ledger.append(replace(record, status="failed", outputs={}))
    assert not ledger.proves_done(source, "s1")


def test_a_changed_file_beside_the_input_is_to_do(folder, source, record, tmp_path):
    beside = tmp_path / "cat.npz"
    beside.write_bytes(b"probable")
    source = replace(source, beside=beside)
    ledger = Ledger(folder)
    ledger.append(replace(record, beside=state(beside)))
    assert ledger.to_do([source], "s1") == []
    beside.write_bytes(b"improbable")
    assert ledger.to_do([source], "s1") == [source]
    beside.unlink()
    assert ledger.to_do([source], "s1") == [source]
    assert ledger.to_do([replace(source, beside=None)], "s1") == [replace(source, beside=None)]


def test_changed_content_is_to_do(folder, source, record):
    ledger = Ledger(folder)
    ledger.append(record)
    source.path.write_bytes(b"another photo")
    assert ledger.to_do([source], "s1") == [source]


def test_a_vanished_input_is_to_do_so_that_it_is_reported(folder, source, record):
    ledger = Ledger(folder)
    ledger.append(record)
    source.path.unlink()
    assert ledger.to_do([source], "s1") == [source]


def test_another_spelling_of_a_name_is_another_input_where_the_disk_ignores_case(folder, source, record):
    mask = folder / "masks" / "pets" / "cat.png"
    mask.parent.mkdir()
    mask.write_bytes(b"a mask")
    Ledger(folder).append(replace(record, outputs={"mask": {"path": "masks/pets/cat.png", "bytes": 6}}))
    source.path.with_name("Cat.JPG").write_bytes(b"another photo")
    other = Source(source.path.with_name("Cat.JPG"), PurePosixPath("pets/Cat"))
    assert Ledger(folder).other_input(other) == ""
    os.link(mask, mask.with_name("Cat.png"))  # one file by two spellings, as on such a disk
    assert Ledger(folder).other_input(other) == record.input


def test_areas_in_pixels_and_per_cent(tmp_path, record):
    write_areas(tmp_path / "areas.csv", [record])
    rows = list(csv.DictReader((tmp_path / "areas.csv").open()))
    assert [(row["class"], row["pixels"], row["percent"]) for row in rows] == [
        ("background", "4000", "80.000"),
        ("cat", "1000", "20.000"),
    ]


def test_names_that_are_no_utf8_survive(folder, tmp_path, record):
    name = os.fsdecode(b"caf\xe9.jpg")
    Ledger(folder).append(replace(record, input=name))
    again = Ledger(folder).records["pets/cat"]
    write_areas(tmp_path / "areas.csv", [again])
    assert again.input == name
    assert b"caf\xe9.jpg" in (tmp_path / "areas.csv").read_bytes()


def test_fingerprint_ignores_order_and_sees_values():
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_a_release_that_makes_something_else_makes_old_results_stale(monkeypatch):
    before = fingerprint({"a": 1})
    monkeypatch.setattr("segcli.__version__", "99.0")
    assert fingerprint({"a": 1}) == before
    monkeypatch.setattr("segcli.pipeline.records.REVISION", 99)
    assert fingerprint({"a": 1}) != before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SegcliError, match="cannot write to"):
        open_folder(Path(tmp_path / "file" / "out"))


WHOLE = {"path": "masks/cat.png", "bytes": 6}


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"height": -5},
        {"status": "nearly"},
        {"areas": None},
        {"areas": {"cat": -1}},
        {"uncertainty": "x"},
        {"uncertainty": float("nan")},
        {"uncertainty": 7.0},
        {"seconds": 3},
        {"seconds": {"read": float("inf")}},
        {"bytes": -1},
        {"outputs": []},
        *(
            {"outputs": {"mask": WHOLE | odd}}
            for odd in (
                {"path": 3},
                {"path": ""},
                {"path": "/etc/passwd"},
                {"path": "../cat.jpg"},
                {"path": "masks/../../cat.jpg"},
                {"path": "masks/\0"},
                {"bytes": "6"},
                {"bytes": True},
                {"sha256": "abc"},
                {"sha256": None},
            )
        ),
    ],
    ids=str,
)
def test_a_line_that_says_what_cannot_be_counts_as_none(folder, source, record, change):
    (folder / "manifest.jsonl").write_text(json.dumps(record.to_dict() | change) + "\n")
    ledger = Ledger(folder)
    assert ledger.records == {}
    assert ledger.to_do([source], "s1") == [source]
    (folder / "manifest.jsonl").rename(folder / "manifest.1.jsonl")
    open_folder(folder)
    assert (folder / "manifest.jsonl").read_bytes() == b""


def test_an_output_behind_a_link_is_not_looked_at(folder, source, record, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "cat.png").write_bytes(b"secret")
    Ledger(folder).append(record)
    assert Ledger(folder).file(record, "mask") == folder / "masks" / "cat.png"
    assert Ledger(folder).file(record, "gallery") is None
    (folder / "masks" / "cat.png").unlink()
    assert Ledger(folder).file(record, "mask") is None
    (folder / "masks" / "cat.png").symlink_to(tmp_path / "elsewhere" / "cat.png")
    assert Ledger(folder).to_do([source], "s1") == [source]
    (folder / "masks" / "cat.png").unlink()
    (folder / "masks").rmdir()
    (folder / "masks").symlink_to(tmp_path / "elsewhere")
    assert Ledger(folder).to_do([source], "s1") == []  # the masks may lie on a larger disk
    assert Ledger(folder).file(record, "mask") is None  # yet what is read lies in the folder


def test_a_folder_that_is_itself_a_link_is_as_good(folder, source, record, tmp_path):
    Ledger(folder).append(record)
    (tmp_path / "link").symlink_to(folder)
    assert Ledger(tmp_path / "link").to_do([source], "s1") == []


def test_verify_compares_the_contents_of_outputs_whose_hash_is_known(folder, source, record):
    known = {"mask": WHOLE | {"sha256": hashlib.sha256(b"a mask").hexdigest()}}
    Ledger(folder).append(replace(record, outputs=known))
    assert Ledger(folder).proves_done(source, "s1", verify=True)
    (folder / "masks" / "cat.png").write_bytes(b"A mask")
    assert Ledger(folder).proves_done(source, "s1")
    assert not Ledger(folder).proves_done(source, "s1", verify=True)
    Ledger(folder).append(record)  # as earlier versions did
    assert Ledger(folder).proves_done(source, "s1", verify=True)
