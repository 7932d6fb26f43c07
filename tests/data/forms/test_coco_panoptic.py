import json

import numpy as np
import pytest
from PIL import Image

from segcli.data.forms import coco
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (40, 50)
CATEGORIES = [{"id": 3, "name": "leaf"}, {"id": 17, "name": "spot"}]


@pytest.fixture
def load(tmp_path):
    """Loads a panoptic file called 0.json with these annotations."""

    def read(annotations):
        images = [{"id": 1, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}]
        content = {"images": images, "annotations": annotations, "categories": CATEGORIES}
        (tmp_path / "0.json").write_text(json.dumps(content), encoding="utf-8")
        return coco.load([tmp_path / "0.json"])

    return read


@pytest.fixture
def panoptic(tmp_path):
    """Annotations with their PNG, and its numbers: segments 300 and 70001 are the two classes, 0 is nothing."""
    numbers = np.zeros(SIZE, np.int64)
    numbers[:10], numbers[20:, 7:] = 300, 70001
    colours = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], 2).astype(np.uint8)
    (tmp_path / "0").mkdir()
    Image.fromarray(colours).save(tmp_path / "0/a.png")
    segments = [{"id": 300, "category_id": 17, "iscrowd": 0}, {"id": 70001, "category_id": 3}]
    return [{"image_id": 1, "file_name": "a.png", "segments_info": segments}], numbers


def test_panoptic_segments_are_read_from_the_colours(load, panoptic):
    annotations, numbers = panoptic
    found = load(annotations)
    drawn = draw(found.records[0].shapes(SIZE), SIZE, {"leaf": 1, "spot": 2, "void": 3}, found.order)
    assert found.names == ("leaf", "spot", "void")
    assert np.array_equal(drawn, np.select([numbers == 300, numbers == 70001], [2, 1], 3))
    assert found.records[0].drawn == 2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"file_name": "b.png"}, "0/b.png is missing"),
        ({"file_name": "../a.png"}, "outside its folder"),
        ({"file_name": "/a.png"}, "outside its folder"),
        ({"segments_info": [{"id": 300, "category_id": 17}]}, "has the segment 70001, which 0.json does not list"),
    ],
)
def test_panoptic_pictures_that_do_not_fit_are_refused(load, panoptic, change, match):
    annotations, _ = panoptic
    record = load([annotations[0] | change]).records[0]
    with pytest.raises(DatasetError, match=match):
        record.shapes(SIZE)


def test_a_panoptic_picture_of_another_size_or_none_is_refused(load, panoptic, tmp_path):
    record = load(panoptic[0]).records[0]
    with pytest.raises(DatasetError, match="50 x 40 pixels, but its photo is 40 x 50"):
        record.shapes(SIZE[::-1])
    (tmp_path / "0/a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DatasetError, match=r"a\.png"):
        record.shapes(SIZE)
