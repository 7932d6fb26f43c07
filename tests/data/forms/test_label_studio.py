import base64
import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from segcli.data.forms import brush, label_studio
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError
from segcli.labels import VOID, LabelSet

SIZE = (20, 40)


def region(kind, labels, size=SIZE, rotation=0, key=None, **value):
    """A region of a tool as Label Studio writes it; `key` is the name of the labels, if not the tool's own."""
    sizes = {"original_width": size[1], "original_height": size[0]} if size else {}
    named = {(key or f"{kind}labels"): labels} if labels is not None else {}
    place = {"from_name": "tag", "to_name": "image", "image_rotation": rotation}
    return {"type": f"{kind}labels", **place, **sizes, "value": value | named}


def rectangle(x0, y0, x1, y1, label="leaf", **more):
    """A region that covers these pixels of a photo of SIZE."""
    percent = {"x": x0 * 2.5, "y": y0 * 5, "width": (x1 - x0) * 2.5, "height": (y1 - y0) * 5}
    return region("rectangle", [label], **percent, **more)


def painted(mask, label="leaf", **more):
    return region("brush", [label], mask.shape, format="rle", rle=list(brush.encode(mask)), **more)


def task(*results, number=1, photo="plant_01.jpg", **more):
    """A task with an annotation for each list of regions."""
    annotations = [{"id": place, "result": result} for place, result in enumerate(results, 1)]
    return {"id": number, "data": {"image": photo}, "annotations": annotations} | more


@pytest.fixture
def load(tmp_path):
    def read(*tasks):
        (tmp_path / "export.json").write_text(json.dumps(tasks))
        return label_studio.load([tmp_path / "export.json"])

    return read


def drawn(annotations, place=0, size=SIZE):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[place].shapes(size), size, numbers, annotations.order)


def filled(*boxes, size=SIZE):
    """Labels (H, W) of boxes of (number, x0, y0, x1, y1), the last on top."""
    canvas = np.zeros(size, int)
    for number, x0, y0, x1, y1 in boxes:
        canvas[y0:y1, x0:x1] = number
    return canvas


def test_regions_of_every_kind_with_the_last_on_top(load):
    mask = filled((1, 3, 3, 30, 15)) == 1
    points = [[25, 10], [50, 10], [50, 50], [25, 50]]
    results = [
        painted(mask),
        region("polygon", ["spot"], points=points, closed=True),
        rectangle(12, 4, 14, 8),
        region("ellipse", ["spot"], x=80, y=50, radiusX=10, radiusY=10),
        region("vector", ["leaf"], vertices=[{"x": x, "y": y} for x, y in points], closed=False),
        region("keypoint", ["leaf"], x=10, y=10, width=1),
        region("brush", ["leaf"], points=[1, 2, 3, 4]),
        {"type": "choices", "from_name": "light", "to_name": "image", "value": {"choices": ["sunny"]}},
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
        {"type": "rating", "value": None},
    ]
    annotations = load(task(results))
    record = annotations.records[0]
    assert annotations.names == ("leaf", "spot")
    assert (record.photo, record.size, record.drawn, record.boxes) == ("plant_01.jpg", SIZE, 4, 1)
    assert record.skipped == {"line": 2, "point": 1}
    assert record.corrected
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    expected = filled((1, 3, 3, 30, 15), (2, 10, 2, 20, 10), (1, 12, 4, 14, 8))
    expected[((x - 32) / 4) ** 2 + ((y - 10) / 2) ** 2 < 1] = 2
    assert np.array_equal(drawn(annotations), expected)


def test_vectors_that_are_closed_are_outlines(load):
    vertices = [{"x": x, "y": y, "id": str(x), "isBezier": False} for x, y in ((0, 0), (50, 0), (50, 50), (0, 50))]
    shape = region("vector", ["leaf"], vertices=vertices, closed=True)
    assert np.array_equal(drawn(load(task([shape]))), filled((1, 0, 0, 20, 10)))
    vertices[1]["isBezier"] = True
    with pytest.raises(DatasetError, match="has curves"):
        load(task([shape])).records[0].shapes(SIZE)


