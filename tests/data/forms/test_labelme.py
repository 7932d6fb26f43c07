import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from segcli.data.forms import labelme
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError
from segcli.labels import ADE20K, from_names

SIZE = (20, 30)
LABELS = from_names(["background", "leaf", "spot"])


def shape(kind, points, label="leaf", **more):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}} | more


def document(*shapes, **more):
    """A file as LabelMe writes it."""
    content = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "..\\photos\\a.jpg", "imageData": None}
    return content | {"imageHeight": SIZE[0], "imageWidth": SIZE[1]} | more


@pytest.fixture
def load(tmp_path):
    """Loads files of these contents, called 0.json and so on."""

    def read(*contents):
        files = [tmp_path / f"{index}.json" for index in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return labelme.load(files)

    return read


def label_map(annotations, size=SIZE):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[0].shapes(size), size, numbers, annotations.order)


def png(mask, mode="L"):
    """A mask as LabelMe holds it."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(mask, np.uint8)).convert(mode).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("kind", "points", "rows", "columns"),
    [
        ("polygon", [[3, 2], [9, 2], [9, 7], [3, 7]], (2, 7), (3, 9)),
        (None, [[3, 2], [9, 2], [9, 7], [3, 7]], (2, 7), (3, 9)),
        ("rectangle", [[9.0, 2.0], [3.0, 7.0]], (2, 7), (3, 9)),  # any two opposite corners
        ("rectangle", [[3.4, 2.4], [9.4, 7.4]], (2, 7), (3, 9)),  # centres from 3.5 on
        ("rectangle", [[3.6, 2.6], [9.6, 7.6]], (3, 8), (4, 10)),
        ("rectangle", [[3, 2], [9, 2], [9, 7], [3, 7]], (2, 7), (3, 9)),  # X-AnyLabeling
        ("rotation", [[3, 2], [9, 2], [9, 7], [3, 7]], (2, 7), (3, 9)),
        ("oriented_rectangle", [[3, 2], [9, 2], [9, 7], [3, 7]], (2, 7), (3, 9)),
    ],
)
def test_shapes_with_straight_edges(load, kind, points, rows, columns):
    expected = np.zeros(SIZE, int)
    expected[slice(*rows), slice(*columns)] = 1
    found = load(document(shape(kind, points)))
    assert np.array_equal(label_map(found), expected)
    assert found.records[0].boxes == (kind == "rectangle")


def test_a_circle_is_its_centre_and_a_point_on_the_rim(load):
    x, y = np.arange(30) + 0.5, np.arange(20)[:, np.newaxis] + 0.5
    expected = (x - 12.2) ** 2 + (y - 9.1) ** 2 < 3**2 + 4**2
    assert np.array_equal(label_map(load(document(shape("circle", [[12.2, 9.1], [15.2, 13.1]])))), expected)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_a_mask_lies_between_the_whole_parts_of_its_points(load, mode):
    mask = np.array([[255, 0, 255], [0, 255, 255]])
    found = label_map(load(document(shape("mask", [[4.9, 6.2], [6.1, 7.7]], mask=png(mask, mode)))))
    assert np.array_equal(found[6:8, 4:7], mask > 0)
    assert found.sum() == 4


def test_a_mask_of_zeros_and_ones_counts(load):
    assert label_map(load(document(shape("mask", [[0, 0], [1, 0]], mask=png([[0, 1]]))))).sum() == 1


def test_the_last_shape_lies_on_top_whatever_it_is(load):
    large, small = [[0, 0], [10, 10]], [[2, 2], [4, 4]]
    found = load(document(shape("rectangle", small, "spot"), shape("rectangle", large, "leaf")))
    assert found.names == ("leaf", "spot")
    assert np.unique(label_map(found)).tolist() == [0, 1]
    hole = load(document(shape("rectangle", large), shape("rectangle", small, "_background_")))
    assert (label_map(hole) == 1).sum() == 4  # of the sorted names the first is _background_
    assert (label_map(hole) == 2).sum() == 96


def test_what_encloses_nothing_is_counted(load):
    points = [[1, 1], [5, 5]]
    record = load(
        document(
            *(shape(kind, points) for kind in ("line", "linestrip", "points", "polygon", "cuboid")),
            shape("point", points[:1]),
            *(shape("rectangle", points, label) for label in (None, "", " ", 7)),
        )
    ).records[0]
    assert record.skipped == {"line": 3, "point": 2, "cuboid": 1, "shape without a class": 3}
    assert [found.name for found in record.shapes(SIZE)] == ["7"]


def test_the_photo_and_its_size(load):
    record = load(document()).records[0]
    assert (record.photo, record.size, record.drawn, record.corrected) == ("../photos/a.jpg", SIZE, 0, True)
    old = load({"shapes": [], "imagePath": "", "imageHeight": None}).records[0]
    assert (old.photo, old.size) == ("0", None)
    assert load(document(imageHeight=-1, imageWidth=-1)).records[0].size is None  # X-AnyLabeling does not know it


def test_photos_in_the_file_are_passed_over(load):
    record = load(document(shape("rectangle", [[0, 0], [2, 2]]), imageData="A" * 100_000)).records[0]
    assert record.drawn == 1


def test_isat_files_have_layers(load):
    def entry(category, x0, x1, layer):
        points = [[x0, 0], [x1, 0], [x1, 4], [x0, 4]]
        return {"category": category, "group": 1, "segmentation": points, "area": 8, "layer": layer, "bbox": [0] * 4}

    info = {"description": "ISAT", "folder": "x", "name": "b.jpg", "width": 30, "height": 20, "depth": 3, "note": ""}
    found = load({"info": info, "objects": [entry("spot", 0, 4, 2.0), entry("leaf", 2, 8, 1.0)]})
    record = found.records[0]
    assert (record.photo, record.size, record.drawn) == ("b.jpg", SIZE, 2)
    assert label_map(found)[0, :9].tolist() == [2, 2, 2, 2, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"{", "0.json cannot be read"),
        (b"[" * 100_000, "0.json cannot be read"),
        (document(shape("polygon", [[1, 2], [3], [4, 5]])), r"0.json cannot be read: .*shapes\[0\].points\[1\]"),
        (document(shape("polygon", [[1, 2], [3, None], [4, 5]])), "0.json cannot be read"),
        (document(shape("blob", [[1, 2]])), "0.json: a shape has the type 'blob', which is unknown"),
        (document(shape("circle", [[1, 2]])), "0.json: a shape of the type 'circle' has 1 points, not 2"),
        (document(shape("rectangle", [[1, 2]])), "has 1 points, not 2 or 4"),
        (document(shape("mask", [[1, 2], [3, 4]])), "holds no mask"),
        (document(imageHeight=10**9, imageWidth=10**9), "states a photo of"),
        (
            document(shape("mask", [[1, 2], [3, 4]], mask=png([[1]]))),
            "1 x 1 pixels, but its points say 3 x 3",
        ),
        (document(shape("mask", [[0, 0], [1e300, 0]], mask=png([[1]]))), "outside any photo"),
        (document(shape("mask", [[0, 0], [0, 0]], mask="no base64")), "a mask cannot be"),
        (document(shape("mask", [[0, 0], [0, 0]], mask="iVBORw0KGgo=")), "a mask cannot be decoded"),
        (document(shape("polygon", [[0, 0], [1e300, 0], [1, 1]])), "outside any photo"),
    ],
)
def test_a_broken_file_is_refused_when_it_is_drawn_and_hides_no_other(load, content, match):
    found = load(content, document(shape("rectangle", [[0, 0], [2, 2]])))
    with pytest.raises(DatasetError, match=match):
        draw(found.records[0].shapes(SIZE), SIZE, {"leaf": 1})
    assert found.records[0].photo in ("0", "../photos/a.jpg")
    assert found.records[1].drawn == 1


def saved_by_labelme(content, **changes):
    """What LabelMe makes of a file that it opens and saves: coordinates become floats."""
    data = json.loads(content)
    for entry in data["shapes"]:
        entry["points"] = [[float(x), float(y)] for x, y in entry["points"]]
    return data | {"version": "6.3.1", "imageData": "AAAA"} | changes


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9, 1])
def test_predictions_come_back_to_the_pixel(load, density):
    rng = np.random.default_rng(2)
    drawn = np.where(rng.random(SIZE) < density, rng.integers(0, 3, SIZE), 2).astype(np.uint8)
    drawn[rng.random(SIZE) < 0.1] = 255
    found = load(labelme.document("a.jpg", drawn, LABELS))
    assert np.array_equal(label_map(found), np.where(drawn == 255, 0, drawn))
    assert (found.records[0].photo, found.records[0].size) == ("a.jpg", SIZE)


def test_void_classes_and_ids_without_a_name_are_left_out(load):
    drawn = np.array([[0, 1, 200, 255]], np.uint8)
    found = load(labelme.document("a.jpg", drawn, ADE20K))  # whose id 0 stands for void
    assert label_map(found, (1, 4)).tolist() == [[0, 1, 0, 0]]
    assert found.names == (ADE20K.names[1],)


def test_outlines_start_where_they_pass_once(load):
    drawn = np.ones((9, 9), np.uint8)
    drawn[0, :4] = 0
    drawn[5, 4] = 0  # a hole below the corner where the outline would start
    (entry,) = json.loads(labelme.document("a.jpg", drawn, LABELS))["shapes"]
    assert [4, 0] in entry["points"]
    assert entry["points"].count(entry["points"][0]) == 1
    assert np.array_equal(label_map(load(document(entry)), (9, 9)), drawn)


def test_predictions_are_uncorrected_until_a_person_says_so_or_changes_them(load):
    drawn = np.random.default_rng(4).integers(0, 3, SIZE, np.uint8)
    content = labelme.document("a.jpg", drawn, LABELS)

    def corrected(**changes):
        return load(saved_by_labelme(content, **changes)).records[0].corrected

    assert not load(content).records[0].corrected
    assert not corrected()
    assert corrected(flags={labelme.UNCORRECTED: False})
    assert corrected(flags={})
    assert corrected(checked=True)  # X-AnyLabeling
    shapes = saved_by_labelme(content)["shapes"]
    assert corrected(shapes=shapes[1:])
    assert corrected(shapes=[shapes[0] | {"label": "stem"}, *shapes[1:]])
    moved = [[x + 1, y] for x, y in shapes[0]["points"]]
    assert corrected(shapes=[shapes[0] | {"points": moved}, *shapes[1:]])
    assert not corrected(segcli=None)  # who wrote it did not keep the hash; the flag still says so


def test_predictions_of_nothing_are_uncorrected_too(load):
    record = load(labelme.document("a.jpg", np.zeros(SIZE, np.uint8), LABELS)).records[0]
    assert (record.drawn, record.corrected) == (0, False)
