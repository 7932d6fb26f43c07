"""Cutouts that come in rows are those of the whole picture."""

import numpy as np
import pytest

from segcli.images.cutout import cutout
from segcli.images.strips.cutouts import cutouts


@pytest.mark.parametrize("background", [None, (10, 200, 30)])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_bands(seed, background):
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (37, 23, 3), np.uint8)
    kept = random.random((37, 23)) < 0.7
    cuts = sorted(random.integers(1, 37, 4))
    photo = [(top, rgb[top : top + 8], None) for top in range(0, 37, 8)]
    made = list(cutouts(photo, np.split(kept, cuts), (37, 23), background))
    assert [len(rows) for rows in made] == [8, 8, 8, 8, 5]
    assert np.array_equal(np.concatenate(made), np.asarray(cutout(rgb, kept, background)))