def test_rectangles_turn_around_their_corner_and_ellipses_around_their_centre(load):
    """The corners are those that `convert_annotation_to_yolo_obb` of label-studio-sdk 2.1.2 computes."""
    turned = rectangle(20, 5, 30, 8)
    turned["value"]["rotation"] = 90
    annotations = load(task([turned]))
    assert annotations.records[0].boxes == 0
    assert np.array_equal(drawn(annotations), filled((1, 17, 5, 20, 15)))
    ellipse = region("ellipse", ["leaf"], x=50, y=50, radiusX=20, radiusY=10)
    ellipse["value"]["rotation"] = 90
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    assert np.array_equal(drawn(load(task([ellipse]))), ((x - 20) / 2) ** 2 + ((y - 10) / 8) ** 2 < 1)


def test_bitmasks_are_black_on_nothing(load):
    alpha = np.where(filled((1, 3, 3, 9, 9)), 255, 0).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.dstack([np.zeros((*SIZE, 3), np.uint8), alpha]), "RGBA").save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    assert np.array_equal(drawn(load(task([region("bitmask", ["leaf"], imageDataURL=url)]))), filled((1, 3, 3, 9, 9)))
    with pytest.raises(DatasetError, match="a bitmask has 40 x 20 pixels, but its photo is 20 x 40"):
        load(task([region("bitmask", ["leaf"], SIZE[::-1], imageDataURL=url)])).records[0].shapes(SIZE)


def test_labels_may_come_from_a_tool_of_their_own(load):
    """With <Brush> and <Labels> the place and the labels are two results of one id."""
    mask = filled((1, 3, 3, 30, 15)) == 1
    place = painted(mask) | {"id": "a", "type": "brush"}
    place["value"] = {key: value for key, value in place["value"].items() if key != "brushlabels"}
    named = {**place, "type": "labels", "value": place["value"] | {"labels": ["spot"]}}
    annotations = load(task([place, named]))
    assert (annotations.names, annotations.records[0].drawn) == (("spot",), 1)
    assert np.array_equal(drawn(annotations), mask)
    annotations = load(task([place]))
    assert annotations.records[0].drawn == 0
    assert annotations.records[0].skipped == {"brush without a class": 1}


def test_the_newest_annotation_counts_unless_it_was_cancelled(load):
    older, newer, cancelled = (rectangle(x, 0, 9, 9) for x in (1, 2, 3))
    entries = [
        {"id": 9, "result": [older], "updated_at": "2026-01-01T00:00:00Z"},
        {"id": 3, "result": [newer], "updated_at": "2026-02-01T00:00:00Z", "was_cancelled": False},
        {"id": 8, "result": [cancelled], "updated_at": "2026-03-01T00:00:00Z", "was_cancelled": True},
    ]
    annotations = load(task(annotations=entries))
    assert np.array_equal(drawn(annotations), filled((1, 2, 0, 9, 9)))
    assert annotations.notes == ("1 of 1 tasks have several annotations, of which the newest counts",)
    assert np.array_equal(drawn(load(task([older], [newer]))), filled((1, 2, 0, 9, 9)))  # by their numbers
    old = {"id": 1, "data": {"image": "a.jpg"}, "completions": [{"id": 1, "result": [older], "skipped": False}]}
    assert np.array_equal(drawn(load(old)), filled((1, 1, 0, 9, 9)))


