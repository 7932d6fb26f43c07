"""Holes joined to their outlines: pycocotools draws the region's own pixels."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segcli.images.bridges import bridged
from segcli.images.polygons import outlines, with_holes


def drawn(polygon, shape):
    flat = polygon.points.ravel().tolist()
    return coco_mask.decode(coco_mask.frPyObjects([flat], *shape))[..., 0].astype(bool)


@pytest.mark.parametrize("density", [0.5, 0.65, 0.8, 0.93])
def test_pycocotools_draws_the_same_pixels_again(density):
    mask = np.random.default_rng(3).random((41, 57)) < density
    areas = list(with_holes(mask))
    polygons = [bridged(area) for area in areas]
    regions = [drawn(polygon, mask.shape) for polygon in polygons]
    assert any(len(area.holes) > 3 for area in areas) or density == 0.5
    assert np.array_equal(np.sum(regions, 0), mask)  # every pixel once
    assert [polygon.area for polygon in polygons] == [int(region.sum()) for region in regions]


def test_many_holes_join_one_straight_border_and_each_other():
    mask = np.ones((9, 41), bool)
    mask[2:4, 1:40:3] = mask[6, 2:40:4] = False
    (comb,) = map(bridged, with_holes(mask))
    assert np.array_equal(drawn(comb, mask.shape), mask)
    assert np.array_equal(comb.points, next(outlines(mask)).points)


def test_a_hole_takes_a_line_down_to_it_and_back():
    mask = np.ones((4, 5), bool)
    mask[2, 1:3] = False
    (region,) = map(bridged, with_holes(mask))
    ring = [[0, 0], [1, 0], [1, 3], [3, 3], [3, 2], [1, 2], [1, 0], [5, 0], [5, 4], [0, 4]]
    assert region.points.tolist() == ring
    assert region.area == 18
