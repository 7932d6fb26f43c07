import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segcli.data.forms import coco
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError
from segcli.images import polygons
from segcli.labels import from_names

SIZE = (40, 50)
CATEGORIES = [{"id": 3, "name": "leaf"}, {"id": 17, "name": "spot"}]


def flat(x0, y0, x1, y1):
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def annotation(segmentation, category=3, image=1, **more):
    return {"id": 7, "image_id": image, "category_id": category, "segmentation": segmentation, "iscrowd": 0} | more


def document(annotations, categories=CATEGORIES, **more):
    images = [{"id": 1, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}]
    return {"images": images, "annotations": annotations, "categories": categories} | more


@pytest.fixture
def load(tmp_path):
    """Loads files of these contents, called 0.json and so on."""

    def read(*contents):
        files = [tmp_path / f"{index}.json" for index in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            file.write_bytes(text.encode(errors="surrogateescape"))
        return coco.load(files)

    return read


def label_map(annotations, index=0):
    """The first (or another) photo's label map; 1 is the first class."""
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[index].shapes(SIZE), SIZE, numbers, annotations.order)


def test_polygons_are_the_pixels_of_pycocotools(load):
    mask = np.random.default_rng(0).random(SIZE) < 0.6
    loops = [outline.points.ravel().tolist() for outline in polygons.outlines(mask)]
    found = load(document([annotation(loops)]))
    theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(loops, *SIZE)))
    assert np.array_equal(label_map(found), theirs)
    assert np.array_equal(label_map(found), mask)
    record = found.records[0]
    assert (record.photo, record.size, record.drawn, record.corrected) == ("a.jpg", SIZE, 1, True)


def test_loops_of_one_annotation_are_a_union_also_where_they_overlap(load):
    loops = [flat(2, 2, 12, 12), flat(8, 8, 20, 20), flat(-5, 30, 4, 60)]
    theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(loops, *SIZE)))
    assert np.array_equal(label_map(load(document([annotation(loops)]))), theirs)


def test_the_area_of_an_annotation_is_that_of_all_its_loops(load):
    pieces = annotation([flat(0, 0, 10, 10), flat(20, 0, 50, 40)], 3)  # a small piece of a large annotation
    spot = annotation([flat(2, 2, 14, 12)], 17)
    for order in ([pieces, spot], [spot, pieces]):
        found = label_map(load(document(order)))
        assert np.count_nonzero(found == 2) == 12 * 10


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("crowd", [0, 1])
def test_run_lengths_go_down_the_columns_and_crowds_are_their_class(load, packed, crowd):
    mask = np.random.default_rng(1).random(SIZE) < 0.3
    counts = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    if not packed:
        runs = np.diff(np.flatnonzero(np.diff(mask.T.ravel(), prepend=False)), prepend=0, append=mask.size)
        counts = runs.tolist()
    found = load(document([annotation({"size": list(SIZE), "counts": counts}, iscrowd=crowd)]))
    assert np.array_equal(label_map(found), mask)


def test_files_that_number_the_same_names_differently_are_joined_by_name(load):
    other = [{"id": 0, "name": "spot"}, {"id": 1, "name": "stem"}, {"id": "2", "name": "leaf"}]
    found = load(document([annotation([flat(0, 0, 4, 4)], 17)]), document([annotation([flat(0, 0, 4, 4)], 2)], other))
    assert found.names == ("leaf", "spot", "stem")
    assert [record.shapes(SIZE)[0].name for record in found.records] == ["spot", "leaf"]


def test_the_category_that_roboflow_adds_for_the_set_is_left_out(load):
    categories = [
        {"id": 0, "name": "plants", "supercategory": "none"},
        {"id": 1, "name": "leaf", "supercategory": "plants"},
        {"id": 2, "name": "spot", "supercategory": "plants"},
    ]
    found = load(document([annotation([flat(0, 0, 4, 4)], 1)], categories))
    assert found.names == ("leaf", "spot")
    assert "'plants' is the name of the data set" in found.notes[0]
    assert load(document([annotation([flat(0, 0, 4, 4)], 0)], categories)).names == ("plants", "leaf", "spot")


def test_what_has_no_outline_is_counted(load):
    nothing = [
        annotation([], bbox=[1, 2, 3, 4]),
        annotation(None, bbox=[1, 2, 3, 4]),
        annotation([[1, 1, 4, 4]], bbox=[1, 1, 3, 3]),  # two points, which pycocotools would take for a box
        {"id": 9, "image_id": 1, "category_id": 3, "keypoints": [1, 2, 2]},
    ]
    record = load(document([*nothing, annotation([flat(1, 1, 3, 3)])])).records[0]
    assert record.skipped == {"box": 3, "annotation without an outline": 1}
    assert (record.drawn, record.boxes) == (1, 1)
    assert load(document([annotation([[1, 1, 4, 4], [0, 0, 9, 0, 4, 9]])])).records[0].boxes == 0


