"""The objects of strips are those of the whole map, whatever rows they end at."""

import numpy as np
import pytest

from segcli.images import objects
from segcli.images.strips.objects import measured


@pytest.mark.parametrize("seed", range(20))
def test_random_maps(seed):
    random = np.random.default_rng(seed)
    height, width, classes = random.integers(1, 40, 3)
    kind = np.uint16 if seed % 3 == 0 else np.uint8
    label_map = random.integers(0, 1 + classes % 4, (height, width)).astype(kind)
    if seed % 2:
        label_map = (random.random((height, width)) < 0.7).astype(kind)  # large ones
    certainty = random.random((7, 9)) if seed % 5 else None
    cuts = sorted(random.integers(1, height + 1, seed % 6))
    bands = [band for band in np.split(label_map, cuts) if len(band)]
    found = measured(bands, label_map.shape, (1, 2, 3), certainty)
    expected = objects.measured(label_map, (1, 2, 3), certainty)
    assert len(found) == len(expected)
    for name in ("labels", "pixels", "centroids", "boxes", "at_border"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert found.certainty == pytest.approx(expected.certainty, nan_ok=True)


def test_a_map_without_objects_has_none():
    assert len(measured([np.zeros((3, 4), np.uint8)] * 2, (6, 4), (1,))) == 0
