import io
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from deep_pictures import box, siz
from extras import extra
from PIL import Image

from segcli.errors import InputError
from segcli.images.decoders.jpeg_2000 import decode
from segcli.images.raster import RGB

START = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
SRGB, GREY, SYCC = (box(b"colr", struct.pack(">BBBI", 1, 0, 0, space)) for space in (16, 17, 18))


def component(bits: int, step: int = 1, signed: bool = False) -> bytes:
    return bytes([bits - 1 | 0x80 * signed, step, step])


def alpha(band: int, kind: int = 1) -> bytes:
    return box(b"cdef", struct.pack(">H3H", 1, band, kind, 0))


def jp2(inner: bytes, components: bytes, width: int = 7, height: int = 5) -> bytes:
    return START + box(b"jp2h", inner) + box(b"jp2c", siz(width, height, components))


@pytest.fixture
def stand_in(monkeypatch):
    """imagecodecs' place taken by what gives as many bands as a test wants."""
    module = SimpleNamespace(values=None, jpeg2k_decode=lambda data: module.values)
    monkeypatch.setitem(sys.modules, "imagecodecs", module)
    return module


def decoded(tmp_path, data: bytes, max_pixels: int = 10**6):
    (tmp_path / "x.jp2").write_bytes(data)
    return decode(tmp_path / "x.jp2", max_pixels)


@pytest.mark.parametrize(
    ("inner", "bands", "colours", "band", "premultiplied"),
    [
        (SRGB, 3, RGB, None, False),
        (SRGB + alpha(3), 4, RGB, 3, False),
        (SRGB + alpha(3, 2), 4, RGB, 3, True),
        (SRGB, 4, RGB, None, False),
        (GREY + alpha(1), 2, (0,), 1, False),
        (b"", 3, RGB, None, False),
        (b"", 8, None, None, False),
    ],
)
def test_the_header_says_what_the_components_are(stand_in, tmp_path, inner, bands, colours, band, premultiplied):
    stand_in.values = np.arange(7 * 5 * bands, dtype=np.uint16).reshape(5, 7, bands)
    raster = decoded(tmp_path, jp2(inner, component(12) * bands))
    assert np.array_equal(raster.values, stand_in.values)
    assert (raster.colours, raster.alpha, raster.premultiplied) == (colours, band, premultiplied)
    assert (raster.stated, raster.stated_by) == (((0, 4095),), "its bit depth")


def test_a_codestream_without_boxes_is_read(stand_in, tmp_path):
    stand_in.values = np.zeros((5, 7, 3), np.uint16)
    raster = decoded(tmp_path, siz(7, 5, component(16) * 3))
    assert (raster.colours, raster.stated) == (RGB, ())


def test_a_profile_is_kept(stand_in, tmp_path):
    stand_in.values = np.zeros((5, 7, 3), np.uint16)
    raster = decoded(tmp_path, jp2(box(b"colr", b"\2\0\0profile"), component(16) * 3))
    assert (raster.colours, raster.profile) == (RGB, b"profile")


@pytest.mark.parametrize(
    ("inner", "components"),
    [(SRGB, component(8) * 3), (SYCC, component(8) + component(8, 2) * 2), (SRGB + box(b"pclr", b""), component(8))],
)
def test_pictures_of_8_bits_are_left_to_pillow(tmp_path, inner, components):
    assert decoded(tmp_path, jp2(inner, components)) is None


@pytest.mark.parametrize(
    ("inner", "components"),
    [
        (SRGB, component(12) * 2 + component(8)),
        (SRGB, component(12, signed=True) * 3),
        (SRGB, component(20) * 3),
        (SYCC, component(12) * 3),
        (SRGB, component(12) + component(12, 2) * 2),
        (SRGB + box(b"pclr", b""), component(12)),
        (SRGB + alpha(0), component(12) * 4),
    ],
)
def test_deep_colours_in_other_forms_are_refused(stand_in, tmp_path, inner, components):
    with pytest.raises(InputError, match="bits a colour are stored in a form that segcli does not read"):
        decoded(tmp_path, jp2(inner, components))


def test_deep_colours_without_the_package_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(InputError, match=r'12-bit JPEG 2000 file, .*extra "micro": pip install imagecodecs'):
        decoded(tmp_path, jp2(SRGB, component(12) * 3))


@pytest.mark.parametrize("data", [b"", START, siz(7, 5, b""), jp2(SRGB, b""), START + box(b"jp2c", b"\xff\x4f")])
def test_what_is_no_picture_is_left_to_pillow(tmp_path, data):
    assert decoded(tmp_path, data) is None


@pytest.mark.parametrize("size", [(4000, 3000, 3), (200, 200, 101)])
def test_too_many_pixels_or_values_are_refused_before_they_are_decoded(stand_in, tmp_path, size):
    width, height, bands = size
    with pytest.raises(InputError, match="more than the limit"):
        decoded(tmp_path, jp2(b"", component(16) * bands, width, height))


def test_pixels_of_another_size_than_the_header_says_are_refused(stand_in, tmp_path):
    stand_in.values = np.zeros((4, 7, 3), np.uint16)
    with pytest.raises(InputError, match="do not make a picture of 7 x 5"):
        decoded(tmp_path, jp2(SRGB, component(16) * 3))


def test_grey_is_read_by_pillow(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (40, 50), np.uint16)
    data = io.BytesIO()
    Image.fromarray(values).save(data, "JPEG2000", irreversible=False)
    raster = decoded(tmp_path, data.getvalue())
    assert (raster.values.dtype, raster.colours, raster.stated) == (np.uint16, (0,), ())
    assert np.array_equal(raster.values[..., 0], values)


class TestWithImagecodecs:
    @pytest.fixture
    def encode(self):
        encode = extra("imagecodecs").jpeg2k_encode
        return lambda values, bits: encode(values, level=0, codecformat="jp2", bitspersample=bits, reversible=True)

    @pytest.mark.parametrize("bits", [9, 12, 16])
    @pytest.mark.parametrize("bands", [1, 3, 4, 6])
    def test_every_bit_is_kept(self, encode, tmp_path, bands, bits):
        values = np.random.default_rng(0).integers(0, 2**bits, (40, 50, bands), np.uint16)
        raster = decoded(tmp_path, encode(values if bands > 1 else values[..., 0], bits))
        assert np.array_equal(raster.values, values)

    def test_a_file_cut_short_is_refused(self, encode, tmp_path):
        data = encode(np.random.default_rng(0).integers(0, 4096, (40, 50, 3), np.uint16), 12)
        with pytest.raises(InputError, match="cannot be decoded as JPEG 2000"):
            decoded(tmp_path, data[: len(data) // 2])
