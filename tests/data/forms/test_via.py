import csv
import json

import numpy as np
import pytest

from segcli.data.forms import via
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (20, 30)
POLYGON = {"name": "polygon", "all_points_x": [1, 9, 9, 1], "all_points_y": [2, 2, 8, 8]}
RECTANGLE = {"name": "rect", "x": 5, "y": 4, "width": 10, "height": 3}


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def photo(*regions, name="a.jpg"):
    return {"filename": name, "size": 123, "file_attributes": {}, "regions": list(regions)}


@pytest.fixture
def load(tmp_path):
    """Loads files of these contents."""

    def read(*contents):
        files = []
        for index, content in enumerate(contents):
            files.append(tmp_path / f"{index}.json")
            files[-1].write_text(json.dumps(content))
        return via.load(files)

    return read


def drawn(annotations):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[0].shapes(SIZE), SIZE, numbers, annotations.order)


def test_the_last_region_lies_on_top(load):
    expected = np.zeros(SIZE, int)
    expected[2:8, 1:9] = 1
    expected[4:7, 5:15] = 2
    regions = [region(POLYGON, kind="leaf"), region(RECTANGLE, kind="spot")]
    second = load({"_via_settings": {}, "_via_img_metadata": {"a.jpg123": photo(*regions)}, "_via_attributes": {}})
    first = load({"a.jpg123": photo() | {"regions": {str(i): entry for i, entry in enumerate(regions)}}})
    for annotations in (second, first):
        assert annotations.names == ("leaf", "spot")
        assert np.array_equal(drawn(annotations), expected)
        (record,) = annotations.records
        assert (record.photo, record.size, record.drawn, record.boxes) == ("a.jpg", None, 2, 1)


def test_circles_and_turned_ellipses_hold_the_points_of_their_equations(load):
    y, x = np.mgrid[0.5:20, 0.5:30]
    circle = load({"a": photo(region({"name": "circle", "cx": 12, "cy": 9, "r": 6.5}, kind="leaf"))})
    assert np.array_equal(drawn(circle) == 1, np.hypot(x - 12, y - 9) < 6.5)
    oval = {"name": "ellipse", "cx": 12, "cy": 10, "rx": 10, "ry": 5, "theta": np.arctan2(3, 4)}
    along, across = ((x - 12) * 4 + (y - 10) * 3) / 5, ((y - 10) * 4 - (x - 12) * 3) / 5
    assert np.array_equal(
        drawn(load({"a": photo(region(oval, kind="leaf"))})) == 1, np.hypot(along / 10, across / 5) < 1
    )


def test_points_and_lines_and_regions_without_a_class_are_counted(load):
    line = {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}
    regions = [
        region(POLYGON, kind="leaf"),
        region(POLYGON, kind=""),
        region(POLYGON),
        region(POLYGON, kind={"leaf": True, "spot": True}),
        region(line, kind="leaf"),
        region({"name": "point", "cx": 1, "cy": 1}, kind="leaf"),
    ]
    (record,) = load({"a": photo(*regions)}).records
    assert record.drawn == 1
    assert record.skipped == {"without a class": 2, "with several classes": 1, "line": 1, "point": 1}


def test_a_checkbox_is_the_class_that_is_ticked(load):
    ticked = region(POLYGON, kind={"leaf": False, "spot": True})
    assert load({"a": photo(ticked)}).names == ("spot",)


def test_regions_without_any_attribute_are_all_of_one_class(load):
    annotations = load({"a": photo(region(POLYGON))})
    assert annotations.names == ("object",)
    assert "all are of one class" in annotations.notes[0]
    assert load({"a": photo()}).notes == ()


@pytest.mark.parametrize(
    ("attributes", "declared", "name"),
    [
        ({"class": "leaf", "note": "torn"}, {}, "leaf"),
        ({"note": "torn", "Label": "leaf"}, {}, "leaf"),
        (
            {"note": "torn", "what": "leaf"},
            {"what": {"type": "radio", "options": {"leaf": "a leaf", "spot": ""}}},
            "leaf",
        ),
        ({"type": "a", "name": "leaf"}, {}, "leaf"),
        ({"note": "", "what": "leaf"}, {}, "leaf"),
    ],
)
def test_the_class_is_found_among_several_attributes(load, attributes, declared, name):
    annotations = load(
        {"_via_img_metadata": {"a": photo(region(POLYGON, **attributes))}, "_via_attributes": {"region": declared}}
    )
    assert annotations.names[0] == name
    assert bool(annotations.notes) == all(attributes.values())
    if declared:
        assert annotations.names == ("leaf", "spot")  # which no region has, but the project offers


