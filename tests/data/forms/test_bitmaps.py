import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from segcli.data.forms import bitmaps
from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError


def packed(image, compress=True, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return base64.b64encode(zlib.compress(file.getvalue()) if compress else file.getvalue()).decode()


def from_runs(*runs, width=5):
    starts, ends = np.array(runs, np.int64).reshape(-1, 2).T
    return bitmaps.from_runs(starts, ends, width)


def test_runs_within_rows_are_cut_to_their_columns():
    bitmap, origin = from_runs((7, 9), (11, 12))
    assert origin == (1, 1)
    assert bitmap.tolist() == [[False, True, True], [True, False, False]]


def test_runs_over_several_rows_keep_all_columns():
    bitmap, origin = from_runs((8, 17))
    assert origin == (1, 0)
    assert bitmap.astype(int).tolist() == [[0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]


def test_runs_that_touch_or_are_empty_are_no_hindrance():
    bitmap, origin = from_runs((3, 3), (6, 8), (8, 9))
    assert (bitmap.tolist(), origin) == ([[True, True, True]], (1, 1))
    assert from_runs((3, 3))[0].size == from_runs()[0].size == 0


def test_counts_begin_with_what_is_empty():
    bitmap, origin = bitmaps.from_counts([0, 2, 3, 1], 2, 3)
    assert (bitmap.astype(int).tolist(), origin) == ([[1, 1, 0], [0, 0, 1]], (0, 0))


@pytest.mark.parametrize("counts", [[1, 2], [7], [8, -2], [10**30], []])
def test_counts_that_do_not_fill_the_box_are_refused(counts):
    with pytest.raises(DatasetError, match="not the 6 of its box"):
        bitmaps.from_counts(counts, 2, 3)


@pytest.mark.parametrize("size", [(0, 3), (-1, -3), (10**6, 10**6), (1, 10**30)])
def test_boxes_that_no_mask_has_are_refused(size):
    with pytest.raises(DatasetError, match="a mask states"):
        bitmaps.from_counts([size[0] * size[1]], *size)


GREY = np.array([[0, 1, 127], [128, 200, 255]], np.uint8)


def test_values_are_alpha_where_there_is_any():
    clear = np.dstack([255 - GREY] * 3 + [GREY])
    assert np.array_equal(bitmaps.values(Image.fromarray(clear, "RGBA")), GREY)
    assert np.array_equal(bitmaps.values(Image.fromarray(np.dstack([255 - GREY, GREY]), "LA")), GREY)
    assert np.array_equal(bitmaps.values(Image.fromarray(GREY)), GREY)
    assert np.array_equal(bitmaps.values(Image.fromarray(np.dstack([GREY, GREY // 2, 0 * GREY]), "RGB")), GREY)
    assert np.array_equal(bitmaps.values(Image.fromarray(GREY.astype(np.uint16) << 8)), GREY)
    assert bitmaps.values(Image.fromarray(np.array([[0, 1, 65535]], np.uint16))).tolist() == [[0, 1, 255]]
    assert np.array_equal(bitmaps.values(Image.fromarray(GREY > 127)), np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("compress", [True, False])
def test_pictures_are_unpacked_with_and_without_zlib(compress):
    assert np.array_equal(bitmaps.from_base64(packed(Image.fromarray(GREY), compress)), GREY)


def png(width, height):
    """A PNG that states a size and has hardly any data."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(b"")
    chunks = [
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, pixels)
    ]
    return bitmaps.SIGNATURE + b"".join(chunks)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xff", "unpacked"),
        (zlib.compress(b"no picture"), "is not a PNG"),
        (png(100_000, 100_000), "states 100000 x 100000 pixels"),
        (png(10, 10), "cannot be decoded"),
        (bitmaps.SIGNATURE, "cannot be decoded"),
    ],
)
def test_broken_pictures_are_refused(data, message):
    with pytest.raises(DatasetError, match=message):
        bitmaps.from_base64(base64.b64encode(data).decode())


@pytest.mark.parametrize("text", ["no base64 é", "QQ", "\0"])
def test_what_is_no_base64_is_refused(text):
    with pytest.raises(DatasetError, match="a mask cannot be unpacked"):
        bitmaps.from_base64(text)


def test_a_bomb_of_zlib_is_unpacked_within_bounds(monkeypatch):
    monkeypatch.setattr(bitmaps, "MOST_BYTES", 1000)
    bomb = zlib.compress(bitmaps.SIGNATURE + bytes(10**7))
    with pytest.raises(DatasetError, match="cannot be decoded"):
        bitmaps.from_base64(base64.b64encode(bomb).decode())


def test_all_masks_of_a_photo_are_bounded_together(monkeypatch):
    monkeypatch.setattr(bitmaps, "MOST_PIXELS", 10)
    mask = Shape("leaf", bitmap=np.ones((2, 3), bool))
    assert len(bitmaps.bounded([mask, Shape("leaf")])) == 2
    with pytest.raises(DatasetError, match="together"):
        bitmaps.bounded([mask, mask])


def test_tight_masks_begin_and_end_where_something_is():
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = mask[4, 1] = True
    part, origin = bitmaps.tight(mask)
    assert (part.astype(int).tolist(), origin) == ([[0, 0, 1], [0, 0, 0], [1, 0, 0]], (2, 1))
    assert bitmaps.tight(np.zeros((5, 6), bool))[0].size == 0
