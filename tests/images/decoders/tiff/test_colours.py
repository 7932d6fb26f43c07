import numpy as np
import pytest
import tiffs
from PIL import Image

from segcli.errors import InputError
from segcli.images.decoders.tiff.reader import decode
from segcli.images.read import read_photo

MOST = 10**6
PALETTE, CMYK, CIELAB, ICCLAB = 3, 5, 8, 9
CHANCE = np.random.default_rng(2)
MAP = CHANCE.integers(0, 256, (256, 3))


def indices(kind: str = "uint8") -> np.ndarray:
    return CHANCE.integers(0, 256, (9, 11, 1)).astype(kind)


def colour_map(colours: np.ndarray) -> dict:
    return {320: (tiffs.SHORT, colours.T.ravel().tolist())}


class TestIndices:
    def test_with_a_map_of_8_bits(self, tmp_path):
        pixels = indices()
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(pixels, PALETTE, tags=colour_map(MAP))), MOST)
        assert np.array_equal(raster.values, MAP[pixels[..., 0]])
        assert raster.notes == ("Its colour map has values of 8 bits instead of 16, and is read so.",)

    def test_of_16_bits(self, tmp_path):
        colours = np.zeros((65536, 3), int)
        colours[1000:1256] = MAP * 257
        pixels = indices("uint16")
        one = tiffs.page(pixels + np.uint16(1000), PALETTE, tags={**colour_map(colours), 42113: tiffs.text("1003")})
        raster = decode(tiffs.write(tmp_path / "x", one), MOST)
        assert np.array_equal(raster.values, MAP[pixels[..., 0]])
        assert np.array_equal(raster.valid, pixels[..., 0] != 3)
        assert raster.notes == ()

    def test_whose_map_is_too_short(self, tmp_path):
        path = tiffs.write(tmp_path / "x", tiffs.page(indices(), PALETTE, tags=colour_map(MAP[:99])))
        with pytest.raises(InputError, match="297 of 768"):
            decode(path, MOST)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_the_alpha_of_cmyk_says_where_there_is_data(tmp_path, kind):
    inks = CHANCE.integers(0, 256, (20, 20, 4)).astype(np.uint8)
    alpha = np.full((20, 20, 1), 255, np.uint8)
    alpha[:5] = 0
    both = np.dstack([inks, alpha]).astype(kind) * (257 if kind == "uint16" else 1)
    one = tiffs.page(both, CMYK, extra=[2], tags={274: (tiffs.SHORT, [3])})
    photo = read_photo(tiffs.write(tmp_path / "x", one))
    shown = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))[::-1, ::-1]
    assert np.array_equal(photo.valid, alpha[::-1, ::-1, 0] > 0)
    assert np.array_equal(photo.rgb[:15], shown[:15])


class TestLab:
    # L*, a*, b* of sRGB's red, after CIE 15 with D50 as in ICC profiles: 54.3, 80.8, 69.9.
    def shown(self, path, stored: list[int], kind: str, photometric: int) -> list[int]:
        pixels = np.full((2, 2, 3), stored, kind)
        return decode(tiffs.write(path / "x", tiffs.page(pixels, photometric)), MOST).values[0, 0].tolist()

    def test_of_16_bits_has_signed_a_and_b(self, tmp_path):
        assert self.shown(tmp_path, [35586, 20685, 17894], "uint16", CIELAB) == pytest.approx([255, 0, 0], abs=12)

    def test_of_icc_has_a_and_b_about_128(self, tmp_path):
        assert self.shown(tmp_path, [138, 209, 198], "uint8", ICCLAB) == pytest.approx([255, 0, 0], abs=12)
        assert self.shown(tmp_path, [35445, 53453, 50662], "uint16", ICCLAB) == pytest.approx([255, 0, 0], abs=12)

    def test_of_real_numbers_is_called_by_name(self, tmp_path):
        with pytest.raises(InputError, match="x is a TIFF of Lab colours of float32, which segcli does not read"):
            self.shown(tmp_path, [50, 0, 0], "float32", CIELAB)


@pytest.mark.parametrize(
    ("photometric", "tags", "what"),
    [
        (10, {}, "ITU Lab"),
        (32845, {}, "LogLuv"),
        (77, {}, "kind 77"),
        (6, {530: (tiffs.SHORT, [2, 2])}, "YCbCr"),
        (5, {332: (tiffs.SHORT, [2])}, "inks other"),
    ],
)
def test_colours_that_are_not_read_are_called_by_name(tmp_path, photometric, tags, what):
    path = tiffs.write(tmp_path / "x", tiffs.page(np.zeros((4, 4, 4), np.uint8), photometric, extra=[0], tags=tags))
    with pytest.raises(InputError, match=f"TIFF of .*{what}.*, which segcli does not read") as caught:
        decode(path, MOST)
    assert caught.value.hint == "Save it as RGB."


def test_complex_numbers_are_called_by_name(tmp_path):
    one = tiffs.page(np.zeros((4, 4, 1), np.uint64), tags={339: (tiffs.SHORT, [6])})
    with pytest.raises(InputError, match="TIFF of complex numbers of 64 bits, which segcli does not read"):
        decode(tiffs.write(tmp_path / "x", one), MOST)
