import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from deep_pictures import box
from PIL import Image, ImageOps

from segcli.errors import InputError
from segcli.images.decoders.jpeg_xl import Header, decode, read_header, upright_size
from segcli.images.raster import RGB


def codestream(*fields: tuple[int, int]) -> bytes:
    """A codestream that starts with (value, number of bits), each from its lowest bit on."""
    bits = "".join(f"{value:0{count}b}"[::-1] for value, count in fields)
    return b"\xff\x0a" + int(bits[::-1], 2).to_bytes(1 + len(bits) // 8, "little") + bytes(8)


SMALL = codestream((1, 1), (4, 5), (0, 3), (5, 5), (1, 1))  # 8 (4 + 1) rows of 8 (5 + 1), all else as usual
TURNED = codestream((1, 1), (4, 5), (0, 3), (5, 5), (0, 1), (1, 1), (5, 3))


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (SMALL, Header(48, 40)),
        (TURNED, Header(48, 40, 6)),
        (codestream((0, 1), (0, 2), (499, 9), (0, 3), (1, 2), (1000, 13), (1, 1)), Header(1001, 500)),
        (codestream((0, 1), (2, 2), (200_000, 18), (7, 3), (1, 1)), Header(400_002, 200_001)),
        (codestream((0, 1), (1, 2), (1079, 13), (5, 3), (1, 1)), Header(1920, 1080)),
        (codestream((0, 1), (3, 2), (2**30 - 1, 30), (1, 3), (0, 2)), Header(2**30, 2**30)),
        (box(b"JXL ", b"\r\n\x87\n") + box(b"jxlc", SMALL), Header(48, 40)),
        (
            box(b"JXL ", b"") + box(b"jxlp", bytes(4) + SMALL[:3]) + box(b"jxlp", b"\0\0\0\1" + SMALL[3:]),
            Header(48, 40),
        ),
    ],
)
def test_the_header_says_how_large_it_is(data, header):
    assert read_header(data) == header


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\x0a", b"\xff\x0a\0", box(b"JXL ", b""), box(b"jxlp", b"")])
def test_a_header_that_is_not_there_is_an_error(data):
    with pytest.raises(ValueError, match=r"no codestream|ends within its header"):
        read_header(data)


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
    raster = decoded(tmp_path, SMALL)
    assert (raster.values.shape[:2], raster.values.ndim, raster.values.dtype) == ((40, 48), 3, kind)
    assert (raster.colours, raster.alpha, raster.orientation) == (colours, alpha, 1)


def test_the_size_is_that_of_the_upright_photo(tmp_path):
    (tmp_path / "x.jxl").write_bytes(TURNED)
    assert upright_size(tmp_path / "x.jxl", 10**6) == (48, 40)


def test_too_many_pixels_are_refused_before_they_are_decoded(pixels, tmp_path):
    with pytest.raises(InputError, match=r"48 x 40\), more than the limit"):
        decoded(tmp_path, SMALL, 1900)


def test_without_its_package_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(InputError, match=r'a JPEG XL file, .*extra "jxl": pip install imagecodecs'):
        decoded(tmp_path, SMALL)


class TestWithImagecodecs:
    @pytest.fixture
    def imagecodecs(self):
        return pytest.importorskip("imagecodecs")

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