@pytest.mark.parametrize("polygons", [flat(2, 3, 9, 8), [[2, 3], [9, 3], [9, 8], [2, 8]]])
def test_a_polygon_without_a_list_of_its_own_is_read_all_the_same(load, polygons):
    found = label_map(load(document([annotation(polygons)])))
    assert found.sum() == found[3:8, 2:9].sum() == 35


def test_photos_without_annotations_and_sizes_are_records_too(load):
    content = document([annotation([flat(0, 0, 2, 2)], image="1")])
    content["images"] += [{"id": 2, "file_name": "sub\\b.jpg"}]
    first, second = load(content).records
    assert (first.drawn, second.drawn, second.photo, second.size) == (1, 0, "sub/b.jpg", None)


def test_nan_in_fields_that_nobody_needs_does_no_harm(load):
    text = json.dumps(document([annotation([flat(0, 0, 2, 2)], area=float("nan"))]))
    assert "NaN" in text
    assert label_map(load(text)).sum() == 4


def test_annotations_of_unlisted_images_are_told(load):
    assert load(document([annotation([flat(0, 0, 2, 2)], image=5)])).notes == (
        "annotations of images that 0.json does not list are left out: 1",
    )


def test_predictions_that_nobody_corrected_say_so(tmp_path):
    labels = from_names(["background", "leaf", "spot"])
    drawn = np.random.default_rng(3).integers(0, 3, SIZE, np.uint8)
    polygons.write_polygons(tmp_path / "a", "a.jpg", drawn, labels)
    polygons.merge(tmp_path / "polygons.json", [tmp_path / "a"], labels)
    found = coco.load([tmp_path / "polygons.json"])
    assert not found.records[0].corrected
    assert np.array_equal(label_map(found), drawn)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "0.json cannot be read"),
        ('{"images": 3, "annotations": []}', r"Expected `array`, got `int` - at `\$.images`"),
        (document([annotation([flat(0, 0, 2, 2)], 4)]), "annotation 7 has the category 4, which the file does not"),
        (document([annotation([[1, 2, 3, 4, 5, 6, 7]])]), "annotation 7 is not a list x, y"),
        (document([annotation([[1, 2, 3], 4.5])]), "annotation 7 is not a list x, y"),
        (document([annotation({"size": [40], "counts": [1]})]), "segmentation of annotation 7 cannot be read"),
        (document([annotation([["\udcff"]])]), "cannot be read"),
        (document([annotation([["a"]])]), "segmentation of annotation 7 cannot be read"),
        (document([], [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "two categories have the id 1"),
        (document([]) | {"images": [{"id": 1}, {"id": 1}]}, "two images have the same id"),
        (document([]) | {"images": [{"id": 1, "width": 10**9, "height": 10**9}]}, "states a photo of"),
        ('{"images": [], "annotations": ' + "[" * 100000, "cannot be read"),
    ],
)
def test_broken_files_are_refused_at_once(load, content, match):
    with pytest.raises(DatasetError, match=match):
        load(content)


@pytest.mark.parametrize(
    ("segmentation", "match"),
    [
        ({"size": [50, 40], "counts": [2000]}, "annotation 7 has a mask of 40 x 50 pixels, but its photo is 50 x 40"),
        ({"size": list(SIZE), "counts": [1999]}, "1999 pixels, not the 2000"),
        ({"size": list(SIZE), "counts": "~~"}, "damaged"),
        ([[0, 0, 1e300, 0, 3, 3]], "outside any photo"),
    ],
)
def test_broken_outlines_are_refused_when_they_are_drawn(load, segmentation, match):
    record = load(document([annotation(segmentation)])).records[0]
    with pytest.raises(DatasetError, match=match):
        draw(record.shapes(SIZE), SIZE, {"leaf": 1}, "area")


def test_captions_beside_are_left_out_and_refused_alone(load):
    captions = document([{"id": 1, "image_id": 1, "caption": "a leaf"}], [])
    found = load(document([annotation([flat(0, 0, 2, 2)])]), captions)
    assert len(found.records) == 1
    assert found.notes == ("1.json has no categories and is left out",)
    with pytest.raises(DatasetError, match="captions only"):
        load(captions)


def test_boxes_are_drawn_where_that_is_wished(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [], "bbox": [2, 3, 4, 5]}],
        "categories": [{"id": 1, "name": "leaf"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    (record,) = coco.load([tmp_path / "a.json"], fill_boxes=True).records
    assert (record.drawn, record.boxes, record.skipped) == (1, 1, {})
    assert record.shapes((10, 20))[0].rings[0].tolist() == [[2, 3], [6, 3], [6, 8], [2, 8]]
