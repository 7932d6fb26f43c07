"""Which bands become colours, and which of them is alpha."""

import numpy as np
import pytest

from segcli.errors import InputError
from segcli.images import bands
from segcli.images.raster import RGB, Raster
from segcli.images.reading import PLAIN, PhotoReading

EIGHT = Raster(np.zeros((2, 3, 8), np.uint16), None, ("coastal", "blue", "green", "yellow", "red", "", "NIR1", "NIR2"))


def with_alpha(values, **options) -> Raster:
    """A picture of four bands, the last of which it calls alpha."""
    alpha = np.asarray(values)[None, :, None]
    options = {"transparent": "mask", **options}
    return Raster(np.dstack([np.full((1, alpha.shape[1], 3), 50, alpha.dtype), alpha]), RGB, alpha=3, **options)


@pytest.mark.parametrize(
    ("named", "taken"), [(("5", "3", "2"), (4, 2, 1)), (("red", "GREEN", "2"), (4, 2, 1)), (("nir1",), (6,))]
)
def test_bands_are_numbers_from_1_or_names(named, taken):
    assert bands.chosen(EIGHT, named) == taken


@pytest.mark.parametrize("named", ["0", "9", "-1", "purple", "²"])
def test_a_band_that_is_not_there_is_refused_with_those_that_are(named):
    with pytest.raises(InputError, match="8 bands, and none is") as caught:
        bands.chosen(EIGHT, (named,))
    assert "1 coastal, 2 blue, 3 green, 4 yellow, 5 red, 6, 7 NIR1, 8 NIR2." in caught.value.hint


def test_many_bands_that_say_nothing_are_refused():
    """Red, green and blue are the first three of hardly any satellite."""
    with pytest.raises(InputError, match="8 bands, and does not say which are red") as caught:
        bands.chosen(EIGHT, ())
    assert "--bands 5,3,2" in caught.value.hint


def test_ordinary_colours_have_their_names():
    assert bands.chosen(Raster(np.zeros((1, 1, 4)), RGB, alpha=3), ("blue", "green", "alpha")) == (2, 1, 3)


class TestAlpha:
    """The fourth band of an air photo is near infrared, though GDAL calls it alpha (PlanetaryComputer#82)."""

    @pytest.mark.parametrize("values", [np.uint8([0, 255, 0, 255]), np.uint16([0, 65535]), np.float32([0, 1])])
    def test_is_what_has_the_values_of_alpha(self, values):
        assert bands.transparency(with_alpha(values), RGB, PLAIN) == ("mask", ())

    def test_of_a_png_is_alpha_whatever_its_values(self):
        soft = with_alpha(np.uint8(range(0, 250, 10)), transparent="over-white")
        assert bands.transparency(soft, RGB, PLAIN) == ("over-white", ())

    @pytest.mark.parametrize("values", [np.uint8([10] * 9), np.uint8(range(0, 250, 10)), np.uint16([0, 300, 700])])
    def test_of_other_values_is_data_and_says_so(self, values):
        kind, (note,) = bands.transparency(with_alpha(values), RGB, PLAIN)
        assert kind == "ignore"
        assert "Band 4 is called alpha" in note

    def test_with_a_few_soft_edges_is_alpha(self):
        assert bands.transparency(with_alpha(np.uint8([0] * 48 + [128, 77] + [255] * 50)), RGB, PLAIN)[0] != "ignore"

    def test_of_0_everywhere_is_taken_for_opaque(self):
        kind, (note,) = bands.transparency(with_alpha(np.uint8([0, 0])), RGB, PLAIN)
        assert (kind, "taken as opaque" in note) == ("ignore", True)

    @pytest.mark.parametrize("wanted", ["over-white", "ignore", "mask"])
    def test_is_what_the_user_says(self, wanted):
        raster = with_alpha(np.uint8([10, 20, 30]))
        assert bands.transparency(raster, RGB, PhotoReading(alpha=wanted)) == (wanted, ())

    def test_that_becomes_a_colour_is_no_alpha(self):
        assert bands.transparency(with_alpha(np.uint8([0, 255])), (3, 1, 0), PLAIN) == ("ignore", ())
