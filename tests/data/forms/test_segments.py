import json

import numpy as np
import pytest
from PIL import Image

from segcli.data.forms import segments
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (4, 6)
NUMBERS = np.array(
    [[0, 1, 1, 2, 2, 2], [0, 1, 1, 300, 300, 0], [70000, 70000, 0, 0, 0, 9], [0, 0, 0, 0, 0, 0]], np.uint32
)
OBJECTS = [
    {"id": 1, "category_id": 4},
    {"id": 2, "category_id": 7},
    {"id": 300, "category_id": 4},
    {"id": 70000, "category_id": 7},
]
DRAWN = [[0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 1, 0], [2, 2, 0, 0, 0, 0], [0] * 6]


def sample(
    name="a.jpg",
    status="LABELED",
    url="https://segmentsai.s3.amazonaws.com/x/1f-2.png?X-Sign=1",
    key="attributes",
    objects=OBJECTS,
):
    content = {"format_version": "0.1", "annotations": objects, "segmentation_bitmap": {"url": url}}
    return {
        "name": name,
        "uuid": "u",
        "metadata": {},
        "labels": {"ground-truth": {"label_status": status, key: content}},
    }


@pytest.fixture
def load(tmp_path):
    """Loads a release of these samples."""

    def read(*samples, categories=({"name": "leaf", "id": 4}, {"name": "spot", "id": 7}, {"name": "stem", "id": 8})):
        path = tmp_path / "release.json"
        dataset = {
            "task_type": "segmentation-bitmap",
            "task_attributes": {"categories": list(categories)},
            "samples": list(samples),
        }
        path.write_text(json.dumps({"name": "v1", "dataset": dataset}))
        return segments.load([path])

    return read


def save(path, numbers=NUMBERS, alpha=255):
    """Object numbers as Segments.ai stores them: little-endian in red, green and blue, visible by alpha."""
    pixels = numbers.copy().view(np.uint8).reshape(*numbers.shape, 4)
    pixels[..., 3] = np.where(numbers, alpha, 0)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels, "RGBA").save(path)


def drawn(record):
    return draw(record.shapes(SIZE), SIZE, {"leaf": 1, "spot": 2}).tolist()


@pytest.mark.parametrize("place", ["1f-2.png", "bitmaps/1f-2.png", "a_label_ground-truth.png"])
@pytest.mark.parametrize("alpha", [0, 255])
def test_numbers_of_objects_become_classes(load, tmp_path, place, alpha):
    save(tmp_path / place, alpha=alpha)
    annotations = load(sample())
    (record,) = annotations.records
    assert annotations.names == ("leaf", "spot", "stem")
    assert (record.photo, record.size, record.drawn, record.boxes, record.corrected) == ("a.jpg", None, 4, 0, True)
    assert drawn(record) == DRAWN


def test_grey_bitmaps_and_older_releases_are_read(load, tmp_path):
    Image.fromarray(NUMBERS.astype(np.uint16)).save(tmp_path / "1f-2.png")  # 70000 is now 4464
    objects = [*OBJECTS[:3], {"id": 4464, "category_id": 7}]
    (record,) = load(sample(key="label", objects=objects)).records
    assert drawn(record) == DRAWN


def test_the_state_decides_what_counts(load):
    states = ("REVIEWED", "LABELED", "PRELABELED", "SKIPPED", "REJECTED")
    annotations = load(
        *(sample(f"{state}.jpg", state) for state in states), sample() | {"labels": {"ground-truth": None}}
    )
    assert {record.photo: record.corrected for record in annotations.records} == {
        "REVIEWED.jpg": True,
        "LABELED.jpg": True,
        "PRELABELED.jpg": False,
    }
    assert annotations.notes == ("2 photos are left out, because their labels were skipped or rejected",)


def test_outlines_and_boxes_are_drawn_without_a_bitmap(load):
    objects = [
        {"id": 1, "category_id": 4, "type": "polygon", "points": [[0, 0], [4, 0], [4, 2], [0, 2]]},
        {"id": 2, "category_id": 7, "type": "bbox", "points": [[3, 1], [6, 4]]},
        {"id": 3, "category_id": 7, "type": "point", "points": [[3, 1]]},
    ]
    (record,) = load(sample(url=None, objects=objects)).records
    assert drawn(record) == [[1, 1, 1, 1, 0, 0], [1, 1, 1, 2, 2, 2], [0, 0, 0, 2, 2, 2], [0, 0, 0, 2, 2, 2]]
    assert (record.drawn, record.boxes, record.skipped) == (2, 1, {"point": 1})


def test_a_missing_bitmap_is_named_and_not_fetched(load):
    (record,) = load(sample()).records
    with pytest.raises(DatasetError, match=r"the bitmap of 'a.jpg' is missing: 1f-2.png"):
        record.shapes(SIZE)


def test_no_path_of_a_release_leads_out_of_its_folder(load, tmp_path):
    save(tmp_path.parent / "secret.png")
    (record,) = load(sample(url="../secret.png")).records
    with pytest.raises(DatasetError, match=r"is missing: secret\.png"):
        record.shapes(SIZE)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"objects": [{"id": 1, "category_id": 5}]}, "category 5, which the release does not list"),
        (
            {"url": None, "objects": [{"id": 1, "category_id": 4, "type": "bbox", "points": [[1, 2]]}]},
            "points of object 1 do not",
        ),
        (
            {"url": None, "objects": [{"id": 1, "category_id": 4, "type": "polygon", "points": [[1]]}]},
            "points of object 1 do not",
        ),
    ],
)
def test_objects_that_do_not_fit_are_refused(load, tmp_path, change, told):
    save(tmp_path / "1f-2.png")
    (record,) = load(sample(**change)).records
    with pytest.raises(DatasetError, match=told):
        record.shapes(SIZE)


def test_a_bitmap_of_another_size_or_none_is_refused(load, tmp_path):
    save(tmp_path / "1f-2.png")
    (record,) = load(sample()).records
    with pytest.raises(DatasetError, match=r"release\.json: 1f-2\.png has 6 x 4 pixels, but its photo is 4 x 6"):
        record.shapes((6, 4))
    (tmp_path / "1f-2.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"release.json: .*no picture of a format"):
        record.shapes(SIZE)


def test_categories_that_share_a_number_are_refused(load):
    with pytest.raises(DatasetError, match="two of its categories have the same number"):
        load(categories=({"name": "leaf", "id": 1}, {"name": "spot", "id": 1}))


def test_a_bitmap_may_be_called_like_its_photo(load, tmp_path):
    save(tmp_path / "images" / "a.png", NUMBERS * 0 + 1)
    save(tmp_path / "bitmaps" / "a.png")
    (record,) = load(sample("a.png", url="https://x.org/bitmaps/a.png")).records
    assert drawn(record) == DRAWN