def test_predictions_are_uncorrected_until_a_person_submits(load):
    older, newer = [rectangle(1, 1, 2, 2)], [rectangle(3, 3, 9, 9)]
    guess = {"predictions": [{"id": 1, "result": older}, {"id": 2, "result": newer}]}
    cancelled = {"annotations": [{"id": 1, "was_cancelled": True, "result": []}]}
    skipped = task(number=4) | guess | cancelled
    annotations = load(task(**guess), task(newer, number=2, **guess), task(number=3), skipped, task([], number=5))
    assert [record.corrected for record in annotations.records] == [False, True, False, True]
    assert np.array_equal(drawn(annotations, 0), filled((1, 3, 3, 9, 9)))
    assert (annotations.records[3].drawn, annotations.records[3].shapes(SIZE)) == (0, [])
    assert annotations.notes == ("1 of 5 tasks have no annotation and are left out",)
    assert load(task(newer, predictions=[1, 2])).records[0].corrected  # some exports hold the predictions' numbers


def test_json_min_is_read_as_well(load):
    def short(number, annotation, *regions, **more):
        values = [{k: v for k, v in entry.items() if k.startswith("original")} | entry["value"] for entry in regions]
        stated = {"annotator": 1, "annotation_id": annotation, "updated_at": f"2026-01-0{annotation}", "lead_time": 3.5}
        return {"image": f"/data/upload/1/0a1b2c3d-plant_0{number}.jpg", "id": number, "tag": values, **stated, **more}

    mask = filled((2, 3, 3, 30, 15)) == 2
    annotations = load(
        short(1, 1, rectangle(1, 1, 3, 3)),
        short(1, 2, rectangle(1, 1, 5, 5), painted(mask, "spot"), light="sunny"),
        short(2, 3),
        short(3, None),
    )
    assert [record.photo for record in annotations.records] == ["0a1b2c3d-plant_01.jpg", "0a1b2c3d-plant_02.jpg"]
    assert np.array_equal(drawn(annotations), filled((1, 1, 1, 5, 5), (2, 3, 3, 30, 15)))
    assert len(annotations.notes) == 2


def test_sizes_that_are_not_stated_are_the_photos(load):
    percent = rectangle(1, 2, 3, 4, size=None)
    annotations = load(task([percent]))
    assert annotations.records[0].size is None
    assert np.array_equal(drawn(annotations), filled((1, 1, 2, 3, 4)))
    mask = painted(filled((1, 1, 1, 5, 5)) == 1)
    del mask["original_width"]
    annotations = load(task([mask]))
    assert np.array_equal(drawn(annotations), filled((1, 1, 1, 5, 5)))
    with pytest.raises(DatasetError, match="has 800 pixels, but its photo has 400"):
        annotations.records[0].shapes((10, 40))


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([rectangle(1, 1, 2, 2, rotation=90)], "the photo was turned by 90 degrees"),
        ([rectangle(1, 1, 2, 2), rectangle(1, 1, 2, 2, size=(20, 41))], "photos of 40 x 20 and 41 x 20 pixels"),
        ([rectangle(1, 1, 2, 2), rectangle(1, 1, 2, 2) | {"to_name": "other"}], "lie on 2 pictures"),
        ([region("polygon", ["leaf", "spot"], points=[])], "has the classes 'leaf' and 'spot'"),
        ([region("polygon", ["leaf"], points=[[1, 2], [3]])], "a polygon cannot be read"),
        ([region("polygon", ["leaf"], points=[[1, 2], [3, 1e300], [5, 5]])], "outside any photo"),
        ([region("polygon", ["leaf"], size=(10**9, 10**9), points=[])], "it states a photo of 1000000000 x 1000000000"),
        ([region("ellipse", ["leaf"], x=1, radiusX=3)], "outside any photo"),
        ([region("brush", ["leaf"], rle=[1, 2, 300])], "is not a list of bytes"),
        ([region("brush", ["leaf"], rle="text")], "is not a list of bytes"),
        ([region("brush", ["leaf"], rle=[255] * 100)], "but its photo has 800"),
        ([region("bitmask", ["leaf"], imageDataURL="data:image/png;base64,AAAA")], "a mask cannot be unpacked"),
    ],
)
def test_broken_regions_are_refused_when_they_are_drawn(load, results, message):
    annotations = load(task(results), task([rectangle(1, 1, 2, 2)], number=2))
    with pytest.raises(DatasetError, match=f"task 1: .*{message}"):
        annotations.records[0].shapes(SIZE)
    assert drawn(annotations, 1).any()


