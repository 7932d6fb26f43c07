import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from segcli.images.polygons import UNCORRECTED, annotations, merge, outlines, write_polygons
from segcli.labels import VOC


def drawn(polygons, shape):
    """What pycocotools makes of polygons, each on its own."""
    points = [polygon.points.ravel().tolist() for polygon in polygons]
    return [coco_mask.decode(coco_mask.frPyObjects([flat], *shape))[..., 0].astype(bool) for flat in points]


@pytest.mark.parametrize("density", [0.1, 0.5, 0.65, 0.9, 1.0])
def test_pycocotools_draws_the_same_pixels_again(density):
    mask = np.random.default_rng(3).random((41, 57)) < density
    polygons = list(outlines(mask))
    regions = drawn(polygons, mask.shape)
    assert np.array_equal(np.sum(regions, 0), mask)  # every pixel once
    assert [polygon.area for polygon in polygons] == [int(region.sum()) for region in regions]
    for polygon, region in zip(polygons, regions, strict=True):
        rows, columns = np.nonzero(region)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert polygon.box() == box


def test_regions_are_those_of_scipy():
    from scipy import ndimage

    mask = np.random.default_rng(4).random((60, 60)) < 0.55
    assert len(list(outlines(mask))) == ndimage.label(mask)[1]


def test_holes_within_holes_and_islands():
    y, x = np.mgrid[:40, :40]
    radius = np.maximum(abs(y - 20), abs(x - 20))
    mask = (radius % 6) < 3
    assert np.array_equal(np.sum(drawn(outlines(mask), mask.shape), 0), mask)


def test_many_holes_join_one_straight_border():
    mask = np.ones((9, 41), bool)
    mask[2:4, 1:40:3] = mask[6, 2:40:4] = False
    (comb,) = outlines(mask)
    assert np.array_equal(drawn([comb], mask.shape)[0], mask)
    assert comb.area == mask.sum()


def test_a_square_is_four_points_clockwise():
    mask = np.zeros((5, 6), bool)
    mask[1:3, 2:5] = True
    (square,) = outlines(mask)
    assert square.points.tolist() == [[2, 1], [5, 1], [5, 3], [2, 3]]
    assert square.box() == [2, 1, 3, 2]
    assert not list(outlines(np.zeros((3, 3), bool)))


def test_a_real_mask_comes_back_to_the_pixel():
    small = np.random.default_rng(0).integers(0, 3, (6, 8), dtype=np.uint8) * 4
    label_map = np.asarray(Image.fromarray(small).resize((400, 300), Image.Resampling.BICUBIC)) // 4 % 3
    label_map[:20] = 255
    back = np.where(label_map == 255, 255, 0)
    for annotation in annotations(label_map, VOC):
        region = coco_mask.decode(coco_mask.frPyObjects(annotation["segmentation"], 300, 400))[..., 0].astype(bool)
        back[region] = annotation["category_id"]
        assert annotation["area"] == region.sum()
    assert np.array_equal(back, label_map)


def test_the_merged_file_is_cocos(tmp_path):
    label_map = np.zeros((20, 30), np.uint8)
    label_map[2:10, 3:9], label_map[15:, 20:] = 8, 15
    for name in ("a", "b"):
        write_polygons(tmp_path / f"{name}.json", f"{name}.jpg", label_map, VOC)
    merge(tmp_path / "polygons.json", [tmp_path / "a.json", tmp_path / "b.json"], VOC)
    coco = COCO(tmp_path / "polygons.json")
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == ["a.jpg", "b.jpg"]
    cats = coco.loadAnns(coco.getAnnIds(imgIds=2, catIds=coco.getCatIds(["cat"])))
    assert [annotation["bbox"] for annotation in cats] == [[3, 2, 6, 8]]
    assert coco.annToMask(cats[0]).sum() == 48
    assert coco.dataset["info"] == UNCORRECTED
    merge(tmp_path / "none.json", [], VOC)
    assert json.loads((tmp_path / "none.json").read_text())["annotations"] == []
