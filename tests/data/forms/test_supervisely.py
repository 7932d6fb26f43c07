import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from segcli.data.forms import supervisely
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (20, 30)
BITMAP = (  # made by Bitmap.data_2_base64 of supervisely 6.74.51: a palette of two, the first clear
    "eJzrDPBz5+WS4mJgYOD19HAJAtLsQMzKyAwkN4ekzAZSbAE+Ia5A+v///0tvzr8LZDGWBPkFMzg8u5EG5Ah5ujiGVMxJnnFkwaElh54cXcDEwP6J"
    "0ffS2klGQFkGT1c/l3VOCU0AbpEfiA=="
)
ALPHA = (  # made by AlphaMask.data_2_base64, of 40 * row + 12 * column: grey, with black as clear
    "eJzrDPBz5+WS4mJgYOD19HAJAtLsQMzKASQY1nxcyQKkmEqC/IIZGMomn7UA8sQ8XRxDKuYkpzx4CAKJVxou6FhkMGjUMIlLLWRlBOnzdPVzWeeU"
    "0AQA058YzA=="
)


def entry(kind, name="leaf", **more):
    return {"classTitle": name, "geometryType": kind, "tags": [], **more}


def polygon(*rings, name="leaf", kind="polygon"):
    return entry(kind, name, points={"exterior": rings[0], "interior": list(rings[1:])})


def box(x0, y0, x1, y1):
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def bitmap(data, x, y, kind="bitmap", key=None, name="leaf"):
    return entry(kind, name, **{key or kind: {"data": data, "origin": [x, y]}})


@pytest.fixture
def load(tmp_path):
    """Loads a project of these objects, one photo for each list of them."""

    def read(*photos, classes=("leaf", "spot")):
        folder = tmp_path / "ds0" / "ann"
        folder.mkdir(parents=True, exist_ok=True)
        meta = {"classes": [{"title": name, "shape": "any", "color": "#3C8232"} for name in classes], "tags": []}
        files = [tmp_path / "meta.json"] if classes else []
        if classes:
            files[0].write_text(json.dumps(meta))
        for number, objects in enumerate(photos):
            content = {"description": "", "size": {"height": SIZE[0], "width": SIZE[1]}, "tags": [], "objects": objects}
            files.append(folder / f"{number}.jpg.json")
            files[-1].write_text(objects if isinstance(objects, str) else json.dumps(content))
        return supervisely.load(files)

    return read


def drawn(annotations, place=0):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[place].shapes(SIZE), SIZE, numbers, annotations.order)


def filled(*boxes, size=SIZE):
    """Labels (H, W) of boxes of (number, x0, y0, x1, y1), the last on top."""
    canvas = np.zeros(size, int)
    for number, x0, y0, x1, y1 in boxes:
        canvas[y0:y1, x0:x1] = number
    return canvas


def bits(text, size):
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))[: size[0] * size[1]].reshape(size)


def test_outlines_have_holes_and_the_last_object_lies_on_top(load):
    leaf = polygon(box(1, 1, 20, 15), box(5, 5, 8, 9))
    skipped = [polygon(box(0, 0, 9, 9), kind=kind) for kind in ("line", "point")]
    annotations = load([polygon(box(0, 0, 9, 9), name="spot"), leaf, *skipped, entry("graph", nodes={})])
    record = annotations.records[0]
    assert annotations.names == ("leaf", "spot")
    assert (record.photo, record.size, record.drawn, record.boxes) == ("ds0/0.jpg", SIZE, 2, 0)
    assert record.skipped == {"line": 1, "point": 1, "skeleton": 1}
    expected = filled((2, 0, 0, 9, 9), (1, 1, 1, 20, 15), (2, 5, 5, 8, 9))
    assert np.array_equal(drawn(annotations), expected)


def test_masks_of_supervisely_s_own_encoder(load):
    """Pixels by OpenCV, as the package decodes them: alpha of the first, grey of the second."""
    expected = filled()
    expected[3:8, 4:11] = bits("9249249240", (5, 7))
    assert np.array_equal(drawn(load([bitmap(BITMAP, 4, 3)])), expected)
    expected[3:8, 4:11] = bits("00003bffe0", (5, 7))
    for key in ("alpha_mask", "bitmap"):
        assert np.array_equal(drawn(load([bitmap(ALPHA, 4, 3, "alpha_mask", key)])), expected)


