"""The oracle is Pillow, which has the whole picture."""

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth

from segcli.images.strips.shrinking import Reduction, nearest, thumbnail_size

SHAPES = [((500, 350), 100), ((357, 751), 33), ((150, 100), 640), ((401, 399), 200), ((90, 1000), 40)]


@pytest.mark.parametrize(("shape", "longest"), SHAPES)
def test_a_picture_in_rows_becomes_pillows_thumbnail(shape, longest):
    rgb = np.array(smooth(1, shape[1], shape[0]))
    expected = Image.fromarray(rgb)
    expected.thumbnail((longest, longest), Image.Resampling.BICUBIC, reducing_gap=2.0)
    size = thumbnail_size(shape, longest)
    assert size == expected.size[::-1]
    reduction = Reduction(shape, size)
    rows = [reduction.add(top, rgb[top : top + 128]) for top in (0, 100, 128, 256, 384) if top < shape[0]]
    picture = reduction.picture(np.concatenate(rows), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(picture), np.asarray(expected))


@pytest.mark.parametrize(("before", "after"), [(1000, 33), (7, 7), (641, 640)])
def test_nearest_takes_pillows_pixels(before, after):
    ramp = Image.fromarray(np.arange(before, dtype=np.int32)[:, None].repeat(3, 1))
    expected = np.asarray(ramp.resize((3, after), Image.Resampling.NEAREST))[:, 0]
    assert np.array_equal(nearest(before, after), expected)
