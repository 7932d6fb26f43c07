"""areas.csv and review.csv, from records."""

import csv

import pytest

from segcli.files.lookup import FEW
from segcli.pipeline import tables
from segcli.pipeline.records import DONE, Record
from segcli.pipeline.tables import by_uncertainty, table, write_areas, write_review


def rows(path):
    return list(csv.reader(path.open(newline="", encoding="utf-8")))


def record(name, **facts):
    return Record(name, f"photos/{name}.jpg", DONE, **facts)


def test_the_largest_area_comes_first_and_shares_are_of_the_photo(tmp_path):
    write_areas(tmp_path / "areas.csv", [record("a", width=10, height=4, areas={"sky": 10, "road": 30})])
    assert rows(tmp_path / "areas.csv") == [
        ["image", "class", "pixels", "percent"],
        ["photos/a.jpg", "road", "30", "75.000"],
        ["photos/a.jpg", "sky", "10", "25.000"],
    ]


def test_a_photo_of_unknown_size_has_no_share(tmp_path):
    write_areas(tmp_path / "areas.csv", [record("a", areas={"sky": 10})])
    assert rows(tmp_path / "areas.csv")[1] == ["photos/a.jpg", "sky", "10", ""]


def test_pixels_without_data_have_no_share(tmp_path):
    write_areas(tmp_path / "areas.csv", [record("a", width=10, height=4, no_data=20, areas={"sky": 5, "road": 15})])
    assert [row[3] for row in rows(tmp_path / "areas.csv")[1:]] == ["75.000", "25.000"]


def test_what_needs_a_look_first_comes_first_and_names_break_ties(tmp_path):
    output = {"mask": {"path": "masks/c.png", "bytes": 1}}
    known = [record("a", uncertainty=0.1), record("c", uncertainty=0.5, outputs=output), record("b", uncertainty=0.5)]
    write_review(tmp_path / "review.csv", [*known, record("d")])
    assert rows(tmp_path / "review.csv")[1:] == [
        ["photos/b.jpg", "0.50000", ""],
        ["photos/c.jpg", "0.50000", "masks/c.png"],
        ["photos/a.jpg", "0.10000", ""],
    ]


@pytest.mark.parametrize(("name", "expected"), [(None, [1, 4, 5, 2, 0]), ("edcba-".__getitem__, [4, 1, 5, 2, 0])])
@pytest.mark.parametrize("few", [0, FEW], ids=["numpy", "plain"])
def test_equal_uncertainties_stay_in_their_order_or_have_that_of_their_names(name, expected, few, monkeypatch):
    monkeypatch.setattr(tables, "FEW", few)
    assert by_uncertainty([0.1, 0.5, 0.25, None, 0.5, 0.3], name).tolist() == expected
    assert by_uncertainty([None, None], name).tolist() == []


def test_names_that_no_text_can_hold_are_kept_as_bytes(tmp_path):
    write_areas(tmp_path / "areas.csv", [record("a\udcff", width=1, height=1, areas={"sky": 1})])
    assert b"a\xff.jpg" in (tmp_path / "areas.csv").read_bytes()


def test_no_cell_is_a_formula(tmp_path):
    odd = ["=cmd|calc!A1", "+1+cmd", "-2+3", "@sum", "\uff1d1"]
    plain = ["-1.5", "+7", "a=b", "'quoted", -3, "", 2.5]
    (tmp_path / "t.csv").write_bytes(table(("name",), [[cell] for cell in [*odd, *plain]]))
    assert [row[0] if row else "" for row in rows(tmp_path / "t.csv")[1:]] == [
        *(f"'{cell}" for cell in odd),
        *map(str, plain),
    ]
    strange = Record("=a", "=a.jpg", DONE, areas={"=class": 3}, uncertainty=0.5)
    write_areas(tmp_path / "areas.csv", [strange])
    write_review(tmp_path / "review.csv", [strange])
    assert rows(tmp_path / "areas.csv")[1] == ["'=a.jpg", "'=class", "3", ""]
    assert rows(tmp_path / "review.csv")[1] == ["'=a.jpg", "0.50000", ""]


def test_a_cell_is_one_line_that_moves_no_cursor(tmp_path):
    (tmp_path / "t.csv").write_bytes(table(("name",), [["a\n=cmd"], ["\r=cmd"], ["\t=cmd"], ["\x1b[2Jä,b"]]))
    assert (tmp_path / "t.csv").read_text().split("\n")[1:-1] == [
        "a\\n=cmd",
        "\\r=cmd",
        "\\t=cmd",
        '"\\x1b[2Jä,b"',
    ]
