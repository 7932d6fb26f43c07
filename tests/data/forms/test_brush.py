"""The streams of `THEIRS` were made by brush.py of label-studio-sdk 2.1.2, the masks by its `decode_rle`."""

import base64

import numpy as np
import pytest

from segcli.data.forms import brush
from segcli.errors import DatasetError

BLOB = "AAAB+Dkb/kcAwn/4fAMN/+GwDDf/hsAw3/4bAMN/+GwDDf/h8Awn/5LAAA=="  # by mask2rle
SOFT = (  # by encode_rle, of pixels of one colour whose alpha has every value around the middle
    "AAAAYDkb+BrABQB2AAAawAUAdgMgGsAFAHYD+BrABQB2BAAawAUAdgZAGsAFAHYH+BrABQB2B/gawAUAdgf4GsAFAHYD+BrABQB2AAAawAUAdgAA"
    "GsAFAHYEABrABQB2BAgawAUAdgPwGsAFAHYEABrABQB2A/gawAUAdgf4GsAFAHYAABrABQB2AAAawAUAdgAAGsAFAHYAABrABQB2B/gawAUAdgf4"
    "GsAFAHYH+A=="
)
FULL = "AAHUwDkb//////qX/+A="  # by mask2rle, of 150 x 200 filled pixels: more than one length holds
ALPHA = [
    [0, 100, 127, 128, 200, 255],
    [255, 255, 127, 0, 0, 128],
    [129, 126, 128, 127, 255, 0],
    3 * [0] + 3 * [255],
]
THEIRS = {
    "blob": (BLOB, np.unpackbits(np.frombuffer(bytes.fromhex("00003e01fc07f01fc07f01fc03e00000"), np.uint8))[:126]),
    "soft": (SOFT, np.array(ALPHA).ravel() > 127),
    "full": (FULL, np.ones(150 * 200)),
}
SIZES = {"blob": (9, 14), "soft": (4, 6), "full": (150, 200)}


def whole(bitmap, origin, size):
    mask = np.zeros(size, bool)
    mask[origin[0] : origin[0] + bitmap.shape[0], origin[1] : origin[1] + bitmap.shape[1]] = bitmap
    return mask


def decoded(data, size):
    return whole(*brush.decode(data, *size), size)


def stream(values, sizes, runs):
    """A stream of runs of (how many values, whether one is repeated, which size), bit by bit as the form says."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    place = 0
    for count, repeated, kind in runs:
        bits += f"{int(repeated)}{kind:02b}{count - 1:0{sizes[kind]}b}"
        bits += "".join(f"{value:08b}" for value in values[place : place + (1 if repeated else count)])
        place += count
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


@pytest.mark.parametrize("name", THEIRS)
def test_masks_of_label_studios_own_encoder_are_decoded(name):
    text, expected = THEIRS[name]
    assert np.array_equal(decoded(base64.b64decode(text), SIZES[name]), expected.reshape(SIZES[name]).astype(bool))


@pytest.mark.parametrize("name", ["blob", "full"])
def test_masks_are_encoded_as_label_studio_encodes_them(name):
    text, expected = THEIRS[name]
    theirs, ours = base64.b64decode(text), brush.encode(expected.reshape(SIZES[name]).astype(bool))
    assert ours == theirs[: len(ours)]
    assert not any(theirs[len(ours) :])  # theirs may end with an empty byte


def test_only_what_is_filled_is_kept():
    mask = np.zeros((500, 400), bool)
    mask[300:310, 100:107] = True
    bitmap, origin = brush.decode(brush.encode(mask), 500, 400)
    assert (bitmap.shape, origin, bitmap.all()) == ((10, 7), (300, 100), True)
    assert brush.decode(brush.encode(np.zeros((5, 4), bool)), 5, 4)[0].size == 0


def test_runs_of_single_values_are_decoded_wherever_in_a_byte_they_begin():
    chance = np.random.default_rng(0)
    for _ in range(100):
        height, width = chance.integers(1, 12, 2)
        values, sizes = chance.integers(0, 256, (height * width * 4)), chance.integers(1, 9, 4)
        runs, place = [], 0
        while place < len(values):
            kind = chance.integers(4)
            count = int(min(len(values) - place, chance.integers(1, 2 ** sizes[kind] + 1)))
            repeated = bool(chance.integers(2))
            values[place : place + (count if repeated else 0)] = values[place]
            runs.append((count, repeated, kind))
            place += count
        expected = values.reshape(height, width, 4)[..., 3] > 127
        assert np.array_equal(decoded(stream(values, sizes, runs), (height, width)), expected)


def test_any_mask_comes_back():
    chance = np.random.default_rng(1)
    for density in (0, 0.01, 0.5, 0.99, 1):
        mask = chance.random((37, 53)) < density
        assert np.array_equal(decoded(brush.encode(mask), mask.shape), mask)


ZEROS = brush.encode(np.zeros((9, 14), bool))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (ZEROS[:7], "ends too early"),
        (base64.b64decode(BLOB)[:-4], "ends too early"),
        (brush.encode(np.zeros((14, 10), bool)), "has 140 pixels, but its photo has 126"),
        (b"\xff" * 40, "pixels, but its photo has 126"),
        (ZEROS[:4] + b"\xff" + ZEROS[5:], "has values of 32 bits, not 8"),
        (stream([0] * 504, (3, 4, 8, 16), [(505, True, 3)]), "longer than it says"),
    ],
)
def test_broken_streams_are_refused(data, message):
    with pytest.raises(DatasetError, match=message):
        brush.decode(data, 9, 14)
