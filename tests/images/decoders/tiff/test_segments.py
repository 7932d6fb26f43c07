import io
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
import tiffs
from extras import extra
from PIL import Image

from segcli.images.decoders.tiff.codecs import MissingCodecError
from segcli.images.decoders.tiff.directory import directories
from segcli.images.decoders.tiff.layout import layout_of
from segcli.images.decoders.tiff.segments import read_values

KINDS = "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64".split()
LAYOUTS = {"strip": {}, "strips": {"rows": 5}, "tiles": {"tile": (16, 32)}, "planes": {"rows": 4, "separate": True}}


def numbers(kind: str, bands: int = 3) -> np.ndarray:
    """Values (17, 37, bands) over the whole range of a type."""
    chance = np.random.default_rng(0)
    if kind.startswith("float"):
        return chance.normal(0, 1000, (17, 37, bands)).astype(kind)
    limits = np.iinfo(kind)
    return chance.integers(limits.min, limits.max, (17, 37, bands), kind, endpoint=True)


def read(path, empty: float = 0) -> np.ndarray:
    directory = next(directories(io.BytesIO(path.read_bytes())))
    return read_values(directory, layout_of(directory), empty)


def assert_same(path, values: np.ndarray) -> None:
    found = read(path)
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.DEFLATE, tiffs.LZW, tiffs.PACKBITS])
@pytest.mark.parametrize(("kind", "predictor"), [("uint8", 2), ("int16", 1), ("uint16", 2), ("float32", 3)])
def test_every_compression_in_every_layout(tmp_path, kind, predictor, compression, layout):
    values = numbers(kind)
    one = tiffs.page(values, compression=compression, predictor=predictor, **LAYOUTS[layout])
    assert_same(tiffs.write(tmp_path / "x", one), values)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("kind", "predictor"),
    [
        *((kind, predictor) for kind in KINDS for predictor in (1, 2)),
        *((kind, 3) for kind in KINDS if kind.startswith("float")),
    ],
)
def test_every_type_in_both_byte_orders(tmp_path, kind, predictor, order):
    values = numbers(kind, 2)
    one = tiffs.page(values, compression=tiffs.DEFLATE, predictor=predictor, order=order)
    assert_same(tiffs.write(tmp_path / "x", one, order=order, big=True), values)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"byteorder": ">"}, {"bigtiff": True}, {"predictor": 2}])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_files_of_tifffile(tmp_path, options, compression):
    if "predictor" in options and compression is None:
        compression = "adobe_deflate"
    values = numbers("uint16", 5)
    tifffile.imwrite(
        tmp_path / "x", values, compression=compression, photometric="minisblack", planarconfig="contig", **options
    )
    assert_same(tmp_path / "x", values)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "zstd", "lzma"])
def test_files_of_pillow(tmp_path, compression):
    values = numbers("uint8") // 40
    Image.fromarray(values).save(tmp_path / "x.tif", compression=compression)
    assert_same(tmp_path / "x.tif", values)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("bits", "kind"), [(1, "uint8"), (2, "uint8"), (4, "uint8"), (7, "uint8"), (12, "uint16")])
def test_packed_bits(tmp_path, bits, kind, layout):
    values = numbers(kind) % 2**bits
    assert_same(tiffs.write(tmp_path / "x", tiffs.page(values, bits=bits, **LAYOUTS[layout])), values)


def test_twelve_bits_by_hand(tmp_path):
    one = tiffs.page(np.zeros((2, 3, 1), np.uint16), bits=12)
    one.segments = [bytes.fromhex("abcdef 123000100203f0")]  # a row of three values ends with half a byte
    assert read(tiffs.write(tmp_path / "x", one))[..., 0].tolist() == [[0xABC, 0xDEF, 0x123], [0x001, 0x002, 0x03F]]


def test_more_packed_values_than_are_looked_at_together(tmp_path, monkeypatch):
    monkeypatch.setattr("segcli.images.decoders.tiff.segments._AT_ONCE", 8)
    values = numbers("uint16", 1) % 2**14
    assert_same(tiffs.write(tmp_path / "x", tiffs.page(values, bits=14)), values)


def test_floating_point_predictor_by_hand(tmp_path):
    # 1.0 and 2.0 are 3f800000 and 40000000: their bytes side by side 3f 40, 80 00, 00 00, 00 00, then differences.
    one = tiffs.page(np.zeros((1, 2, 1), np.float32), predictor=3)
    one.segments = [bytes([0x3F, 0x01, 0x40, 0x80, 0, 0, 0, 0])]
    assert read(tiffs.write(tmp_path / "x", one)).ravel().tolist() == [1.0, 2.0]


def test_bits_in_the_other_order(tmp_path):
    one = tiffs.page(np.zeros((1, 8, 1), np.uint8), bits=1, tags={266: (tiffs.SHORT, [2])})
    one.segments = [b"\x01"]
    assert read(tiffs.write(tmp_path / "x", one)).ravel().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("empty", "held"), [(0, 0), (7, 7), (-1, 0), (0.5, 0), (float("nan"), 0)])
def test_segments_that_are_left_out_have_the_empty_value(tmp_path, empty, held):
    one = tiffs.page(numbers("uint16"), tile=(16, 16))
    one.segments[4] = b""
    found = read(tiffs.write(tmp_path / "x", one), empty)
    assert (found[16:, 16:32] == held).all()
    assert np.array_equal(found[:16], numbers("uint16")[:16])