def test_scores_that_are_no_number_do_no_harm(load):
    """Python writes them as NaN, which is no JSON."""
    guess = {"result": [rectangle(1, 1, 2, 2)], "score": float("nan")}
    assert np.array_equal(drawn(load(task(predictions=[guess]))), filled((1, 1, 1, 2, 2)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"data": {}}', "Expected `array`"),
        ("[1]", "the task at place 1: Expected `object`"),
        ('[{"data": {}, "annotations": [{"result": 5}]}]', r"the task at place 1: .* at `\$\.annotations"),
        ('[{"data": {}, "annotations": [{"result": [{"original_width": "wide"}]}]}]', "the task at place 1"),
        ('[{"tag": [{"brushlabels": "leaf"}], "annotation_id": 1}]', "the task at place 1"),
        (b'[{"data": {}, "annotations": [{"id": "\xff"}]}]', "the task at place 1: .*utf-8"),
        ("[" * 100_000, "cannot be read"),
        ('[{"data": ' + "[" * 100_000, "cannot be read"),
    ],
)
def test_files_that_are_no_export_are_refused(tmp_path, content, message):
    (tmp_path / "export.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=message):
        label_studio.load([tmp_path / "export.json"])


LABELS = LabelSet("x", ("background", 'leaf & "big" <b>', "spöt"), ((0, 0, 0), (60, 130, 50), (250, 20, 3)))


def test_what_is_written_is_read_back_as_uncorrected(load):
    chance = np.random.default_rng(3)
    maps = [np.zeros((4, 5), np.uint8), np.ones((4, 5), np.uint8)]
    maps += [chance.choice([0, 1, 2, VOID], chance.integers(1, 30, 2)).astype(np.uint8) for _ in range(10)]
    names = [f"a b/ü#{number}?&+%.jpg" for number in range(len(maps))]
    annotations = load(*(label_studio.task(name, maps[place], LABELS, "x") for place, name in enumerate(names)))
    assert annotations.names == LABELS.names[1:]
    assert [record.photo for record in annotations.records] == names
    for place, (record, label_map) in enumerate(zip(annotations.records, maps, strict=True)):
        assert np.array_equal(drawn(annotations, place, label_map.shape), np.where(label_map == VOID, 0, label_map))
        assert not record.corrected
        assert record.size == (label_map.shape if record.drawn else None)


def test_tasks_hold_what_label_studio_asks_of_predictions():
    written = label_studio.task("a b/ü.jpg", np.array([[0, 1], [2, 2]], np.uint8), LABELS, "segcli x")
    assert written["data"] == {"image": "/data/local-files/?d=a%20b/%C3%BC.jpg"}
    (prediction,) = written["predictions"]
    assert prediction["model_version"] == "segcli x"
    assert [entry["value"]["brushlabels"] for entry in prediction["result"]] == [[LABELS.names[1]], [LABELS.names[2]]]
    first = prediction["result"][0]
    assert (first["type"], first["original_width"], first["original_height"]) == ("brushlabels", 2, 2)
    assert json.loads(json.dumps(written)) == written
    root = ElementTree.fromstring(label_studio.config(LABELS))
    assert root.find("Image").attrib["value"] == "$image"
    tool = root.find("BrushLabels")
    assert (tool.get("name"), tool.get("toName")) == (first["from_name"], first["to_name"]) == ("tag", "image")
    assert [(label.get("value"), label.get("background")) for label in tool] == [
        ('leaf & "big" <b>', "#3c8232"),
        ("spöt", "#fa1403"),
    ]


def test_file_names_that_are_no_text_come_back(load):
    written = label_studio.task("a\udcff.jpg", np.ones((1, 1), np.uint8), LABELS, "x")
    assert load(written).records[0].photo == "a\udcff.jpg"
