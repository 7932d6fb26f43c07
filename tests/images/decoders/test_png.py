import io

import numpy as np
import pytest
from deep_pictures import png
from PIL import Image, ImageCms

from segcli.errors import InputError
from segcli.images.decoders.png import decode
from segcli.images.raster import RGB

SBIT = {b"sBIT": bytes([12, 12, 12])}


def values(bands: int, most: int = 65536) -> np.ndarray:
    return np.random.default_rng(bands).integers(0, most, (23, 37, bands), np.uint16)


def decoded(tmp_path, data: bytes, max_pixels: int = 10**6):
    (tmp_path / "x.png").write_bytes(data)
    return decode(tmp_path / "x.png", max_pixels)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("bands", "colours", "alpha"), [(1, (0,), None), (2, (0,), 1), (3, RGB, None), (4, RGB, 3)])
def test_every_bit_is_kept(tmp_path, bands, colours, alpha, interlaced):
    raster = decoded(tmp_path, png(values(bands), interlaced=interlaced))
    assert raster.values.dtype == np.uint16
    assert np.array_equal(raster.values, values(bands))
    assert (raster.colours, raster.alpha, raster.stated) == (colours, alpha, ())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pictures_of_fewer_bits_are_left_alone(colours, tmp_path, mode):
    data = io.BytesIO()
    colours.convert(mode).save(data, "PNG")
    assert decoded(tmp_path, data.getvalue()) is None


@pytest.mark.parametrize("bands", [1, 3])
def test_a_transparent_colour_is_alpha(tmp_path, bands):
    stored = values(bands, 3)
    clear = stored[4, 5]
    raster = decoded(tmp_path, png(stored, {b"tRNS": clear.astype(">u2").tobytes()}))
    assert raster.alpha == bands
    assert np.array_equal(raster.values[..., -1] == 0, (stored == clear).all(axis=2))
    assert set(np.unique(raster.values[..., -1])) == {0, 65535}


class TestSignificantBits:
    """12 bits: PNG wants them scaled up to 16 by repeating the high bits; some writers store them as they are."""

    def test_state_the_range_of_values_that_are_not_scaled(self, tmp_path):
        raster = decoded(tmp_path, png(values(3, 4096), SBIT))
        assert (raster.stated, raster.stated_by) == (((0, 4095),), "its sBIT chunk")

    @pytest.mark.parametrize("most", [4096, 200])
    def test_state_nothing_of_values_that_are(self, tmp_path, most):
        stored = values(3, most)
        raster = decoded(tmp_path, png(stored << 4 | stored >> 8, SBIT))
        assert (raster.stated, raster.stated_by) == ((), "")


def test_profile_and_orientation_are_kept(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = io.BytesIO()
    Image.new("RGB", (2, 2)).save(plain, "PNG", icc_profile=profile, exif=exif)
    chunks = dict(chunk for chunk in _chunks(plain.getvalue()) if chunk[0] in (b"iCCP", b"eXIf"))
    raster = decoded(tmp_path, png(values(3), chunks))
    assert (raster.profile, raster.orientation, len(chunks)) == (profile, 6, 2)


def _chunks(data: bytes):
    place = 8
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        place += size + 12


def test_too_many_pixels_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"37 x 23\), more than the limit"):
        decoded(tmp_path, png(values(3)), 850)


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_a_file_cut_short_is_refused(tmp_path, bands):
    data = png(values(bands))
    with pytest.raises(InputError, match="cannot be decoded as PNG"):
        decoded(tmp_path, data[: len(data) // 2])
