import numpy as np
import pytest
import tiffs
from extras import extra

from segcli.errors import InputError
from segcli.files import formats
from segcli.images.strips import tiff
from segcli.images.strips.tiff import TiffStrips

VALUES = np.random.default_rng(0).integers(0, 256, (300, 40, 3), np.uint8)


def test_only_the_tiles_of_the_rows_are_decoded(tmp_path):
    page = tiffs.page(VALUES, 2, tiffs.DEFLATE, tile=(16, 16))
    page.segments[-1] = b"damaged"
    strips = TiffStrips(tiffs.write(tmp_path / "x.tif", page), 10**6)
    assert np.array_equal(strips.raster(10, 128).values, VALUES[10:128])
    with pytest.raises(InputError, match="cannot be decoded"):
        strips.raster(256, 300)
    strips.close()


@pytest.mark.parametrize("separate", [False, True])
def test_a_strip_that_is_not_compressed_is_read_in_part(separate, tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "AFFORDED", 64 * 40 * 3)
    strips = TiffStrips(tiffs.write(tmp_path / "x.tif", tiffs.page(VALUES, 2, separate=separate)), 1)
    assert np.array_equal(strips.raster(70, 299).values, VALUES[70:299])
    strips.close()


def test_a_strip_that_is_cut_short_is_no_gap(tmp_path):
    page = tiffs.page(VALUES, 2)
    page.segments[0] = page.segments[0][: 200 * 120]
    strips = TiffStrips(tiffs.write(tmp_path / "x.tif", page), 10**6)
    assert np.array_equal(strips.raster(0, 128).values, VALUES[:128])
    with pytest.raises(InputError, match="some of its pixels are missing"):
        strips.raster(128, 300)
    strips.close()


def test_a_large_compressed_strip_takes_gdal_or_is_refused(tmp_path, monkeypatch):
    extra("rasterio")
    monkeypatch.setattr(tiff, "AFFORDED", 1000)
    path = tiffs.write(tmp_path / "x.tif", tiffs.page(VALUES, 2, tiffs.DEFLATE))
    strips = TiffStrips(path, 1000)
    assert np.array_equal(strips.raster(130, 290).values, VALUES[130:290])
    strips.close()
    monkeypatch.setattr(formats.Extra, "installed", False)
    with pytest.raises(InputError, match="too large to be read in part") as error:
        TiffStrips(path, 1000)
    assert "gdal_translate" in error.value.hint
    TiffStrips(path, 300 * 40).close()  # few enough pixels to be decoded whole
