import io
import math
import struct

import numpy as np
import pytest
import tifffile
import tiffs

from segcli.images.decoders.tiff.directory import directories
from segcli.images.decoders.tiff.layout import layout_of
from segcli.images.decoders.tiff.metadata import metadata_of, no_data, stated_range

VALUES = np.zeros((2, 3, 3), np.uint16)


def pages(path) -> list:
    return list(directories(io.BytesIO(path.read_bytes())))


def page(tmp_path, tags: dict, values: np.ndarray = VALUES, **options):
    return pages(tiffs.write(tmp_path / "x", tiffs.page(values, tags=tags, **options)))[0]


def stated(directory, first=None, number: int = 0):
    return stated_range(directory, first or directory, number, layout_of(directory), metadata_of(directory))


def test_names_and_wavelengths_of_bands(tmp_path):
    bands = {"DESCRIPTION": ["red\n edge", "", "x"], "CENTRAL_WAVELENGTH_UM": ["0.7", "", "1,6"]}
    metadata = metadata_of(page(tmp_path, tiffs.gdal(bands, AREA="1")))
    assert metadata.all("DESCRIPTION") == ("red edge", "", "x")
    assert metadata.all("OTHER") == ()
    assert metadata.of("AREA") == "1"
    assert metadata.wavelengths == (pytest.approx(700), None, pytest.approx(1600))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<GDALMetadata>",
        "no XML",
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><GDALMetadata><Item name="A">&a;</Item></GDALMetadata>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><GDALMetadata><Item name="A">b</Item></GDALMetadata>',
        "<a>" * 100_000,
        "<a>" * 100_000 + "</a>" * 100_000,
    ],
)
def test_metadata_that_are_no_safe_xml_are_left_out(tmp_path, xml):
    assert metadata_of(page(tmp_path, {42112: tiffs.text(xml)})).items == {}


def test_bands_that_are_none_are_the_files(tmp_path):
    xml = '<GDALMetadata><!-- said --><Item name="a" sample="1e9"><![CDATA[b]]></Item><Item/></GDALMetadata>'
    metadata = metadata_of(page(tmp_path, {42112: tiffs.text(xml)}))
    assert (metadata.of("A"), metadata.all("A")) == ("b", ())


@pytest.mark.parametrize(
    ("text", "value"), [("-9999", -9999), ("0", 0), (" -3.4e+38 ", -3.4e38), ("1,5", 1.5), ("inf", math.inf)]
)
def test_no_data(tmp_path, text, value):
    assert no_data(page(tmp_path, {42113: tiffs.text(text)})) == (value, ())


def test_no_data_that_is_no_number(tmp_path):
    assert no_data(page(tmp_path, {})) == (None, ())
    assert math.isnan(no_data(page(tmp_path, {42113: tiffs.text("NaN")}))[0])
    value, notes = no_data(page(tmp_path, {42113: tiffs.text("none\n of it")}))
    assert (value, notes) == (None, ("Its no-data value is not a number, and is not used: none of it.",))


class TestStatedRange:
    def test_of_ome(self, tmp_path):
        tifffile.imwrite(tmp_path / "x.ome.tif", VALUES[..., 0], metadata={"SignificantBits": 12})
        assert stated(pages(tmp_path / "x.ome.tif")[0]) == (((0, 4095),), "SignificantBits of its OME metadata")

    def test_of_imagej_by_channel(self, tmp_path):
        stack = np.zeros((2, 3, 4, 5), np.uint16)
        metadata = {"axes": "ZCYX", "Ranges": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), "Labels": ["a"] * 6}
        for order in "<>":
            tifffile.imwrite(tmp_path / "x.tif", stack, imagej=True, metadata=metadata, byteorder=order)
            first, *others = pages(tmp_path / "x.tif")
            assert stated(first) == (((1, 2),), "the display range of its ImageJ metadata")
            assert [stated(one, first, n)[0] for n, one in enumerate(others, 1)] == [
                *(((3, 4),), ((5, 6),), ((1, 2),), ((3, 4),), ((5, 6),))
            ]

    @pytest.mark.parametrize("bounds", [(2.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
    def test_of_imagej_that_is_none(self, tmp_path, bounds):
        data = b"IJIJ" + struct.pack("<4sI", b"gnar", 1) + struct.pack("<2d", *bounds)
        tags = {270: tiffs.text("ImageJ=1"), 50838: (tiffs.LONG, [12, 16]), 50839: (tiffs.BYTE, data)}
        assert stated(page(tmp_path, tags)) == ((), "")

    @pytest.mark.parametrize("sizes", [[2**31, 16], [12, 2**31], [5, 1], [12], []])
    def test_of_imagej_whose_lengths_are_wrong(self, tmp_path, sizes):
        data = b"IJIJ" + struct.pack("<4sI", b"gnar", 2**32 - 1) + struct.pack("<2d", 0, 1)
        tags = {270: tiffs.text("ImageJ=1"), 50838: (tiffs.LONG, sizes), 50839: (tiffs.BYTE, data)}
        assert stated(page(tmp_path, tags)) == ((), "")

    def test_of_gdal(self, tmp_path):
        assert stated(page(tmp_path, tiffs.gdal(NBITS="11"))) == (((0, 2047),), "NBITS of its GDAL metadata")

    def test_of_packed_bits(self, tmp_path):
        assert stated(page(tmp_path, {}, bits=14)) == (((0, 16383),), "its BitsPerSample tag")

    @pytest.mark.parametrize(
        ("least", "largest", "top"), [(0, 4095, 4095), (1, 4095, None), (0, 4000, None), (0, 65535, None)]
    )
    def test_of_the_largest_value(self, tmp_path, least, largest, top):
        found = stated(page(tmp_path, {280: (tiffs.SHORT, [least]), 281: (tiffs.SHORT, [largest])}))
        assert found == ((((0, top),), "its MaxSampleValue tag") if top else ((), ""))

    @pytest.mark.parametrize("bits", ["0", "16", "99", "-1", "", "twelve"])
    def test_that_says_nothing(self, tmp_path, bits):
        assert stated(page(tmp_path, tiffs.gdal(NBITS=bits))) == ((), "")

    def test_says_nothing_of_8_bits_and_of_real_numbers(self, tmp_path):
        for kind in (np.uint8, np.float32):
            assert stated(page(tmp_path, tiffs.gdal(NBITS="7"), VALUES.astype(kind))) == ((), "")
