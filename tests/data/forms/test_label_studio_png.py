import json

import numpy as np
import pytest
from PIL import Image

from segcli.data.forms import brush, label_studio_png
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (20, 30)


def box(x0, y0, x1, y1):
    mask = np.zeros(SIZE, np.uint8)
    mask[y0:y1, x0:x1] = 255
    return mask


def painted(mask, name, tool="tag"):
    """A brush region in the JSON export."""
    place = {"from_name": tool, "to_name": "image", "original_width": SIZE[1], "original_height": SIZE[0]}
    value = {"format": "rle", "rle": list(brush.encode(mask > 0)), "brushlabels": [name]}
    return {"type": "brushlabels", **place, "value": value}


def task(number, *results, photo=None):
    annotations = [{"id": 30 + place, "result": result} for place, result in enumerate(results, 1)]
    return {
        "id": number,
        "data": {"image": photo or f"/data/upload/1/0a1b2c3d-{number}.jpg"},
        "annotations": annotations,
    }


@pytest.fixture
def load(tmp_path):
    """Loads the pictures and the JSON export of tasks."""

    def read(pictures, *tasks):
        for name, mask in pictures.items():
            Image.fromarray(mask).save(tmp_path / f"{name}.png")
        if tasks:
            (tmp_path / "export.json").write_text(json.dumps(tasks))
        return label_studio_png.load(sorted(tmp_path.iterdir()))

    return read


def drawn(annotations, place=0):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[place].shapes(SIZE), SIZE, numbers, annotations.order)


def name(label, number=0, task=7, annotation=31, person="1"):
    return f"task-{task}-annotation-{annotation}-by-{person}-{label}-{number}"


def test_pictures_are_drawn_with_the_smaller_on_top_where_their_order_is_not_known(load):
    soft = np.where(box(2, 2, 9, 9) > 0, 128, 127).astype(np.uint8)
    pictures = {name("tag-spot"): soft, name("tag-leaf"): box(0, 0, 20, 15), name("tag-leaf", 1): box(25, 0, 26, 5)}
    annotations = load(pictures, task(7, []), task(8, []), task(9))
    assert annotations.names == ("leaf", "spot")
    assert [(record.photo, record.drawn) for record in annotations.records] == [
        ("0a1b2c3d-8.jpg", 0),
        ("0a1b2c3d-7.jpg", 3),
    ]
    expected = 1 * (box(0, 0, 20, 15) > 0) + (box(25, 0, 26, 5) > 0) + (soft > 127)
    assert np.array_equal(drawn(annotations, 1), expected)
    assert annotations.notes == ("1 of 3 tasks have no annotation and are left out",)


def test_regions_of_the_json_export_are_taken_with_their_order(load):
    small, large = painted(box(2, 2, 9, 9), "spot"), painted(box(0, 0, 20, 15), "leaf")
    annotations = load(
        {name("tag-spot"): box(2, 2, 9, 9), name("tag-leaf"): box(0, 0, 20, 15)}, task(7, [small, large])
    )
    assert annotations.order == "list"
    assert np.array_equal(drawn(annotations), (box(0, 0, 20, 15) > 0) * 2)
    pictured = {name("tag-leaf", task=8): box(1, 1, 2, 2)}
    annotations = load(pictured, task(7, [small, large]), task(8, []))
    assert annotations.order == "area"
    assert np.array_equal(drawn(annotations), (box(0, 0, 20, 15) > 0) * 2)


def test_pictures_of_the_newest_annotation_count(load):
    pictures = {name("tag-leaf", annotation=number): box(0, 0, number - 20, 9) for number in (31, 32, 33)}
    annotations = load(pictures, task(7, [], []))
    assert np.array_equal(drawn(annotations), box(0, 0, 12, 9) > 0)  # 32 is the newest that the export has
    annotations = load(pictures, task(7))
    assert np.array_equal(drawn(annotations), box(0, 0, 13, 9) > 0)


@pytest.mark.parametrize(
    ("label", "known", "expected"),
    [
        ("tag-leaf", [], "leaf"),
        ("tag-dead-leaf", [], "dead-leaf"),
        ("my-tag-dead-leaf", [("my-tag", "other")], "dead-leaf"),
        ("my-tag-dead-leaf", [("my", "other"), ("my-tag", "other")], "dead-leaf"),
        ("tag-dead-leaf", [("tag", "dead/leaf")], "dead/leaf"),
        ("leaf", [], "leaf"),
    ],
)
def test_the_class_is_what_follows_the_tool(load, label, known, expected):
    results = [painted(box(0, 0, 1, 1), word, tool) for tool, word in known]
    annotations = load({name(label): box(1, 1, 5, 5)}, task(7, []), task(8, results))
    assert [shape.name for shape in annotations.records[-1].shapes(SIZE)] == [expected]


def test_without_the_json_export_nobody_knows_the_photos(load):
    with pytest.raises(DatasetError, match="1 masks of Label Studio name the number of their task") as caught:
        load({name("tag-leaf"): box(1, 1, 2, 2)})
    assert "JSON export" in caught.value.hint
    record = load({name("tag-leaf"): box(1, 1, 2, 2)}, task(8)).records[0]
    with pytest.raises(DatasetError, match="no JSON export has the task 7"):
        record.shapes(SIZE)


def test_pictures_of_another_size_or_name_are_refused(load, tmp_path):
    record = load({name("tag-leaf"): box(1, 1, 2, 2)}, task(7, [])).records[0]
    with pytest.raises(DatasetError, match=r"task-7.*\.png has 30 x 20 pixels, but its photo is 20 x 30"):
        record.shapes(SIZE[::-1])
    (tmp_path / f"{name('tag-leaf')}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DatasetError, match="cannot be decoded"):
        record.shapes(SIZE)
    with pytest.raises(DatasetError, match="does not have a name that Label Studio gives to masks"):
        load({"task-7-annotation-leaf": box(1, 1, 2, 2)}, task(7, []))


def test_regions_of_other_tools_are_in_the_json_export_only(load):
    polygon = painted(box(0, 0, 1, 1), "spot") | {"type": "polygonlabels"}
    polygon["value"] = {"points": [[50, 50], [100, 50], [100, 100], [50, 100]], "polygonlabels": ["spot"]}
    annotations = load({name("tag-leaf"): box(1, 1, 5, 5)}, task(7, [polygon]))
    assert annotations.records[0].drawn == 2
    assert np.array_equal(drawn(annotations), (box(15, 10, 30, 20) > 0) * 1 + (box(1, 1, 5, 5) > 0) * 2)
