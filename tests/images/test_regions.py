import numpy as np
import pytest
from scipy import ndimage

from segcli.images.regions import connected, without_specks


def noise(ids, shape=(60, 70)):
    """A label map of that many ids, a twentieth of it void."""
    rng = np.random.default_rng(ids)
    label_map = rng.integers(0, ids, shape).astype(np.uint8)
    label_map[rng.random(shape) < 0.05] = 255
    return label_map


@pytest.mark.parametrize("smallest", [1, 2, 5, 20, 10_000])
@pytest.mark.parametrize("ids", [2, 3, 5])
def test_specks_are_the_small_components_that_scipy_finds(ids, smallest):
    label_map = noise(ids)
    expected, count = label_map.copy(), 0
    for label in range(1, ids):
        component, _ = ndimage.label(label_map == label)
        small = [number for number, size in enumerate(np.bincount(component.ravel())) if number and size < smallest]
        expected[np.isin(component, small)] = 0
        count += len(small)
    left, specks = without_specks(label_map, smallest, range(1, ids), 0)
    assert specks == count
    assert np.array_equal(left, expected)
    assert left.dtype == np.uint8


def test_a_long_winding_region_is_one():
    spiral = np.zeros((41, 41), bool)
    for start in range(0, 20, 2):
        end = 40 - start
        spiral[start, start : end + 1] = spiral[start : end + 1, end] = spiral[end, start : end + 1] = True
        spiral[start + 2 : end + 1, start] = spiral[start + 2, start : start + 2] = True
    assert ndimage.label(spiral)[1] == 1
    assert without_specks(spiral.astype(np.uint8), spiral.sum(), [1], 0)[1] == 0
    assert without_specks(spiral.astype(np.uint8), spiral.sum() + 1, [1], 0)[1] == 1


def test_runs_of_every_region_cover_the_map():
    label_map = noise(4)
    regions = connected(label_map)
    assert np.array_equal(np.repeat(regions.values, regions.lengths).reshape(label_map.shape), label_map)
    painted = np.repeat(regions.region, regions.lengths).reshape(label_map.shape)
    components = sum(ndimage.label(label_map == value)[1] for value in np.unique(label_map))
    assert len(np.unique(painted)) == components


def test_more_than_256_classes_stay_apart():
    label_map = np.arange(600, dtype=np.uint16).reshape(20, 30)
    left, specks = without_specks(label_map, 2, range(1, 600), 65535)
    assert specks == 599
    assert left[0, 0] == 0
    assert (left.ravel()[1:] == 65535).all()
    assert left.dtype == np.uint16
