import sys
from contextlib import suppress

import numpy as np
import pytest
import tifffile
import tiffs

from segcli.data.pictures.pixels import read_pixels, read_values
from segcli.errors import InputError

IDS = np.random.default_rng(0).integers(0, 5, (48, 64), np.uint8)


@pytest.mark.parametrize(
    "kind", ["bool", "uint8", "int8", "int16", "uint32", "int64", "uint64", "float16", "float32", "float64"]
)
def test_values_of_every_kind_are_read(tmp_path, kind):
    ids = IDS.astype(kind)
    tifffile.imwrite(tmp_path / "x.tif", ids, photometric="minisblack")
    assert np.array_equal(read_values(tmp_path / "x.tif"), ids.astype(np.uint8))


@pytest.mark.parametrize(
    "options",
    [
        {"bigtiff": True, "tile": (16, 16)},
        {"compression": "zlib"},
        {"byteorder": ">"},
        {"photometric": "miniswhite"},
        {"ome": True},
        {"imagej": True},
    ],
    ids=["large", "packed", "big-endian", "white is 0", "OME", "ImageJ"],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_files_of_every_layout_are_read_as_they_are_stored(tmp_path, options, kind):
    tifffile.imwrite(tmp_path / "x.tif", IDS.astype(kind), **options)
    assert np.array_equal(read_values(tmp_path / "x.tif"), IDS)


def test_planes_apart_are_colours(tmp_path):
    rgb = np.stack([IDS, IDS + 1, IDS + 2])
    tifffile.imwrite(tmp_path / "x.tif", rgb, photometric="rgb", planarconfig="separate")
    assert np.array_equal(read_pixels(tmp_path / "x.tif").pixels, np.moveaxis(rgb, 0, 2))


def test_values_below_0_of_16_and_64_bits(tmp_path):
    for kind in (np.int16, np.int64):
        tifffile.imwrite(tmp_path / "x.tif", np.array([[-1, 3]], kind), photometric="minisblack")
        assert read_values(tmp_path / "x.tif").tolist() == [[65535, 3]]


def test_several_pages_are_refused_by_both_readers(tmp_path):
    for kind in (np.uint8, np.int64):
        tifffile.imwrite(tmp_path / "x.tif", np.stack([IDS, IDS]).astype(kind), photometric="minisblack")
        with pytest.raises(InputError, match="holds 2 pictures"):
            read_pixels(tmp_path / "x.tif")


def test_smaller_copies_are_no_further_pictures(tmp_path):
    for kind in (np.uint8, np.int64):
        ids = IDS.astype(kind)
        tifffile.imwrite(tmp_path / "x.tif", ids, photometric="minisblack")
        tifffile.imwrite(tmp_path / "x.tif", ids[::2, ::2], photometric="minisblack", append=True, subfiletype=1)
        assert np.array_equal(read_values(tmp_path / "x.tif"), IDS)


def test_the_package_that_is_missing_is_named(tmp_path, monkeypatch):
    lerc = {259: (tiffs.SHORT, [34887])}
    tiffs.write(tmp_path / "x.tif", tiffs.page(IDS.astype(np.int64)[..., None], tags=lerc))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(InputError, match="extra package") as error:
        read_pixels(tmp_path / "x.tif")
    assert "pip install imagecodecs" in error.value.hint


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_files_are_input_errors(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", IDS.astype(np.int64), photometric="minisblack", compression="zlib")
    whole = (tmp_path / "x.tif").read_bytes()
    chance = np.random.default_rng(0)
    for _ in range(300):
        spoiled = bytearray(whole)
        for place in chance.integers(0, 300, chance.integers(1, 5)):
            spoiled[place] = chance.integers(0, 256)
        (tmp_path / "x.tif").write_bytes(spoiled)
        with suppress(InputError):
            read_values(tmp_path / "x.tif")
