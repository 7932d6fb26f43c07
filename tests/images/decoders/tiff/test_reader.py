import random
import re
import sys

import numpy as np
import pytest
import tifffile
import tiffs
from damage import DAMAGES, Outcome
from PIL import Image

from segcli.errors import InputError
from segcli.images.decoders.tiff.reader import decode, pictures, read_stored, upright_size

MOST = 10**6
CHANCE = np.random.default_rng(0)
RGB, GREY, WHITE_IS_0, PALETTE = 2, 1, 0, 3


def values(kind: str = "uint8", bands: int = 3) -> np.ndarray:
    return CHANCE.integers(0, 128, (9, 11, bands)).astype(kind)


def saved(path, image: Image.Image, **options):
    image.save(path, "TIFF", **options)
    return path


class TestOrdinaryPictures:
    @pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "CMYK", "YCbCr", "LAB"])
    @pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
    def test_are_left_to_pillow(self, tmp_path, mode, compression):
        image = Image.new("LAB", (11, 9)) if mode == "LAB" else Image.fromarray(values()).convert(mode)
        if mode == "YCbCr" and compression != "raw":
            compression = "jpeg"
        assert decode(saved(tmp_path / "x", image, compression=compression), MOST) is None

    @pytest.mark.parametrize("bits", [1, 2, 4])
    def test_of_few_bits_are_left_to_pillow(self, tmp_path, bits):
        one = tiffs.page(values(bands=1) % 2**bits, bits=bits)
        assert decode(tiffs.write(tmp_path / "x", one), MOST) is None

    @pytest.mark.parametrize("photometric", [WHITE_IS_0, GREY])
    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_come_as_pillow_shows_them_where_values_are_asked_for(self, tmp_path, bits, photometric):
        one = tiffs.page(values(bands=1) & (2**bits - 1), photometric, bits=bits)
        path = tiffs.write(tmp_path / "x.tif", one)
        raster = decode(path, MOST, plain=False)
        assert np.array_equal(raster.values[..., 0], np.asarray(Image.open(path).convert("L")))
        assert (raster.colours, raster.transparent) == ((0,), "mask")

    def test_of_colours_come_as_values_where_these_are_asked_for(self, tmp_path):
        rgb = values()
        for separate in (False, True):
            path = tiffs.write(tmp_path / "x.tif", tiffs.page(rgb, RGB, separate=separate))
            assert decode(path, MOST) is None
            assert np.array_equal(decode(path, MOST, plain=False).values, np.asarray(Image.open(path)))

    @pytest.mark.parametrize("compression", [2, 4, 6, 32771])
    def test_of_old_compressions_are_left_to_pillow(self, tmp_path, compression):
        one = tiffs.page(values(bands=1), tags={259: (tiffs.SHORT, [compression])})
        assert decode(tiffs.write(tmp_path / "x", one), MOST, plain=False) is None

    @pytest.mark.parametrize("tags", [{50706: (tiffs.LONG, [1])}, {254: (tiffs.LONG, [1]), 330: (tiffs.LONG, [8])}])
    def test_of_cameras_are_developed(self, tmp_path, monkeypatch, tags):
        monkeypatch.setattr("segcli.images.decoders.camera_raw.decode", lambda *_: "developed")
        path = tiffs.write(tmp_path / "x", tiffs.page(values("uint16"), RGB, tags=tags))
        assert decode(path, MOST) == "developed"