def test_attributes_that_say_nothing_are_refused_with_their_names(load):
    with pytest.raises(DatasetError, match="'size', 'colour', of which none says"):
        load({"a": photo(region(POLYGON, size="big", colour="red"))})


@pytest.mark.parametrize(
    ("name", "photo_name"),
    [("https://x.org/in/a%20b.jpg?t=1", "in/a b.jpg"), ("c:\\in\\a.jpg", "c:/in/a.jpg"), ("in/a.jpg", "in/a.jpg")],
)
def test_urls_and_paths_name_a_photo(load, name, photo_name):
    assert load({"a": photo(name=name)}).records[0].photo == photo_name


def test_csv_has_a_line_a_region(tmp_path):
    long = {"name": "polygon", "all_points_x": [1, 9, 9, *[1] * 40_000], "all_points_y": [2, 2, 8, *[8] * 40_000]}
    path = tmp_path / "via.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        before = ["#filename", "file_size", "file_attributes", "region_count", "region_id"]
        writer.writerow([*before, "region_shape_attributes", "region_attributes"])
        writer.writerow(["a.jpg", 1, "{}", 2, 0, json.dumps(long), '{"kind":"leaf"}'])
        writer.writerow(["a.jpg", 1, "{}", 2, 1, json.dumps(RECTANGLE), '{"kind":"spot"}'])
        writer.writerow(["b.jpg", 1, "{}", 0, 0, "{}", "{}"])
    annotations = via.load([path])
    assert [(record.photo, record.drawn, record.skipped) for record in annotations.records] == [
        ("a.jpg", 2, {}),
        ("b.jpg", 0, {}),
    ]
    assert np.bincount(drawn(annotations).ravel()).tolist()[1:] == [8 * 6 - 4 * 3, 30]
    assert csv.field_size_limit() == 131072


def test_version_3_is_read(load):
    project = {
        "project": {"pid": "__VIA_PROJECT_ID__", "data_format_version": "3.1.0"},
        "config": {},
        "attribute": {
            "1": {"aname": "kind", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"0": "leaf", "1": "spot"}}
        },
        "file": {"1": {"fid": "1", "fname": "a.jpg", "type": 2, "loc": 1, "src": ""}},
        "metadata": {
            "1_x": {"vid": "1", "flg": 0, "z": [], "xy": [7, 1, 2, 9, 2, 9, 8, 1, 8], "av": {"1": "0"}},
            "1_y": {"vid": "1", "flg": 0, "z": [], "xy": [2, 5, 4, 10, 3], "av": {"1": "1"}},
            "1_z": {"vid": "1", "flg": 0, "z": [], "xy": [1, 5, 4], "av": {"1": "1"}},
            "1_w": {"vid": "1", "flg": 0, "z": [1.5], "xy": [], "av": {"1": "1"}},
        },
        "view": {"1": {"fid_list": ["1"]}},
    }
    annotations = load(project)
    assert np.bincount(drawn(annotations).ravel()).tolist()[1:] == [8 * 6 - 4 * 3, 30]
    assert annotations.records[0].skipped == {"point": 1}


@pytest.mark.parametrize("content", [[], {"a": 3}, {"a": photo(region({"name": 3}))}, {"_via_img_metadata": [1]}])
def test_another_structure_is_refused(load, content):
    with pytest.raises(DatasetError, match=r"0.json cannot be read"):
        load(content)


def test_coordinates_that_do_not_pair_are_refused(load):
    (record,) = load({"a": photo(region(POLYGON | {"all_points_x": [1, 2]}, kind="leaf"))}).records
    with pytest.raises(DatasetError, match=r"0.json: a polygon does not have as many x"):
        record.shapes(SIZE)
