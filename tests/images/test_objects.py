"""The oracle is scipy.ndimage, region by region, and numbers worked out by hand."""

import math

import numpy as np
import pytest
from scipy import ndimage

from segcli.images.objects import Objects, measured

CHANCE = np.random.default_rng(0)


def noise(kind: type = np.uint8, classes: int = 4) -> np.ndarray:
    label_map = ndimage.zoom(CHANCE.integers(0, classes, (12, 15)), 4, order=0).astype(kind)
    label_map[CHANCE.random(label_map.shape) < 0.1] = np.iinfo(kind).max
    return label_map


def of_scipy(label_map: np.ndarray, classes: range, certainty: np.ndarray) -> list[tuple]:
    """Class, area, centroid, box and mean of each region, in the order of their first pixels."""
    found = []
    for label in classes:
        regions, count = ndimage.label(label_map == label)
        numbers = range(1, count + 1)
        areas = ndimage.sum_labels(np.ones(label_map.shape), regions, numbers)
        centres = ndimage.center_of_mass(np.ones(label_map.shape), regions, numbers)
        means, boxes = ndimage.mean(certainty, regions, numbers), ndimage.find_objects(regions)
        for number, area, centre, mean, (rows, columns) in zip(numbers, areas, centres, means, boxes, strict=True):
            first = int(np.flatnonzero(regions == number)[0])
            box = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
            found.append((first, label, area, centre[1], centre[0], *box, mean))
    return [values[1:] for values in sorted(found)]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_objects_are_the_regions_of_scipy(kind):
    label_map = noise(kind)
    certainty = CHANCE.random(label_map.shape)
    expected = of_scipy(label_map, range(1, 4), certainty)
    objects = measured(label_map, range(1, 4), certainty)
    assert len(objects) == len(expected) > 50
    for one, values in zip(objects, expected, strict=True):
        numbers = (one.label, one.pixels, one.x, one.y, one.left, one.top, one.width, one.height, one.certainty)
        assert numbers == pytest.approx(values)


def test_numbers_by_hand():
    label_map = np.zeros((6, 8), np.uint8)
    label_map[1:3, 2:6] = 1
    label_map[3, 3] = 1
    label_map[4, 4] = 1  # at a corner only
    label_map[5, 0:2] = 2
    one, corner, border = measured(label_map, [1, 2])
    assert one[:8] == (1, 9, pytest.approx((2 * 14 + 3) / 9), pytest.approx((4 * 1 + 4 * 2 + 3) / 9), 2, 1, 4, 3)
    assert one.diameter == pytest.approx(2 * math.sqrt(9 / math.pi))
    assert corner[:8] == (1, 1, 4, 4, 4, 4, 1, 1)
    assert border[:8] == (2, 2, 0.5, 5, 0, 5, 2, 1)
    assert [each.at_border for each in (one, corner, border)] == [False, False, True]
    assert math.isnan(one.certainty)


@pytest.mark.parametrize(("rows", "columns"), [((0, 1), (3, 4)), ((5, 6), (3, 4)), ((2, 3), (0, 1)), ((2, 3), (7, 8))])
def test_every_side_is_a_border(rows, columns):
    label_map = np.zeros((6, 8), np.uint8)
    label_map[slice(*rows), slice(*columns)] = 1
    assert [one.at_border for one in measured(label_map, [1])] == [True]


def test_a_smaller_grid_of_certainty_is_laid_over_the_photo():
    label_map = noise()
    grid = CHANCE.random((12, 15))
    expected = of_scipy(label_map, range(1, 4), np.kron(grid, np.ones((4, 4))))
    assert [one.certainty for one in measured(label_map, range(1, 4), grid)] == pytest.approx([v[-1] for v in expected])


def test_a_grid_that_does_not_divide_the_photo_stays_within_its_values():
    label_map = noise()
    grid = CHANCE.random((7, 11)).astype(np.float32)
    sure = measured(label_map, range(1, 4), grid).certainty
    assert grid.min() <= sure.min() < sure.max() <= grid.max()
    even = measured(label_map, range(1, 4), np.full((7, 11), 0.25, np.float32)).certainty
    assert even == pytest.approx(0.25)


def test_background_and_void_alone_hold_no_objects():
    objects = measured(np.full((3, 4), 255, np.uint8), [1], np.ones((3, 4)))
    assert isinstance(objects, Objects)
    assert list(objects) == []


def test_more_than_256_classes_stay_apart():
    label_map = np.arange(300, dtype=np.uint16).reshape(15, 20)
    assert [one.label for one in measured(label_map, range(1, 300))] == list(range(1, 300))