def test_lengths_that_are_missing(tmp_path):
    values = numbers("uint16")
    path = tiffs.write(tmp_path / "x", tiffs.page(values, rows=4))
    data = bytearray(path.read_bytes())
    place = data.index(b"\x17\x01\x04\x00")  # tag 279 of type LONG
    data[place : place + 2] = b"\xff\xff"
    path.write_bytes(data)
    assert_same(path, values)


def test_jpeg_of_four_bands_is_not_turned_into_colours(tmp_path):
    values = np.full((16, 16, 4), (200, 10, 120, 60), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values, "CMYK").save(buffer, "JPEG", quality=100)
    one = tiffs.page(values, photometric=2, extra=[0])
    one.tags[259] = (tiffs.SHORT, [7])
    one.segments = [buffer.getvalue()]
    # Pillow stores CMYK the wrong way round, as Photoshop does
    assert np.abs(255 - read(tiffs.write(tmp_path / "x", one)).astype(int) - values).max() <= 2


def test_jpeg_of_grey_and_alpha(tmp_path):
    image = Image.new("LA", (16, 16), (200, 60))
    image.save(tmp_path / "x.tif", compression="jpeg")
    assert np.abs(read(tmp_path / "x.tif").astype(int) - (200, 60)).max() <= 2


def test_a_bomb_is_decoded_to_the_announced_size_only(tmp_path):
    one = tiffs.page(np.zeros((8, 8, 1), np.uint8), compression=tiffs.DEFLATE)
    one.segments = [zlib.compress(bytes(10**8))]
    path = tiffs.write(tmp_path / "x", one)
    tracemalloc.start()
    assert read(path).sum() == 0
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.DEFLATE, tiffs.LZW, tiffs.PACKBITS])
def test_segments_that_are_cut_short_are_refused(tmp_path, compression, which):
    one = tiffs.page(numbers("uint16"), compression=compression, rows=5)
    one.segments[which] = one.segments[which][:40]
    with pytest.raises((ValueError, OSError)):
        read(tiffs.write(tmp_path / "x", one))


@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.DEFLATE, tiffs.LZW, tiffs.PACKBITS])
def test_what_follows_the_values_of_a_segment_does_not_matter(tmp_path, compression):
    one = tiffs.page(numbers("uint16"), compression=compression, rows=5)
    one.segments = [segment + bytes(300) for segment in one.segments]
    assert_same(tiffs.write(tmp_path / "x", one), numbers("uint16"))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({259: (tiffs.SHORT, [9999])}, "compression 9999"),
        ({317: (tiffs.SHORT, [4])}, "predictor 4 with uint16"),
        ({317: (tiffs.SHORT, [3])}, "predictor 3 with uint16"),
    ],
)
def test_what_is_unknown_is_refused(tmp_path, tags, reason):
    with pytest.raises(ValueError, match=reason):
        read(tiffs.write(tmp_path / "x", tiffs.page(numbers("uint16"), tags=tags)))


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({273: (tiffs.LONG, [8] * 3)}, "lists only 3 of the 4"),
        ({279: (tiffs.LONG, [8] * 3)}, "lists only 3 of the 4"),
        ({273: (tiffs.LONG, [2**32 - 1] * 4)}, "not in the file"),
    ],
)
def test_segments_that_do_not_fit_are_refused(tmp_path, extra, reason):
    one = tiffs.page(numbers("uint16"), rows=5)
    one.extra = extra
    with pytest.raises(ValueError, match=reason):
        read(tiffs.write(tmp_path / "x", one))


@pytest.mark.parametrize("compression", [34712, 34887, 50001, 50002])
def test_compressions_of_imagecodecs_say_that_it_is_missing(tmp_path, monkeypatch, compression):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    one = tiffs.page(numbers("uint8"), tags={259: (tiffs.SHORT, [compression])})
    with pytest.raises(MissingCodecError):
        read(tiffs.write(tmp_path / "x", one))


@pytest.mark.parametrize("codec", ["jpeg2k", "jpegxl", "webp", "lerc"])
def test_compressions_of_imagecodecs_decode_no_more_than_is_announced(tmp_path, codec):
    codecs = extra("imagecodecs")
    tag = {"jpeg2k": 34712, "jpegxl": 50002, "webp": 50001, "lerc": 34887}[codec]
    for shape in ((32, 16, 3), (400, 400, 3), (16, 16, 4)):
        one = tiffs.page(np.zeros((16, 16, 3), np.uint8), tags={259: (tiffs.SHORT, [tag])})
        one.segments = [getattr(codecs, f"{codec}_encode")(np.zeros(shape, np.uint8))]
        with pytest.raises((ValueError, RuntimeError)):
            read(tiffs.write(tmp_path / "x", one))


@pytest.mark.parametrize(("compression", "kind"), [("lerc", "float32"), ("jpegxl", "uint16"), ("jpeg2000", "uint16")])
def test_compressions_of_imagecodecs(tmp_path, compression, kind):
    extra("imagecodecs")
    values = numbers(kind)
    level = {"jpegxl": {"lossless": True}}.get(compression, {})
    tifffile.imwrite(tmp_path / "x", values, compression=compression, compressionargs=level, photometric="rgb")
    assert_same(tmp_path / "x", values)


def test_segments_of_webp_without_alpha_are_opaque(tmp_path):
    codecs = extra("imagecodecs")
    values = np.full((16, 16, 4), (10, 20, 30, 255), np.uint8)
    one = tiffs.page(values, photometric=2, extra=[2], tags={259: (tiffs.SHORT, [50001])})
    one.segments = [codecs.webp_encode(values[..., :3].copy(), lossless=True)]
    assert_same(tiffs.write(tmp_path / "x", one), values)
