"""The oracle is scipy, region by region: a hole is what fills when nothing flows in, not even between two corners."""

import numpy as np
import pytest
from scipy import ndimage

from segcli.images.holes import without_holes

AT_CORNERS = np.ones((3, 3))


def filled_by_scipy(label_map: np.ndarray, classes: range, blank: int) -> tuple[np.ndarray, int]:
    """The label map without holes, and their number."""
    expected, found = label_map.copy(), 0
    for label in classes:
        regions, count = ndimage.label(label_map == label)
        for number in range(1, count + 1):
            region = regions == number
            holes, parts = ndimage.label(ndimage.binary_fill_holes(region, AT_CORNERS) & ~region, AT_CORNERS)
            for part in range(1, parts + 1):
                if (label_map[holes == part] == blank).all():
                    expected[holes == part] = label
                    found += 1
    return expected, found


def noise(ids: int, empty: float, seed: int) -> np.ndarray:
    """A label map of that many ids, mostly the first, with holes of all shapes; some of it void."""
    chance = np.random.default_rng(seed)
    shares = [empty, 0.95 - empty, *[0.05 / (ids - 2)] * (ids - 2)] if ids > 2 else [empty, 1 - empty]
    label_map = chance.choice(ids, (30, 37), p=shares).astype(np.uint8)
    label_map[chance.random(label_map.shape) < 0.01] = 255
    return label_map


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("ids", "empty"), [(2, 0.2), (2, 0.4), (3, 0.3), (4, 0.2)])
def test_holes_are_those_that_scipy_fills(ids, empty, seed):
    label_map = noise(ids, empty, seed)
    before = label_map.copy()
    filled, holes = without_holes(label_map, range(1, ids), 0)
    expected, count = filled_by_scipy(label_map, range(1, ids), 0)
    assert np.array_equal(filled, expected)
    assert holes == count > 0
    assert np.array_equal(label_map, before)


def drawn(*rows: str) -> np.ndarray:
    return np.array([[int(pixel) for pixel in row] for row in rows], np.uint8)


RING = drawn("000000", "011110", "010010", "010010", "011110", "000000")


def test_a_ring_becomes_a_disc():
    filled, holes = without_holes(RING, [1], 0)
    assert (holes, filled.sum()) == (1, 16)


@pytest.mark.parametrize(
    "label_map",
    [
        drawn("1111", "1020", "1001", "1111"),  # what it surrounds touches another region
        drawn("0111", "1101", "1011", "1110"),  # open to the border at two corners
        drawn("2111", "1101", "1011", "1111")[1:],  # at the border
        drawn("11110", "10110", "11010", "01111"),  # the hole's corner leads to another hole's, and that to the outside
    ],
)
def test_what_is_no_hole_stays(label_map):
    expected, _ = filled_by_scipy(label_map, [1, 2], 0)
    assert np.array_equal(without_holes(label_map, [1, 2], 0)[0], expected)


def test_holes_of_void_and_of_other_classes_stay():
    for inside in (2, 255):
        label_map = np.where(RING == 0, 0, RING)
        label_map[2:4, 2:4] = inside
        assert without_holes(label_map, [1, 2], 0)[1] == 0


def test_void_is_filled_where_it_stands_for_all_other_classes():
    label_map = np.where(RING == 0, 65535, 1).astype(np.uint16)
    filled, holes = without_holes(label_map, [1], 65535)
    assert (holes, (filled == 1).sum(), filled.dtype) == (1, 16, np.uint16)


def test_background_around_void_is_no_hole():
    label_map = np.where(RING == 1, 255, RING).astype(np.uint8)
    assert without_holes(label_map, [1], 0)[1] == 0
