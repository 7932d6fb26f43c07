"""Results of several settings in one folder: each keeps its row, and the run file that tells how it was made."""

import csv
import json
import tomllib

import pytest
from small_runs import tree

from segcli.pipeline.records import fingerprint
from segcli.pipeline.run_files import EARLIER, RunSettings


def rows(folder, name="areas.csv"):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def settings_of(folder):
    """Photo -> what areas.csv says of how it was made; without the column None."""
    return {row["image"].rpartition("/")[2]: row.get("settings") for row in rows(folder)}


@pytest.fixture
def out(segcli, photos, tmp_path):
    """A folder with two photos, of which the first was done again at another working size."""
    (photos / "b.png").rename(tmp_path / "two.png")
    (photos / "a.jpg").rename(tmp_path / "one.png")
    assert segcli("one.png", "two.png", "-o", "out", "--save", "mask,polygons").exit_code == 0
    assert segcli("one.png", "-o", "out", "--save", "mask,polygons", "--size", "65").exit_code == 0
    return tmp_path / "out"


def test_photos_of_other_settings_keep_their_rows_which_name_the_run_file(out):
    told = settings_of(out)
    (earlier,) = {path for path in tree(out) if path.startswith("run.") and path != "run.toml"}
    assert told == {"one.png": "run.toml", "two.png": earlier}
    assert {row["settings"] for row in rows(out, "review.csv")} == {"run.toml", earlier}
    values = tomllib.loads((out / earlier).read_text())
    manifest = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert RunSettings.of(earlier, values).photos == manifest[0]["settings"]
    assert earlier == EARLIER.format(manifest[0]["settings"])


def test_files_of_the_whole_run_keep_photos_of_the_same_model_and_classes(out):
    found = json.loads((out / "polygons.json").read_text())
    assert [image["file_name"].rpartition("/")[2] for image in found["images"]] == ["one.png", "two.png"]


def test_photos_that_do_not_fit_into_such_a_file_are_left_out_and_counted(segcli, out):
    result = segcli("one.png", "-o", "out", "--save", "mask,polygons", "--min-area", "9")
    assert "polygons.json lacks 1 photo made with another model, other classes or another --min-area" in result.stderr
    found = json.loads((out / "polygons.json").read_text())
    assert [image["file_name"].rpartition("/")[2] for image in found["images"]] == ["one.png"]
    assert set(settings_of(out)) == {"one.png", "two.png"}


def test_a_photo_done_again_has_one_row_and_the_column_goes_with_the_difference(segcli, out):
    assert segcli("one.png", "two.png", "-o", "out", "--save", "mask", "--size", "65").exit_code == 0
    assert settings_of(out) == {"one.png": None, "two.png": None}
    assert not {path for path in tree(out) if path.startswith("run.") and path != "run.toml"}


def test_what_is_saved_beside_the_masks_makes_no_other_settings(segcli, out):
    segcli("one.png", "two.png", "-o", "out", "--save", "mask")
    segcli("one.png", "-o", "out", "--save", "mask,overlay")
    assert settings_of(out) == {"one.png": None, "two.png": None}


def test_of_a_run_without_its_file_the_fingerprint_tells(segcli, out):
    for path in out.glob("run.*.toml"):
        path.unlink()
    segcli("one.png", "-o", "out", "--save", "mask", "--size", "65")
    told = settings_of(out)["two.png"]
    assert len(told) == len(fingerprint({}))
    assert not told.startswith("run.")
