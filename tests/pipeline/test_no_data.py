"""Pixels without data, from the file to every output of a run."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth

import segcli


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A run over a photo whose upper left is no number, and one without any number."""
    folder = tmp_path_factory.mktemp("no-data")
    values = smooth(3, 60, 80)[..., 0].astype(np.float32) / 255
    values[:20, :30] = np.nan
    (folder / "photos").mkdir()
    Image.fromarray(values).save(folder / "photos/part.tif")
    Image.fromarray(np.full((40, 40), np.nan, np.float32)).save(folder / "photos/none.tif")
    options = {"model": "street", "size": 65, "save": ["mask", "polygons", "classes"]}
    run = segcli.predict_folder(folder / "photos", folder / "out", **options)
    assert all(record.status == "done" for record in run)
    run.finish()
    return folder / "out"


def records(output):
    lines = (output / "manifest.jsonl").read_text().splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


def test_are_void_in_the_mask_and_nowhere_else(output):
    mask = np.asarray(Image.open(output / "masks/part.png"))
    void = np.zeros(mask.shape, bool)
    void[:20, :30] = True
    assert np.array_equal(mask == 255, void)


def test_count_in_no_area(output):
    found = records(output)["part"]
    assert (found["no_data"], sum(found["areas"].values())) == (600, 60 * 80 - 600)
    rows = [row for row in csv.DictReader((output / "areas.csv").open()) if "part" in row["image"]]
    assert sum(float(row["percent"]) for row in rows) == pytest.approx(100, abs=0.01)


def test_lie_in_no_polygon_and_no_classs_mask(output):
    polygons = json.loads((output / "polygons.json").read_text())
    part = next(image["id"] for image in polygons["images"] if "part" in image["file_name"])
    assert sum(each["area"] for each in polygons["annotations"] if each["image_id"] == part) == 60 * 80 - 600
    drawn = np.maximum.reduce([np.asarray(Image.open(path)) for path in (output / "classes").glob("part.*")])
    assert not drawn[:20, :30].any()


def test_everywhere_leave_nothing_to_be_unsure_of(output):
    found = records(output)["none"]
    assert (found["no_data"], found["areas"], found["uncertainty"]) == (1600, {}, None)
    assert (np.asarray(Image.open(output / "masks/none.png")) == 255).all()
