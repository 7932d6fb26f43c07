import json

import numpy as np
import pytest

from segcli.data.forms import darwin
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (4, 6)


def ring(*points):
    return [{"x": x, "y": y} for x, y in points]


SQUARE = ring((1, 1), (5, 1), (5, 4), (1, 4))
HOLE = ring((2, 2), (4, 2), (4, 3), (2, 3))


def document(*annotations, **item):
    slots = [{"slot_name": "0", "type": "image", "width": 6, "height": 4, "source_files": []}]
    return {
        "version": "2.0",
        "schema_ref": "https://darwin-public.s3.eu-west-1.amazonaws.com/darwin_json/2.0/schema.json",
        "item": {"name": "a.jpg", "path": "/", "slots": slots} | item,
        "annotations": list(annotations),
    }


def masks(runs, mapping, **names):
    """The annotations of masks: a raster layer's runs, id -> number, and id -> class."""
    layer = {"dense_rle": runs, "mask_annotation_ids_mapping": mapping, "total_pixels": 24}
    named = [{"id": key, "name": name, "mask": {"sparse_rle": None}} for key, name in names.items()]
    return [*named, {"id": "layer", "name": "__raster_layer__", "raster_layer": layer}]


@pytest.fixture
def load(tmp_path):
    """Loads files of these contents."""

    def read(*contents):
        files = []
        for index, content in enumerate(contents):
            files.append(tmp_path / f"{index}.json")
            files[-1].write_text(json.dumps(content))
        return darwin.load(files)

    return read


def drawn(annotations):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[0].shapes(SIZE), SIZE, numbers, annotations.order).tolist()


def test_polygons_have_holes_and_the_last_annotation_lies_on_top(load):
    leaf = {
        "id": "1",
        "name": "leaf",
        "polygon": {"paths": [SQUARE, HOLE]},
        "bounding_box": {"x": 1, "y": 1, "w": 4, "h": 3},
    }
    spot = {"id": "2", "name": "spot", "bounding_box": {"x": 0, "y": 0, "w": 2, "h": 2}}
    annotations = load(document(leaf, spot))
    (record,) = annotations.records
    assert (record.photo, record.size, record.drawn, record.boxes) == ("a.jpg", SIZE, 2, 1)
    assert drawn(annotations) == [[2, 2, 0, 0, 0, 0], [2, 2, 1, 1, 1, 0], [0, 1, 0, 0, 1, 0], [0, 1, 1, 1, 1, 0]]


def test_polygons_of_older_exports_have_more_paths_beside(load):
    leaf = {"id": "1", "name": "leaf", "polygon": {"path": SQUARE, "additional_paths": [HOLE]}}
    assert sum(map(sum, drawn(load(document(leaf))))) == 12 - 2


def test_runs_of_a_raster_layer_go_row_by_row(load):
    # darwin-py 3.6.3, rle_decode([0, 1, 2, 7, 3, 3, 0, 4, 1, 9], {0: 0, 1: 1, 2: 2, 3: 1}), as 4 rows of 6
    runs, mapping = [0, 1, 2, 7, 3, 3, 0, 4, 1, 9], {"x": 1, "y": 2, "z": 3}
    annotations = load(document(*masks(runs, mapping, x="leaf", y="spot", z="leaf", empty="spot")))
    assert annotations.names == ("leaf", "spot")
    assert annotations.records[0].drawn == 4
    assert drawn(annotations) == [[0, 2, 2, 2, 2, 2], [2, 2, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1]]


def test_a_layer_without_a_stated_size_has_that_of_the_photo(load):
    annotations = load(document(*masks([1, 24], {"x": 1}, x="leaf"), slots=[]))
    assert annotations.records[0].size is None
    assert drawn(annotations) == [[1] * 6] * 4


def test_ellipses_are_drawn_and_said_to_be_turned_by_radians(load):
    oval = {"center": {"x": 3, "y": 2}, "radius": {"x": 3, "y": 1}, "angle": np.pi / 2}
    annotations = load(
        document({"id": "1", "name": "leaf", "ellipse": oval, "bounding_box": {"x": 2, "y": 0, "w": 2, "h": 4}})
    )
    assert drawn(annotations) == [[0, 0, 1, 1, 0, 0]] * 4
    assert annotations.notes == ("the angles of 1 turned ellipses are taken as radians",)
    assert not load(document({"id": "1", "name": "leaf", "ellipse": oval | {"angle": 0}})).notes


def test_other_kinds_are_counted_and_their_boxes_are_none(load):
    skeleton = {"id": "1", "name": "leaf", "skeleton": {"nodes": []}, "bounding_box": {"x": 0, "y": 0, "w": 2, "h": 2}}
    others = [{"id": "2", "name": "leaf", kind: {}} for kind in ("line", "keypoint", "tag", "tag")]
    (record,) = load(document(skeleton, *others, {"id": "3", "name": "leaf"})).records
    assert (record.drawn, record.boxes) == (0, 0)
    assert record.skipped == {"skeleton": 1, "line": 1, "keypoint": 1, "tag": 2, "other": 1}


def test_a_photo_in_a_folder_has_its_path(load):
    assert load(document(path="/in/field")).records[0].photo == "in/field/a.jpg"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (document(*masks([1, 23], {"x": 1}, x="leaf")), "raster layer has 23 pixels, not 6 x 4"),
        (document(*masks([1, 23, 0], {"x": 1}, x="leaf")), "not pairs"),
        (document(*masks([1, 10**12], {"x": 1}, x="leaf")), r"Expected `int` <= "),
        (document(*masks([1, -1, 1, 25], {"x": 1}, x="leaf")), r"Expected `int` >= 0"),
        (document(*masks([1, 24], {"y": 1}, x="leaf")), "that no annotation names"),
        (document(*masks([2, 24], {"x": 1}, x="leaf")), "that no annotation names"),
        (document(*masks([1, 24], {"x": 1}, x="leaf")[:1]), "not the raster layer"),
        (document(slots=[{"width": 6, "height": 4}] * 2), "has 2 slots"),
        (document(slots=[{"width": 10**9, "height": 10**9}]), "states a photo of"),
        (document({"id": "1", "name": "leaf", "frames": {"0": {}}}), "labels a video"),
        ({"item": {}, "annotations": []}, "missing required field `name`"),
    ],
)
def test_a_broken_file_says_why_and_hides_no_other(load, content, told):
    broken, good = load(content, document()).records
    assert good.shapes(SIZE) == []
    with pytest.raises(DatasetError, match=told) as caught:
        broken.shapes(SIZE)
    assert "0.json" in caught.value.message
