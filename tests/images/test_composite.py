import numpy as np

from segcli.images.composite import colour_name, composite, primary_luts, remark
from segcli.images.raster import Raster

CHANCE = np.random.default_rng(0)


def ramp(*top: int) -> np.ndarray:
    return np.rint(np.linspace(0, 1, 256)[:, None] * top).astype(np.uint8)


def test_primary_colours_are_the_channels_themselves():
    pixels = CHANCE.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    assert np.array_equal(composite(pixels, primary_luts(3)), pixels)


def test_colours_are_added_up_and_cut_off_at_white():
    pixels = CHANCE.integers(0, 256, (5, 7, 4)).astype(np.uint8)
    luts = [CHANCE.integers(0, 256, (256, 3)).astype(np.uint8) for _ in range(4)]
    expected = np.minimum(sum(lut[pixels[..., index]].astype(int) for index, lut in enumerate(luts)), 255)
    assert (expected == 255).any()
    assert np.array_equal(composite(pixels, luts), expected)


def test_a_colour_that_no_channel_has_is_black():
    pixels = np.full((2, 2, 1), 200, np.uint8)
    assert composite(pixels, [ramp(255, 0, 0)])[0, 0].tolist() == [200, 0, 0]


def test_colours_have_names():
    tops = {"red": (255, 0, 0), "cyan": (0, 255, 255), "grey": (255, 255, 255), "#ff8000": (255, 128, 0)}
    assert {name: colour_name(ramp(*top)) for name, top in tops.items()} == {name: name for name in tops}


def test_the_remark_says_who_stated_the_colours():
    values = np.zeros((2, 2, 4), np.uint8)
    guessed = Raster(values, (0, 1, 2), ("a", "", "c", "d"), luts=primary_luts(3))
    assert remark(guessed).startswith("Its channels 1 a, 2, 3 c of 4 are taken as red, green, blue, since its file")
    many = Raster(values.repeat(3, axis=2), tuple(range(12)), luts=primary_luts(3) * 4, luts_by="its OME metadata")
    assert "1 red, 2 green, 3 blue, 4 red, 5 green, 6 blue, 7 red, 8 green, 4 more; --bands" in remark(many)
