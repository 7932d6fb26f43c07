import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from extras import extra
from jpeg_xl_bits import ALPHA, AS_USUAL, BIT_DEPTH, LINEAR, SMALL, TURNED, codestream
from PIL import Image, ImageOps

from segcli.errors import InputError
from segcli.images.decoders.jpeg_xl import decode, upright_size
from segcli.images.raster import RGB

USUAL = codestream(*SMALL, *AS_USUAL)


@pytest.fixture
def pixels(monkeypatch):
    """imagecodecs' place taken by what gives the pixels that a test wants."""
    module = SimpleNamespace(values=None)
    module.jpegxl_decode = lambda data, index: module.values if index == 0 else pytest.fail("all frames were decoded")
    monkeypatch.setitem(sys.modules, "imagecodecs", module)
    return module


def decoded(tmp_path, data: bytes, max_pixels: int = 10**6):
    (tmp_path / "x.jxl").write_bytes(data)
    return decode(tmp_path / "x.jxl", max_pixels)


@pytest.mark.parametrize(
    ("shape", "colours", "alpha"),
    [((40, 48), (0,), None), ((40, 48, 2), (0,), 1), ((40, 48, 3), RGB, None), ((40, 48, 4), RGB, 3)],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_bands_are_grey_or_colours_and_alpha(pixels, tmp_path, shape, colours, alpha, kind):
    pixels.values = np.ones(shape, kind)
    raster = decoded(tmp_path, USUAL)
    assert (raster.values.shape[:2], raster.values.ndim, raster.values.dtype) == ((40, 48), 3, kind)
    assert (raster.colours, raster.alpha, raster.orientation) == (colours, alpha, 1)


def test_the_size_is_that_of_the_upright_photo(tmp_path):
    (tmp_path / "x.jxl").write_bytes(codestream(*SMALL, *TURNED))
    assert upright_size(tmp_path / "x.jxl", 10**6) == (48, 40)


def test_other_colours_are_noted_and_premultiplied_ones_told(pixels, tmp_path):
    pixels.values = np.ones((40, 48, 4), np.uint8)
    raster = decoded(tmp_path, codestream(*SMALL, (0, 1), (0, 1), *BIT_DEPTH, (1, 2), *ALPHA, (0, 1), *LINEAR))
    assert raster.premultiplied
    assert raster.notes == ("Its colours have a profile or a space of their own, but are read as sRGB.",)


def test_too_many_pixels_are_refused_before_they_are_decoded(pixels, tmp_path):
    with pytest.raises(InputError, match=r"48 x 40\), more than the limit"):
        decoded(tmp_path, USUAL, 1900)


def test_without_its_package_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(InputError, match=r'a JPEG XL file, .*extra "jxl": pip install imagecodecs'):
        decoded(tmp_path, USUAL)


class TestWithImagecodecs:
    @pytest.fixture
    def imagecodecs(self):
        return extra("imagecodecs")

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("bands", [1, 2, 3, 4])
    def test_every_bit_is_kept(self, imagecodecs, tmp_path, bands, kind):
        values = np.random.default_rng(0).random((40, 50, bands)) * (1 if kind == np.float32 else np.iinfo(kind).max)
        values = values.astype(kind)
        data = imagecodecs.jpegxl_encode(values if bands > 1 else values[..., 0], lossless=True)
        assert np.array_equal(decoded(tmp_path, data).values, values)

    @pytest.mark.parametrize("orientation", [1, 3, 6, 7])
    def test_photos_are_upright(self, imagecodecs, colours, tmp_path, orientation):
        exif, jpeg = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        colours.resize((64, 40)).save(jpeg, "JPEG", exif=exif, quality=95)
        raster = decoded(tmp_path, imagecodecs.jpegxl_encode_jpeg(jpeg.getvalue(), usecontainer=True))
        expected = np.asarray(ImageOps.exif_transpose(Image.open(jpeg)))
        assert raster.values.shape == expected.shape == (*upright_size(tmp_path / "x.jxl", 10**6), 3)
        assert np.abs(raster.values.astype(int) - expected).mean() < 2

    def test_a_file_cut_short_is_refused(self, imagecodecs, tmp_path):
        data = imagecodecs.jpegxl_encode(
            np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8), lossless=True
        )
        with pytest.raises(InputError, match="cannot be decoded as JPEG XL"):
            decoded(tmp_path, data[: len(data) // 2])
