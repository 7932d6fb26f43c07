import itertools
import json
import sys

import numpy as np
import pytest
from dataset_files import write_photo

from segcli import labels
from segcli.data import coco, layouts
from segcli.errors import DatasetError, UsageError
from segcli.labels import VOID

mask = pytest.importorskip("pycocotools.mask")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside pycocotools

PERSON, DOG, TRAFFIC_LIGHT = 1, 18, 10  # COCO's ids; VOC has no traffic light


def rectangle(left, top, right, bottom):
    """The polygon that covers the pixels left..right - 1, top..bottom - 1."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def instance(photo_id, category, segmentation, area=1.0):
    return {"image_id": photo_id, "category_id": category, "segmentation": segmentation, "area": area, "iscrowd": 0}


def coco_tree(root, annotations, split="val"):
    """Two photos of 8 x 6 pixels, the second without instances."""
    photos = [{"id": index, "file_name": f"{index:012}.jpg", "width": 8, "height": 6} for index in (1, 2)]
    for photo in photos:
        write_photo(root / f"{split}2017" / photo["file_name"], (8, 6))
    path = root / f"annotations/instances_{split}2017.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"images": photos, "annotations": annotations}))
    return path


def read(root, split="val"):
    dataset = layouts.load("coco-voc", root, split)
    return [dataset.read_label(sample) for sample in dataset.samples]


def test_instances_become_vocs_classes_and_overlaps_void(tmp_path):
    coco_tree(
        tmp_path / "coco",
        [
            instance(1, PERSON, rectangle(0, 0, 4, 6)),
            instance(1, DOG, rectangle(3, 0, 6, 6)),
            instance(1, TRAFFIC_LIGHT, rectangle(0, 0, 8, 6)),
        ],
    )
    first, second = read(tmp_path)
    assert first.tolist() == [[15, 15, 15, VOID, 12, 12, 0, 0]] * 6
    assert not second.any()


def test_overlaps_of_the_same_class_are_void_too_as_in_torchvision(tmp_path):
    coco_tree(tmp_path, [instance(1, PERSON, rectangle(0, 0, 4, 6)), instance(1, PERSON, rectangle(2, 0, 6, 6))])
    assert read(tmp_path)[0].tolist() == [[15, 15, VOID, VOID, 15, 15, 0, 0]] * 6


def test_crowds_come_as_run_lengths(tmp_path):
    crowd = {"size": [6, 8], "counts": [6, 12, 30]}  # columns 1 and 2; run lengths go down the columns
    coco_tree(tmp_path, [instance(1, PERSON, crowd)])
    assert read(tmp_path)[0].tolist() == [[0, 15, 15, 0, 0, 0, 0, 0]] * 6


def test_a_box_in_place_of_a_polygon_is_filled(tmp_path):
    coco_tree(tmp_path, [instance(1, PERSON, [[2, 1, 3, 2]])])
    person = read(tmp_path)[0] == labels.VOC.names.index("person")
    assert np.argwhere(person).tolist() == [[1, 2], [1, 3], [1, 4], [2, 2], [2, 3], [2, 4]]


def test_several_parts_of_one_instance_are_no_overlap(tmp_path):
    coco_tree(tmp_path, [instance(1, DOG, rectangle(0, 0, 3, 6) + rectangle(2, 0, 5, 6))])
    assert read(tmp_path)[0].tolist() == [[12, 12, 12, 12, 12, 0, 0, 0]] * 6


def test_training_takes_photos_with_more_than_1000_pixels_of_vocs_classes(tmp_path):
    small = [instance(1, DOG, rectangle(0, 0, 3, 6), area=1000.0)]
    large = [
        instance(2, DOG, rectangle(0, 0, 3, 6), area=600.0),
        instance(2, PERSON, rectangle(3, 0, 6, 6), area=600.0),
    ]
    light = [instance(1, TRAFFIC_LIGHT, rectangle(0, 0, 3, 6), area=5000.0)]
    coco_tree(tmp_path, small + large + light, "train")
    assert [sample.name for sample in layouts.load("coco-voc", tmp_path, "train").samples] == ["000000000002"]


def test_the_categories_are_vocs_in_vocs_order():
    # COCO's own names of these categories, from instances_val2017.json.
    names = {1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 5: "airplane", 6: "bus", 7: "train", 9: "boat"}
    names |= {16: "bird", 17: "cat", 18: "dog", 19: "horse", 20: "sheep", 21: "cow", 44: "bottle", 62: "chair"}
    names |= {63: "couch", 64: "potted plant", 67: "dining table", 72: "tv"}
    renamed = {"aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv"}
    renamed |= {"pottedplant": "potted plant", "diningtable": "dining table"}
    expected = [renamed.get(name, name) for name in labels.VOC.names[1:]]
    assert [names[category] for category in coco.VOC_CATEGORIES] == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"images": [{"id": 1, "file_name": "../1.jpg"}], "annotations": []}',
        '{"images": [], "annotations": [{"category_id": 1, "image_id": 5}]}',
        '{"images": [{"id": 1, "file_name": 7}], "annotations": []}',
    ],
    ids=["torn", "list", "empty", "path", "unknown image", "number"],
)
def test_a_broken_annotation_file_is_named(tmp_path, text):
    coco_tree(tmp_path, []).write_text(text)
    with pytest.raises(DatasetError, match=r"instances_val2017\.json is not a file of COCO instances"):
        layouts.load("coco-voc", tmp_path, "val")


@pytest.mark.parametrize("segmentation", [[[1, 2]], {"size": [6, 8], "counts": "garbage"}, {"counts": [1]}, 7, [["a"]]])
def test_a_broken_instance_is_named_with_its_photo(tmp_path, segmentation):
    coco_tree(tmp_path, [instance(1, DOG, segmentation)])
    with pytest.raises(DatasetError, match=r"instances of 000000000001\.jpg are broken"):
        read(tmp_path)


def test_a_missing_package_is_told_with_the_line_that_installs_it(tmp_path, monkeypatch):
    coco_tree(tmp_path, [])
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(UsageError, match="pycocotools") as caught:
        layouts.load("coco-voc", tmp_path, "val")
    assert caught.value.hint.endswith("pip install pycocotools")


def test_labels_agree_with_torchvisions_own_rule(tmp_path):
    # torchvision: (masks * categories).max(0), then 255 where masks.sum(0) > 1.
    from pycocotools import mask

    generator = np.random.default_rng(0)
    entries = []
    for _ in range(6):
        x, y = generator.uniform(0, 5, 2)
        entries.append(instance(1, int(generator.choice([PERSON, DOG])), [[x, y, x + 3, y, x + 1.5, y + 2.5]]))
    coco_tree(tmp_path, entries)
    drawn = np.stack([mask.decode(mask.frPyObjects(e["segmentation"], 6, 8)).any(axis=2) for e in entries])
    classes = np.array([{PERSON: 15, DOG: 12}[e["category_id"]] for e in entries])
    expected = (drawn * classes[:, None, None]).max(0)
    expected[drawn.sum(0) > 1] = VOID
    np.testing.assert_array_equal(read(tmp_path)[0], expected)


def zigzag(turns):
    return [[value for _ in range(turns) for value in (0, 0, 16, 12)]]


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        (
            {"size": [1000000, 1000000], "counts": [0, 4800]},
            "a mask is 1000000 x 1000000 pixels, but its photo is 8 x 6",
        ),
        ({"size": [6, 8], "counts": [0, 4800]}, "the runs of a mask have 4800 pixels, not the 48"),
        ({"size": [6, 8], "counts": [-5, 53]}, "the runs of a mask"),
        ({"size": [6, 8], "counts": [0, float("nan")]}, "broken"),
        ({"size": [6, 8], "counts": "\x7f"}, "packed runs of a mask are damaged"),
        ({"size": [6, 8]}, "broken"),
        ([[0, 0, 1e300, 0, 4, 4]], "far outside its photo"),
        ([[0, 0, float("nan"), 0, 4, 4]], "not numbers"),
        ([[0, 0, 10**400, 0, 4, 4]], "broken"),
        ([[0, 0, 4, 0, 4, 4], []], "not a list of polygons"),
        ([[0, 0, 4, 0, 4, 4, 7]], "not a list of polygons"),
        ([], "not a list of polygons"),
        ("counts", "broken"),
        (zigzag(400_000), "longer than 4000000 pixels"),
    ],
    ids=range(14),
)
def test_nothing_gets_to_c_code_unchecked(tmp_path, segmentation, said):
    coco_tree(tmp_path, [instance(1, PERSON, segmentation)])
    with pytest.raises(DatasetError, match=said) as caught:
        read(tmp_path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("side", [0, -6, 1 << 40])
def test_a_photo_of_no_possible_size_is_refused(tmp_path, side):
    path = coco_tree(tmp_path, [instance(1, PERSON, rectangle(0, 0, 4, 6))])
    data = json.loads(path.read_text())
    data["images"][0]["height"] = side
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=f"states 8 x {side} pixels"):
        read(tmp_path)


def test_runs_are_drawn_as_pycocotools_does():
    wanted = np.random.default_rng(0).random((37, 53)) < 0.3
    wanted[0, 0] = False
    packed = mask.encode(np.asfortranarray(wanted.astype(np.uint8)))
    column_wise = wanted.T.ravel()
    runs = [len(list(group)) for _, group in itertools.groupby(column_wise.tolist())]
    for counts in (packed["counts"].decode(), runs):
        assert np.array_equal(coco._draw({"size": [37, 53], "counts": counts}, 37, 53), wanted)