class TestValues:
    @pytest.mark.parametrize("kind", "int8 uint16 int16 uint32 int32 uint64 float16 float32 float64".split())
    @pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
    def test_of_every_type_and_number_of_bands(self, tmp_path, kind, bands):
        expected = values(kind, bands)
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(expected)), MOST)
        assert raster.kind == kind
        assert np.array_equal(raster.values, expected)

    @pytest.mark.parametrize("extra", [[0], [1], [2], None])
    def test_of_8_bits_with_a_further_band(self, tmp_path, extra):
        expected = values(bands=4)
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(expected, RGB, extra=extra)), MOST)
        assert np.array_equal(raster.values, expected)
        assert (raster.colours, raster.alpha) == ((0, 1, 2), None if extra == [0] else 3)

    def test_of_packed_bits_are_spread(self, tmp_path):
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(values() % 16, RGB, bits=4)), MOST)
        assert set(np.unique(raster.values)) <= set(range(0, 256, 17))
        deep = decode(tiffs.write(tmp_path / "x", tiffs.page(values("uint16"), RGB, bits=12)), MOST)
        assert (deep.kind, deep.stated) == ("uint16", ((0, 4095),))

    def test_whose_white_is_0(self, tmp_path):
        both = values(bands=2)
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(both, WHITE_IS_0, extra=[2])), MOST)
        assert np.array_equal(raster.values, np.stack([255 - both[..., 0], both[..., 1]], axis=2))  # alpha as it is
        deep = values("uint16", 1)
        path = tiffs.write(tmp_path / "x.tif", tiffs.page(deep, WHITE_IS_0))
        raster = decode(path, MOST)
        assert np.array_equal(raster.values[..., 0], np.asarray(Image.open(path)))  # Pillow does not invert these
        assert "0 is white" in raster.notes[0]

    def test_of_a_page(self, tmp_path):
        first, second = values("uint16"), values("uint16", 5)
        path = tiffs.write(tmp_path / "x", tiffs.page(first, RGB), tiffs.page(second))
        assert np.array_equal(decode(path, MOST).values, first)
        assert np.array_equal(decode(path, MOST, page=1).values, second)
        with pytest.raises(InputError, match="no page 3"):
            decode(path, MOST, page=2)

    def test_of_one_page_of_a_file_that_names_others(self, tmp_path):
        tifffile.imwrite(tmp_path / "x.ome.tif", values("uint16")[..., 0])
        said = tifffile.tiffcomment(tmp_path / "x.ome.tif")
        other = '<TiffData IFD="0" PlaneCount="1"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData>'
        elsewhere = re.sub("<TiffData.*?/(TiffData)?>", other, said)
        assert "other.tif" in elsewhere
        tifffile.tiffcomment(tmp_path / "x.ome.tif", elsewhere)
        assert decode(tmp_path / "x.ome.tif", MOST).values.shape == (9, 11, 1)


def test_what_the_file_says_is_kept(tmp_path):
    tags = {
        **tiffs.gdal({"DESCRIPTION": ["red", "green", "blue", "nir"]}),
        42113: tiffs.text("-9999"),
        34675: (tiffs.BYTE, b"a profile"),
        274: (tiffs.SHORT, [6]),
    }
    raster = decode(tiffs.write(tmp_path / "x", tiffs.page(values("int16", 4), tags=tags)), MOST)
    assert (raster.names, raster.nodata) == (("red", "green", "blue", "nir"), -9999)
    assert (raster.profile, raster.orientation, raster.notes) == (b"a profile", 6, ())


@pytest.mark.parametrize("turn", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(tmp_path, turn):
    one = tiffs.page(values("uint16"), tags={274: (tiffs.SHORT, [turn])})
    assert decode(tiffs.write(tmp_path / "x", one), MOST).orientation == 1


class TestNoData:
    def test_of_ordinary_pictures_makes_them_rasters(self, tmp_path):
        rgb = values()
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(rgb, RGB, tags={42113: tiffs.text("0")})), MOST)
        assert raster.nodata == 0
        assert np.array_equal(raster.values, rgb)

    def test_is_what_it_becomes(self, tmp_path):
        tags = {42113: tiffs.text("3")}
        one = tiffs.page(values(bands=1), WHITE_IS_0, tags=tags)
        assert decode(tiffs.write(tmp_path / "x", one), MOST).nodata == 252
        one = tiffs.page(values(bands=1) % 16, bits=4, tags=tags)
        assert decode(tiffs.write(tmp_path / "x", one), MOST).nodata == 51
        one = tiffs.page(values(bands=1) % 2, bits=1, tags=tags)
        assert decode(tiffs.write(tmp_path / "x", one), MOST).nodata is None

    def test_that_means_nothing_is_noted(self, tmp_path):
        one = tiffs.page(values(), RGB, tags={42113: tiffs.text("none")})
        assert "not a number" in decode(tiffs.write(tmp_path / "x", one), MOST).notes[0]

    def test_of_indices_is_an_index(self, tmp_path):
        indices = values(bands=1) % 4
        ramp = [0, 10, 20, 30] + [0] * 252
        colours = [256 * value for value in [*ramp, *ramp, *ramp]]
        tags = {320: (tiffs.SHORT, colours), 42113: tiffs.text("2"), 274: (tiffs.SHORT, [3])}
        raster = decode(tiffs.write(tmp_path / "x", tiffs.page(indices, PALETTE, tags=tags)), MOST)
        upright = indices[::-1, ::-1, 0]
        assert np.array_equal(raster.values, np.stack([10 * upright] * 3, axis=2))
        assert np.array_equal(raster.valid, upright != 2)
        assert (raster.nodata, raster.orientation) == (None, 1)


def test_a_mask_of_a_picture_that_pillow_decodes_is_turned_with_it(tmp_path):
    path = tmp_path / "x.tif"
    pixels = np.repeat(np.repeat(values(), 16, 0), 16, 1)
    Image.fromarray(pixels).convert("YCbCr").save(path, compression="jpeg", tiffinfo={274: 6})
    valid = CHANCE.integers(0, 2, pixels.shape[:2], np.uint8)
    tiffs.write(tmp_path / "x.tif.msk", tiffs.page(valid[..., None]))
    raster = decode(path, MOST)
    assert np.array_equal(raster.valid, np.rot90(valid, -1))
    assert np.array_equal(raster.values, np.asarray(Image.open(path).convert("RGB")))


