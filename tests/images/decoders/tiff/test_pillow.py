import io
import sys

import numpy as np
import pytest
import tiffs
from extras import extra
from PIL import Image

from segcli.errors import InputError
from segcli.images.decoders.tiff.reader import decode

MOST = 10**6
RGB, GREY, PALETTE, CMYK, YCBCR = 2, 1, 3, 5, 6
CHANCE = np.random.default_rng(1)


def values(bands: int = 3, kind: str = "uint8") -> np.ndarray:
    return CHANCE.integers(0, 200, (40, 40, bands)).astype(kind)


def sparse(pixels: np.ndarray, photometric: int, **options) -> tiffs.Page:
    """A picture whose first tile of nine is left out."""
    one = tiffs.page(pixels, photometric, tile=(16, 16), **options)
    one.segments[0] = b""
    return one


class TestPartsThatAreLeftOut:
    @pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.LZW, tiffs.DEFLATE])
    @pytest.mark.parametrize(("bands", "photometric"), [(3, RGB), (1, GREY)])
    def test_are_0(self, tmp_path, bands, photometric, compression):
        pixels = values(bands)
        path = tiffs.write(tmp_path / "x", sparse(pixels, photometric, compression=compression))
        pixels[:16, :16] = 0
        assert np.array_equal(decode(path, MOST).values, pixels)

    def test_have_the_no_data_value(self, tmp_path):
        pixels = values()
        path = tiffs.write(tmp_path / "x", sparse(pixels, RGB, tags={42113: tiffs.text("9")}))
        pixels[:16, :16] = 9
        assert np.array_equal(decode(path, MOST).values, pixels)

    def test_of_indices_are_index_0(self, tmp_path):
        ramp = [256 * (255 - value) for value in range(256)]
        path = tiffs.write(tmp_path / "x", sparse(values(1), PALETTE, tags={320: (tiffs.SHORT, 3 * ramp)}))
        assert (decode(path, MOST).values[:16, :16] == 255).all()

    @pytest.mark.parametrize("big_endian", [False, True])
    def test_of_jpeg_of_luma_and_chroma_are_black(self, tmp_path, big_endian):
        image = Image.fromarray(np.repeat(np.repeat(values()[:2, :2], 16, 0), 16, 1))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=95)
        one = tiffs.page(np.zeros((32, 64, 3), np.uint8), YCBCR, tile=(32, 32), tags={259: (tiffs.SHORT, [7])})
        one.segments = [b"", buffer.getvalue()]
        order = ">" if big_endian else "<"
        found = decode(tiffs.write(tmp_path / "x", one, order=order, big=big_endian), MOST).values
        assert not found[:, :32].any()
        assert np.abs(found[:, 32:].astype(int) - np.asarray(Image.open(buffer))).max() <= 2

    def test_are_not_those_whose_writer_counts_no_bytes(self, tmp_path):
        one = tiffs.page(values(), RGB)
        one.extra = {279: (tiffs.LONG, [0])}
        assert decode(tiffs.write(tmp_path / "x.tif", one), MOST) is None
        assert np.array_equal(decode(tmp_path / "x.tif", MOST, plain=False).values, Image.open(tmp_path / "x.tif"))


class TestBigEndianBigTiffs:
    @pytest.mark.parametrize(("bands", "photometric"), [(3, RGB), (1, GREY), (4, CMYK)])
    def test_are_read(self, tmp_path, bands, photometric):
        pixels = values(bands)
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(pixels, photometric), order=">", big=True), MOST)
        shown = np.asarray(Image.fromarray(pixels, "CMYK").convert("RGB")) if bands == 4 else pixels
        assert np.array_equal(raster.values, shown)

    def test_of_other_colours_are_called_by_name(self, tmp_path):
        path = tiffs.write(tmp_path / "x", tiffs.page(values(), YCBCR), order=">", big=True)
        with pytest.raises(InputError, match="x is a TIFF of YCbCr colours that are stored") as caught:
            decode(path, MOST)
        assert caught.value.hint == "Save it as RGB."


class TestCompressions:
    @pytest.mark.parametrize(("tag", "codec"), [(34712, "jpeg2k"), (34887, "lerc"), (50001, "webp"), (50002, "jpegxl")])
    @pytest.mark.parametrize("bands", [1, 3])
    def test_that_pillow_does_not_know_take_a_package(self, tmp_path, monkeypatch, tag, codec, bands):
        one = tiffs.page(values(bands), RGB if bands == 3 else GREY, tags={259: (tiffs.SHORT, [tag])})
        monkeypatch.setitem(sys.modules, "imagecodecs", None)
        with pytest.raises(InputError, match=codec) as caught:
            decode(tiffs.write(tmp_path / "x", one), MOST)
        assert "pip install imagecodecs" in caught.value.hint

    def test_that_pillow_does_not_know_are_read_with_it(self, tmp_path):
        codecs = extra("imagecodecs")
        one = tiffs.page(values(), RGB, tags={259: (tiffs.SHORT, [34887])})
        one.segments = [codecs.lerc_encode(values())]
        pixels = codecs.lerc_decode(one.segments[0])
        assert np.array_equal(decode(tiffs.write(tmp_path / "x", one), MOST).values, pixels)

    @pytest.mark.parametrize("photometric", [RGB, YCBCR])
    @pytest.mark.parametrize(("tag", "name"), [(34933, "PNG"), (34934, "JPEG XR"), (34661, "JBIG"), (999, "ion 999")])
    def test_that_nothing_reads_are_called_by_name(self, tmp_path, tag, name, photometric):
        path = tiffs.write(tmp_path / "x", tiffs.page(values(), photometric, tags={259: (tiffs.SHORT, [tag])}))
        with pytest.raises(InputError, match="which segcli does not read") as caught:
            decode(path, MOST)
        assert name in caught.value.message or photometric == YCBCR
        assert "damaged" not in caught.value.hint


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_cmyk_is_the_same_in_8_and_16_bits(tmp_path, separate, order):
    inks = values(4)
    expected = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    deep = tiffs.page(inks.astype(np.uint16) * 257, CMYK, separate=separate, order=order)
    path = tiffs.write(tmp_path / "x.tif", deep, order=order)
    raster = decode(path, MOST)
    found = Image.open(path).convert("RGB") if raster is None else raster.values
    assert np.array_equal(found, expected)
    assert (raster is None) == (not separate)
