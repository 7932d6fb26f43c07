"""What sums up a folder is the same whether its records are in memory or in the file."""

import csv
from pathlib import Path, PurePosixPath

import pytest

from segcli.files.encoding import to_json
from segcli.files.listing import Source
from segcli.labels import LabelSet
from segcli.pipeline import summing
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.records import Record
from segcli.pipeline.summary import Summary
from segcli.pipeline.writer import Outputs


@pytest.fixture
def results(tmp_path) -> summing.Results:
    """Records of c, a, "gone" and "old", of this recipe but for "old"; the photos are a, b and c."""
    ledger = Ledger(tmp_path)
    for name in ("c", "gone", "a", "old"):
        settings = "other" if name == "old" else "s"
        ledger.append(
            Record(name, str(tmp_path / f"{name}.jpg"), "done", settings, areas={"cat": 1}, objects={"cat": 2})
        )
    files = [Source(tmp_path / f"{name}.jpg", PurePosixPath(name)) for name in "abc"]
    return summing.Results(ledger, files, ("s", "films"))


def test_the_photos_given_come_first_in_their_order(results):
    assert [record.name for record in results.counted()] == ["a", "c", "gone", "old"]


def test_a_photo_whose_files_were_deleted_has_no_row(results, tmp_path):
    for name in ("kept", "lost"):
        outputs = {"mask": {"path": f"{name}.png", "bytes": 1}, "overlay": {"path": f"{name}.jpg", "bytes": 1}}
        results.ledger.append(Record(name, str(tmp_path / f"in/{name}.jpg"), "done", "other", outputs=outputs))
    (tmp_path / "kept.jpg").touch()
    assert [record.name for record in results.counted()] == ["a", "c", "gone", "old", "kept"]


def test_a_photo_under_its_earlier_name_counts_once(results, tmp_path):
    results.ledger.append(Record("earlier", str(tmp_path / "b.jpg"), "done", "s"))
    results.ledger.append(Record("elsewhere", str(tmp_path / "d.jpg"), "done", "s"))
    assert [record.name for record in results.counted()] == ["a", "c", "gone", "old", "elsewhere"]


def test_review_is_in_order_whatever_order_the_photos_have(tmp_path):
    names, ledger = ["b/x", "b c", "a", "gone"], Ledger(tmp_path)
    for name in names:
        ledger.append(Record(name, f"{name}.jpg", "done", "s", uncertainty=0.5 + (name == "b/x") / 4))
    for given in (["a", "b c", "b/x"], ["b/x", "b c", "a"], names):
        files = [Source(tmp_path / f"{name}.jpg", PurePosixPath(name)) for name in given]
        written = summing.Results(ledger, files, ("s",)).write(
            tmp_path, Outputs(tmp_path, LabelSet("none", ("void",), ((0, 0, 0),)), frozenset(), {})
        )
        assert written == ({}, len(names) - len(files))
        rows = list(csv.reader((tmp_path / "review.csv").open()))
        assert [row[0] for row in rows[1:]] == ["b/x.jpg", "a.jpg", "b c.jpg", "gone.jpg"]


def test_records_of_many_photos_stay_in_the_file(results, monkeypatch):
    of_few = results.of_files(left=())
    few = of_few.records
    assert isinstance(few, tuple)
    assert tuple(of_few.with_objects) == few
    assert [record.name for record in results.of_files(left={"a"}).records] == ["c"]
    monkeypatch.setattr(summing, "IN_MEMORY", 1)
    many = results.of_files(left=()).records
    assert not isinstance(many, tuple)
    assert tuple(many) == few
    summaries = [Summary(Path("out"), 2, 0, 0, 1, records, unread={"PDF": 2}) for records in (few, many)]
    assert summaries[0].to_dict() == summaries[1].to_dict()
    for summary in summaries:
        assert "".join(summary.json()) == to_json(summary.to_dict())
        assert summary.objects == {"cat": 4}
