import sys

import numpy as np
import pytest
from PIL import Image

from segcli.errors import InputError
from segcli.images.decoders.pnm import decode, upright_size
from segcli.images.ranges import scaled
from segcli.images.raster import RGB

GREY = np.random.default_rng(0).integers(0, 4096, (23, 37, 1), np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 4096, (23, 37, 3), np.uint16)


def decoded(tmp_path, data: bytes, max_pixels: int = 10**6):
    (tmp_path / "x.pnm").write_bytes(data)
    return decode(tmp_path / "x.pnm", max_pixels)


def binary(values: np.ndarray, maxval: int = 4095) -> bytes:
    kind = {1: "P5", 3: "P6"}[values.shape[2]]
    return f"{kind}\n# a comment\n37 23\n{maxval}\n".encode() + values.astype(">u2").tobytes()


def text(values: np.ndarray, maxval: int = 4095) -> bytes:
    kind = {1: "P2", 3: "P3"}[values.shape[2]]
    rows = "\n".join(" ".join(map(str, row.ravel())) + " # a row" for row in values)
    return f"{kind} 37 23 {maxval}\n{rows}".encode()


@pytest.mark.parametrize("write", [binary, text])
@pytest.mark.parametrize(("values", "colours"), [(GREY, (0,)), (COLOUR, RGB)])
def test_values_are_kept_as_they_are_stored(tmp_path, write, values, colours):
    raster = decoded(tmp_path, write(values))
    assert raster.values.dtype == np.uint16
    assert np.array_equal(raster.values, values)
    assert (raster.colours, raster.stated, raster.stated_by) == (colours, ((0, 4095),), "its maxval")


@pytest.mark.parametrize("maxval", [1023, 4095, 16383, 65535])
def test_grey_looks_as_pillow_scales_it(tmp_path, maxval):
    values = np.linspace(0, maxval, 37 * 23).astype(np.uint16).reshape(23, 37, 1)
    raster = decoded(tmp_path, binary(values, maxval))
    by_pillow = np.asarray(Image.open(tmp_path / "x.pnm"))
    ours = scaled(raster.values[..., 0], raster.stated[0] if raster.stated else (0, 65535))
    assert np.array_equal(ours, scaled(by_pillow, (0, 65535)))


def test_the_size_of_other_files_is_left_to_pillow(tmp_path):
    (tmp_path / "x.pnm").write_bytes(binary(GREY))
    assert upright_size(tmp_path / "x.pnm", 851) is None


def test_the_largest_maxval_states_nothing(tmp_path):
    assert decoded(tmp_path, binary(GREY, 65535)).stated == ()


@pytest.mark.parametrize("maxval", [1, 100, 255])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_pictures_of_8_bits_are_left_alone(tmp_path, kind, maxval):
    assert decoded(tmp_path, f"{kind} 1 1 {maxval}\n".encode() + b"1 1 1 ") is None
    assert decoded(tmp_path, b"P4 8 1\n\0") is None


@pytest.mark.parametrize(("order", "scale"), [("<", "-1.0"), (">", "2.5e0")])
@pytest.mark.parametrize(("kind", "bands"), [("Pf", 1), ("PF", 3)])
def test_floats_are_kept_and_turned_upright(tmp_path, kind, bands, order, scale):
    values = np.random.default_rng(2).normal(size=(23, 37, bands)).astype(np.float32)
    raster = decoded(tmp_path, f"{kind}\n37 23\n{scale}\n".encode() + values[::-1].astype(f"{order}f4").tobytes())
    assert raster.values.dtype == np.dtype(np.float32).newbyteorder(sys.byteorder)
    assert np.array_equal(raster.values, values)
    assert upright_size(tmp_path / "x.pnm", 851) == (23, 37)
    if bands == 1:
        assert np.array_equal(raster.values[..., 0], np.asarray(Image.open(tmp_path / "x.pnm")))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (binary(GREY)[:-1], "ends after 850 of its 851 values"),
        (text(COLOUR)[:9000], "ends after"),
        (b"P2 1 1 4095 123456", "no numbers of at most five digits"),
        (b"P2 1 1 4095 x", "no numbers"),
        (b"P2 1 1 4095 65536", "larger than 65535"),
        (b"P2 1 1 4095 " + b" " * 5000 + b"1", "ends after 0 of its 1 values"),
        (b"P5 1 1 99999 \0\0", "maxval"),
        (b"PF\n2 2\n-1\n\0\0\0\0", "ends after 1 of its 12 values"),
        (b"PF\n2 2\n--1\n\0\0\0\0", "cannot be decoded as PNM"),
        (b"P6 99999 99999 4095 ", "more than the limit"),
        (b"Pf\n9999999999 9999999999\n-1\n", "more than the limit"),
    ],
)
def test_damaged_and_too_large_files_are_refused(tmp_path, data, reason):
    with pytest.raises(InputError, match=reason):
        decoded(tmp_path, data)