class TestPages:
    def test_are_counted(self, tmp_path):
        kinds = [0, 1, 4, 0, 5]
        pages = [tiffs.page(values(), RGB, tags={254: (tiffs.LONG, [kind])}) for kind in kinds]
        path = tiffs.write(tmp_path / "x", *pages)
        assert pictures(path) == (0, 3)

    @pytest.mark.parametrize("turn", [1, 3, 6, 8])
    def test_have_a_size(self, tmp_path, turn):
        path = tiffs.write(tmp_path / "x", tiffs.page(values("float32"), tags={274: (tiffs.SHORT, [turn])}))
        assert upright_size(path, MOST) == ((11, 9) if turn in (6, 8) else (9, 11))
        with pytest.raises(InputError, match="more than the limit"):
            upright_size(path, 98)


class TestLimits:
    def test_of_pixels(self, tmp_path):
        path = tiffs.write(tmp_path / "x", tiffs.page(values("uint16")))
        assert decode(path, 99) is not None
        with pytest.raises(InputError, match=r"\(11 x 9\), more than the limit"):
            decode(path, 98)

    def test_of_bytes(self, tmp_path):
        path = tiffs.write(tmp_path / "x", tiffs.page(values("uint8", 17)))
        assert decode(path, 106) is not None
        with pytest.raises(InputError, match="17 bands of 11 x 9 uint8"):
            decode(path, 105)

    def test_are_looked_at_before_anything_is_read(self, tmp_path):
        tags = {277: (tiffs.SHORT, [65535]), 258: (tiffs.SHORT, [8]), 339: (tiffs.SHORT, [1])}
        with pytest.raises(InputError, match="65535 bands"):
            decode(tiffs.write(tmp_path / "x", tiffs.page(values(), tags=tags)), 99)


def test_stored_values_are_not_shown_otherwise(tmp_path):
    ids = values(bands=1) % 4
    path = tiffs.write(tmp_path / "x", tiffs.page(ids, WHITE_IS_0, bits=2))
    assert np.array_equal(read_stored(path, MOST), ids)


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    path = tiffs.write(tmp_path / "x", tiffs.page(values("uint16"), tags={259: (tiffs.SHORT, [34887])}))
    with pytest.raises(InputError, match=r"x is a TIFF \(lerc\) file, which needs an extra package") as caught:
        decode(path, MOST)
    assert "pip install imagecodecs" in caught.value.hint


def examples() -> dict[str, list[tiffs.Page]]:
    """Pictures of many kinds, whose tags are worth damaging."""
    mask = tiffs.page(values(bands=1) % 2, 4, compression=tiffs.DEFLATE, bits=1, tags={254: (tiffs.LONG, [4])})
    names = tiffs.gdal({"DESCRIPTION": ["B01", "B02", "B03", "B04", "B8A"]})
    indices = {320: (tiffs.SHORT, list(range(768))), 42113: tiffs.text("0")}
    return {
        "16 bits": [tiffs.page(values("uint16"), RGB, tiffs.LZW, 2, rows=4)],
        "real": [tiffs.page(values("float32"), GREY, tiffs.DEFLATE, 3, tile=(16, 16), tags={42113: tiffs.text("1")})],
        "packed": [tiffs.page(values("uint16", 2), GREY, tiffs.PACKBITS, bits=12)],
        "planes and mask": [tiffs.page(values(bands=5), GREY, tiffs.DEFLATE, separate=True, tags=names), mask],
        "indices": [tiffs.page(values(bands=1), PALETTE, tags=indices)],
        "alpha": [tiffs.page(values(bands=4), RGB, extra=[2])],
    }


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")
@pytest.mark.parametrize("name", examples())
def test_damaged_files_are_read_or_refused(tmp_path, name):
    whole = tiffs.write(tmp_path / "whole", *examples()[name]).read_bytes()
    chance, outcome = random.Random(name), Outcome()
    for _ in range(60):
        damage = chance.choice((*DAMAGES, *[tiffs.absurd_tag] * 4))
        (tmp_path / "x").write_bytes(damage(whole, chance))
        for read in (lambda path: decode(path, MOST, plain=False), lambda path: read_stored(path, MOST), pictures):
            outcome.add(read, tmp_path / "x")
    assert not outcome.crashes, outcome.crashes[0]
    assert outcome.counts["read"] > 10
    assert outcome.counts["refused"] > 10
