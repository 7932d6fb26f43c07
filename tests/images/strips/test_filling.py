import numpy as np
import pytest

from segcli.images.photo import filled
from segcli.images.strips import filling

HEIGHT, WIDTH = 3 * filling.BLOCK + 5, filling.BLOCK + 30


@pytest.mark.parametrize("kept", [0.5, 0.001, 0.00003])
def test_bands_are_filled_as_the_whole_is(kept):
    random = np.random.default_rng(4)
    rgb = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    valid = random.random((HEIGHT, WIDTH)) < kept
    valid[-1, -1] = True
    expected = rgb.copy()
    expected[~valid] = filled(rgb.astype(np.float32), valid)[~valid].round().astype(np.uint8)
    tops = range(0, HEIGHT, filling.BLOCK)
    bands = [(rgb[top : top + filling.BLOCK], valid[top : top + filling.BLOCK]) for top in tops]
    blocks = filling.ground(bands)
    for number, (band, has) in enumerate(bands):
        filling.fill(band, has, blocks[number : number + 1])
    assert np.array_equal(rgb, expected)


def test_a_picture_without_any_data_is_black():
    rgb, valid = np.full((4, 4, 3), 7, np.uint8), np.zeros((4, 4), bool)
    assert filling.ground([(rgb, valid)]) is None
    filling.fill(rgb, valid, None)
    assert not rgb.any()