@pytest.mark.parametrize("mode", ["L", "RGBA", "1"])
@pytest.mark.parametrize("compress", [True, False])
def test_masks_of_other_writers(load, mode, compress):
    mask = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    pictures = {"L": mask, "1": mask > 0, "RGBA": np.dstack([255 * np.ones((2, 3, 3), np.uint8), mask * 255])}
    file = io.BytesIO()
    Image.fromarray(pictures[mode]).save(file, "PNG")
    data = zlib.compress(file.getvalue()) if compress else file.getvalue()
    expected = filled()
    expected[18:20, 28:30] = mask[:, :2]  # the rest lies outside the photo
    assert np.array_equal(drawn(load([bitmap(base64.b64encode(data).decode(), 28, 18)])), expected)


def test_rectangles_of_whole_numbers_hold_their_last_pixel(load):
    """Supervisely's own width of a rectangle is right - left + 1."""
    annotations = load([entry("rectangle", points={"exterior": [[9, 7], [3, 2]], "interior": []})])
    assert annotations.records[0].boxes == 1
    assert np.array_equal(drawn(annotations), filled((1, 3, 2, 10, 8)))
    edges = entry("rectangle", points={"exterior": [[2.6, 1.6], [9.4, 7.4]], "interior": []})
    assert np.array_equal(drawn(load([edges])), filled((1, 3, 2, 9, 7)))
    turned = entry("oriented_bbox", points=[[2, 4], [9, 5]], angle=np.pi / 2)  # 8 x 2 around (6, 5)
    assert np.array_equal(drawn(load([turned])), filled((1, 5, 1, 7, 9)))


def test_outlines_of_several_parts(load):
    parts = [{"exterior": box(1, 1, 4, 4), "interior": [box(2, 2, 3, 3)]}, {"exterior": box(10, 10, 12, 12)}]
    expected = filled((1, 1, 1, 4, 4), (0, 2, 2, 3, 3), (1, 10, 10, 12, 12))
    assert np.array_equal(drawn(load([entry("multipolygon", parts=parts)])), expected)


def test_objects_that_a_model_made_are_uncorrected(load):
    """Supervisely's flags of a label: by a model, corrected by a person, and drawn by one."""
    auto, corrected, manual = (
        polygon(box(0, 0, 5, 5)) | {"nnCreated": made, "nnUpdated": kept}
        for made, kept in ((True, True), (True, False), (False, False))
    )
    records = load([auto], [auto, corrected], [manual], []).records
    assert [record.corrected for record in records] == [False, True, True, True]
    assert records[3].shapes(SIZE) == []


def test_classes_that_have_no_pixels_are_not_listed(tmp_path):
    classes = [{"title": "leaf", "shape": "polygon"}, {"title": "stem", "shape": "line"}]
    (tmp_path / "meta.json").write_text(json.dumps({"classes": classes}))
    (tmp_path / "a.jpg.json").write_text(json.dumps({"size": {"height": 9, "width": 9}, "objects": [entry("x", "y")]}))
    annotations = supervisely.load([tmp_path / "meta.json", tmp_path / "a.jpg.json"])
    assert annotations.names == ("leaf",)
    assert (annotations.records[0].photo, annotations.records[0].skipped) == ("a.jpg", {"x": 1})


def test_a_broken_file_does_not_hide_the_others(load):
    annotations = load(
        "{", [polygon(box(1, 1, 2, 2))], '{"size": {"height": 1000000, "width": 1000000}, "objects": []}'
    )
    assert drawn(annotations, 1).sum() == 1
    for place, message in ((0, "cannot be read"), (2, "it states a photo of 1000000 x 1000000")):
        assert annotations.records[place].photo == f"ds0/{place}.jpg"
        with pytest.raises(DatasetError, match=message):
            annotations.records[place].shapes(SIZE)


def test_a_broken_meta_file_is_refused(load, tmp_path):
    load()
    (tmp_path / "meta.json").write_text('{"classes": [{"title": 7}]}')
    with pytest.raises(DatasetError, match=r"meta\.json cannot be read: .*title"):
        supervisely.load([tmp_path / "meta.json"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (entry("polygon", points={"exterior": [[1, "a"]]}), "has broken points"),
        (entry("polygon", points=[1]), "has broken points"),
        (entry("rectangle", points={"exterior": [[1, 2]]}), "not have two corners"),
        (entry("rectangle", points={"exterior": [[1, 2], [1e300, 4]]}), "not have two corners"),
        (entry("bitmap"), "of the class 'leaf' has no mask"),
        (bitmap("AAAA", 1, 1), "cannot be unpacked"),
    ],
)
def test_broken_objects_are_refused_when_they_are_drawn(load, broken, message):
    record = load([polygon(box(1, 1, 2, 2)), broken]).records[0]
    with pytest.raises(DatasetError, match=message):
        record.shapes(SIZE)
