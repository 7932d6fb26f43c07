"""The regions of strips are those of the whole map, whatever rows they end at."""

import numpy as np
import pytest

from segcli.images.polygons import with_holes
from segcli.images.strips.rings import areas


def ring(points: np.ndarray) -> tuple:
    """A ring whatever it begins with."""
    listed = list(map(tuple, points.tolist()))
    first = listed.index(min(listed))
    return tuple(listed[first:] + listed[:first])


def plain(label, area) -> tuple:
    return label, area.pixels, ring(area.outer), tuple(sorted(map(ring, area.holes)))


def compare(label_map: np.ndarray, cuts, classes) -> None:
    bands = [band for band in np.split(label_map, sorted(cuts)) if len(band)]
    whole = [plain(label, area) for label in classes for area in with_holes(label_map == label)]
    assert sorted(plain(*one) for one in areas(bands, classes)) == sorted(whole)


@pytest.mark.parametrize("seed", range(20))
def test_random_maps(seed):
    random = np.random.default_rng(seed)
    height, width, classes = random.integers(1, 30, 3)
    label_map = random.integers(0, 1 + classes % 4, (height, width)).astype(np.uint8)
    if seed % 2:
        label_map = (random.random((height, width)) < 0.8).astype(np.uint8)  # large regions full of holes
    compare(label_map, random.integers(1, height + 1, seed % 6), (1, 2, 3))


def test_every_row_a_strip():
    spiral = np.array([[int(cell) for cell in row] for row in ("11111", "10001", "10101", "10111", "10000", "11111")])
    compare(spiral.astype(np.uint8), range(1, 6), (0, 1))


def test_a_region_is_given_as_soon_as_it_is_whole():
    given = []

    def bands():
        for number in range(3):
            yield np.array([[number, 0, 1]], np.uint8)
            given.append(len(found))

    found: list[int] = []
    for label, _ in areas(bands(), (1, 2)):
        found.append(label)
    assert given == [0, 0, 1]
    assert sorted(found) == [1, 1, 2]
