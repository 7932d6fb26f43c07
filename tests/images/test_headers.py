"""Sizes and depths told by headers alone, against Pillow, which decodes."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from segcli.images import headers
from segcli.images.opening import opened

PICTURE = Image.fromarray(np.arange(60 * 41 * 3, dtype=np.uint8).reshape(41, 60, 3))
EXIF = Image.Exif()
EXIF[0x010E] = "a" * 60_000
SAVED = {
    "plain.jpg": {},
    "progressive.jpg": {"progressive": True, "optimize": True},
    "long.jpg": {"exif": EXIF, "icc_profile": bytes(200_000), "comment": b"c" * 60_000},
    "plain.png": {},
    "long.png": {"icc_profile": bytes(9000)},
}


def by_pillow(path):
    """The pixels of a picture; None where it cannot be opened."""
    try:
        with opened(path) as (image, _):
            return image.width * image.height
    except Exception:
        return None


@pytest.mark.parametrize("name", SAVED)
def test_of_jpeg_and_png_the_pixels_are_told(tmp_path, name):
    PICTURE.save(tmp_path / name, **SAVED[name])
    assert headers.pixels(tmp_path / name) == 60 * 41
    assert headers.may_be_deep(tmp_path / name) is False


@pytest.mark.parametrize("name", ["a.webp", "a.bmp", "a.gif", "a.tif", "a.txt", "folder", "gone.jpg"])
def test_of_others_nothing_is_told(tmp_path, name):
    if name == "folder":
        (tmp_path / name).mkdir()
    elif name == "a.txt":
        (tmp_path / name).write_text("no picture")
    elif name != "gone.jpg":
        PICTURE.save(tmp_path / name)
    assert headers.pixels(tmp_path / name) is None


@pytest.mark.parametrize("name", ["plain.jpg", "plain.png"])
def test_of_damaged_ones_no_other_size_is_told_than_pillows(tmp_path, name):
    memory, dice, told = io.BytesIO(), random.Random(1), 0
    PICTURE.save(memory, "JPEG" if name.endswith("jpg") else "PNG")
    for _ in range(300):
        data, path = bytearray(memory.getvalue()[: dice.choice((None, 100, 300))]), tmp_path / name
        for _ in range(dice.randint(0, 2)):
            data[dice.randrange(4, min(700, len(data)))] = dice.choice(b"\0\1\xff\xc0\xc2\xc8\xd9\xda\xe1")
        path.write_bytes(data)
        pixels, theirs = headers.pixels(path), by_pillow(path)
        assert pixels is None or theirs is None or pixels == theirs
        told += pixels is not None
    assert told > 60
