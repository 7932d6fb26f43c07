from itertools import pairwise

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segcli.data.forms import raster
from segcli.errors import DatasetError
from segcli.images.polygons import outlines


def filled(rings, height, width):
    """The whole picture of what `fill` gives."""
    part, (row, column) = raster.fill([np.array(ring, float) for ring in rings], height, width)
    picture = np.zeros((height, width), bool)
    picture[row : row + part.shape[0], column : column + part.shape[1]] = part
    return picture


def cast(rings, height, width):
    """The pixels whose rays to the right cross the rings an odd number of times, one pixel at a time."""
    picture = np.zeros((height, width), bool)
    for row, column in np.ndindex(height, width):
        x, y = column + 0.5, row + 0.5
        for ring in rings:
            for (x0, y0), (x1, y1) in pairwise([*ring, ring[0]]):
                if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                    picture[row, column] ^= True
    return picture


@pytest.mark.parametrize("seed", range(12))
def test_it_draws_what_ray_casting_draws(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 24, 2)
    # Points beyond the picture on all sides, edges that cross each other, rings within rings.
    rings = [rng.uniform(-8, 30, (rng.integers(3, 9), 2)) for _ in range(rng.integers(1, 4))]
    assert np.array_equal(filled(rings, height, width), cast(rings, height, width))


@pytest.mark.parametrize("density", [0.2, 0.6, 0.9])
def test_outlines_along_pixel_edges_are_exact_with_holes(density):
    mask = np.random.default_rng(1).random((31, 47)) < density
    rings = [polygon.points for polygon in outlines(mask)]
    assert np.array_equal(filled(rings, *mask.shape), mask)
    for ring in rings:
        theirs = coco_mask.decode(coco_mask.frPyObjects([ring.ravel().tolist()], *mask.shape))[..., 0]
        assert np.array_equal(filled([ring], *mask.shape), theirs)


def test_pixels_count_from_the_picture_s_corner():
    assert np.argwhere(filled([[(1, 1), (3, 1), (3, 2), (1, 2)]], 4, 5)).tolist() == [[1, 1], [1, 2]]
    assert np.argwhere(filled([[(0.6, 0.6), (2.6, 0.6), (2.6, 1.6), (0.6, 1.6)]], 3, 4)).tolist() == [[1, 1], [1, 2]]
    assert not filled([[(0.6, 0.6), (1.4, 0.6), (1.4, 1.4), (0.6, 1.4)]], 3, 3).any()  # between four centres


def test_a_ring_within_a_ring_is_a_hole():
    rings = [[(0, 0), (5, 0), (5, 5), (0, 5)], [(1, 1), (1, 4), (4, 4), (4, 1)]]
    assert filled(rings, 5, 5).sum() == 25 - 9
    assert filled(rings[::-1], 5, 5).sum() == 25 - 9


def test_a_slanted_line_to_a_hole_and_back_leaves_no_trace():
    outer = [(0, 0), (40, 0), (40, 30), (0, 30)]
    # The line meets the centre of a pixel, where the two ways could be rounded differently.
    start, hole = (0, 0.5), [(9.5, 11.9), (9.5, 21.9), (24.5, 21.9), (24.5, 11.9)]
    assert np.array_equal(filled([[*outer, start, *hole, hole[0], start]], 30, 40), filled([outer, hole], 30, 40))


def test_triangles_that_share_an_edge_leave_no_gap_and_do_not_overlap():
    rng = np.random.default_rng(3)
    for _ in range(200):
        middle = rng.integers(0, 80, 2) / 4
        corners = [(0, 0), (20, 0), (20, 20), (0, 20)]
        parts = [filled([[one, other, middle]], 20, 20) for one, other in pairwise([*corners, corners[0]])]
        assert np.array_equal(np.sum(parts, 0), np.ones((20, 20)))


@pytest.mark.parametrize(
    "ring", [[(-9, -9), (-1, -9), (-1, -1)], [(70, 2), (90, 2), (90, 30)], [(1, 1), (9, 9)], [(3, 3)], []]
)
def test_what_lies_outside_or_has_no_area_is_nothing(ring):
    assert not filled([np.array(ring, float).reshape(-1, 2)], 8, 8).any()


def test_only_the_part_of_the_picture_that_is_reached_is_made():
    part, (row, column) = raster.fill([np.array([(7, 3), (9.2, 3), (9.2, 5)])], 1000, 1000)
    assert part.shape == (2, 3)
    assert (row, column) == (3, 7)
    part, place = raster.fill([np.array([(-900.0, -900), (900, -900), (900, 900), (-900, 900)])], 6, 7)
    assert part.shape == (6, 7)
    assert part.all()
    assert place == (0, 0)


def test_many_crossings_are_computed_in_parts(monkeypatch):
    ring = np.random.default_rng(4).uniform(0, 60, (50, 2))
    whole = filled([ring], 60, 60)
    monkeypatch.setattr(raster, "CROSSINGS_AT_ONCE", 7)
    assert np.array_equal(filled([ring], 60, 60), whole)


@pytest.mark.parametrize("value", [1e300, -2e6, np.nan, np.inf])
def test_points_that_no_picture_reaches_are_refused(value):
    with pytest.raises(DatasetError, match="outside any photo"):
        raster.fill([np.array([(0, 0), (5, 0), (5, value)])], 8, 8)
