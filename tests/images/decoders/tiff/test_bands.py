import io

import numpy as np
import pytest
import tiffs

from segcli.images.decoders.tiff.bands import Bands, bands_of
from segcli.images.decoders.tiff.directory import directories
from segcli.images.decoders.tiff.metadata import metadata_of

RGB, GREY = 2, 1
UNSURE = "Its file does not say which bands are red, green and blue: bands 1, 2 and 3 are used; --bands chooses others."


def bands(tmp_path, samples: int, photometric: int = GREY, extra: list[int] | None = None, **names: list[str]) -> Bands:
    """What is found in a file of so many bands; `names` are items of GDAL's metadata."""
    tags = tiffs.gdal({name.upper(): values for name, values in names.items()})
    one = tiffs.page(np.zeros((2, 2, samples), np.uint8), photometric, extra=extra, tags=tags)
    directory = next(directories(io.BytesIO(tiffs.write(tmp_path / "x", one).read_bytes())))
    return bands_of(directory, metadata_of(directory))


def test_one_band_is_grey_and_three_are_colours(tmp_path):
    assert bands(tmp_path, 1) == Bands((0,), None, False)
    assert bands(tmp_path, 3, RGB) == Bands((0, 1, 2), None, False)


@pytest.mark.parametrize(
    ("samples", "photometric", "extra", "alpha", "premultiplied"),
    [
        (4, RGB, [2], 3, False),
        (4, RGB, [1], 3, True),
        (4, RGB, [999], 3, False),  # as Corel Draw writes it
        (4, RGB, None, 3, False),  # as viewers take it
        (4, RGB, [0], None, False),
        (5, RGB, [0, 2], 4, False),
        (5, RGB, None, None, False),
        (2, GREY, [2], 1, False),
        (4, GREY, [0, 0, 1], 3, True),
        (4, RGB, [0, 0, 2], 3, False),  # more than there are: the last ones count
    ],
)
def test_the_band_that_is_called_alpha(tmp_path, samples, photometric, extra, alpha, premultiplied):
    found = bands(tmp_path, samples, photometric, extra)
    assert (found.alpha, found.premultiplied) == (alpha, premultiplied)


@pytest.mark.parametrize(
    "name", ["nir", "NIR1", "Near infra-red", "infrared", "RedEdge 2", "swir1", "band 4", "Band_4", "B8", "b8a", "n"]
)
def test_alpha_that_is_named_as_data_is_none(tmp_path, name):
    found = bands(tmp_path, 4, RGB, [2], description=["", "", "", name])
    assert found.alpha is None
    assert found.notes == (f"Band 4 is called alpha, and also {name}: it is left out.",)


@pytest.mark.parametrize("name", ["", "alpha", "Alpha band", "opacity", "mask"])
def test_alpha_of_another_name_is_alpha(tmp_path, name):
    assert bands(tmp_path, 4, RGB, [2], description=["", "", "", name]).alpha == 3


def test_alpha_that_gdal_shows_as_something_else_is_none(tmp_path):
    assert bands(tmp_path, 4, RGB, [2], colorinterp=["", "", "", "NIR"]).alpha is None
    assert bands(tmp_path, 4, RGB, [2], colorinterp=["", "", "", "Alpha"]).alpha == 3


def test_few_bands_of_which_nothing_is_said_are_noted(tmp_path):
    assert bands(tmp_path, 3) == Bands((0, 1, 2), None, False, (UNSURE,))
    assert bands(tmp_path, 4).notes == (UNSURE,)
    assert "Band 1 of its 2" in bands(tmp_path, 2).notes[0]


def test_many_bands_of_which_nothing_is_said_are_nobodys(tmp_path):
    assert bands(tmp_path, 5).colours is None
    assert bands(tmp_path, 8, RGB).colours == (0, 1, 2)


@pytest.mark.parametrize(
    ("names", "colours"),
    [
        (["coastal", "blue", "green", "yellow", "red", "red edge", "nir", "nir2"], (4, 2, 1)),
        (["b", "g", "r", "n", "t"], (2, 1, 0)),
        (["Blue (490 nm)", "Green (560 nm)", "Red (665 nm)", "RedEdge", "NIR"], (2, 1, 0)),
        (["B02", "B03", "B04", "B08", "B12"], (2, 1, 0)),
        (["B1", "B2", "B3", "B4", "B5", "B8A"], (3, 2, 1)),
        (["SR_B2", "SR_B3", "SR_B4", "SR_B5", "ST_B10"], (2, 1, 0)),
        (["B2", "B3", "B4", "B5", "B10"], (2, 1, 0)),
        (["B1", "B2", "B3", "B4", "B5", "B7"], None),  # Landsat 5: B3, B2, B1; Landsat 8: B4, B3, B2
        (["red", "red", "green", "blue", "nir"], None),
        (["far red", "red edge", "green", "blue", "nir"], None),
        (["band 1", "band 2", "band 3", "band 4", "band 5"], None),
        ([""] * 5, None),
    ],
)
def test_bands_are_found_by_name(tmp_path, names, colours):
    assert bands(tmp_path, len(names), description=names).colours == colours


def test_names_go_before_colours_and_these_before_wavelengths(tmp_path):
    shown = ["Blue", "Green", "Red", "Undefined", "Undefined"]
    waves = ["0.842", "0.490", "0.560", "0.665", "2.2"]
    assert bands(tmp_path, 5, colorinterp=shown, central_wavelength_um=waves).colours == (2, 1, 0)
    assert bands(tmp_path, 5, central_wavelength_um=waves).colours == (3, 2, 1)
    assert bands(tmp_path, 5, wavelength=["842", "490", "560", "665", "2200"]).colours == (3, 2, 1)
    named = ["red", "x", "green", "y", "blue"]
    assert bands(tmp_path, 5, description=named, colorinterp=shown).colours == (0, 2, 4)


@pytest.mark.parametrize("waves", [["0.842", "0.865", "0.9", "1.6", "2.2"], ["0.49", "0.56", "", "", ""], ["nan"] * 5])
def test_wavelengths_that_are_no_colours(tmp_path, waves):
    assert bands(tmp_path, 5, central_wavelength_um=waves).colours is None


def test_names_that_contradict_the_tags_are_noted(tmp_path):
    found = bands(tmp_path, 3, RGB, description=["blue", "green", "red"])
    assert found.colours == (0, 1, 2)
    assert "--bands 3,2,1 uses the others" in found.notes[0]
    assert bands(tmp_path, 3, RGB, description=["red", "green", "blue"]).notes == ()
