"""A picture that is read in parts shows what the readers of whole pictures show, to the last pixel and remark."""

import numpy as np
import pytest
import tiffs
from small_runs import smooth

from segcli.images.read import read_photo
from segcli.images.reading import PLAIN, PhotoReading
from segcli.images.strips.photo import PhotoStrips
from segcli.images.strips.source import opened_strips
from segcli.images.strips.survey import surveyed

HEIGHT, WIDTH = 300, 170
NO_DATA, DEFLATE, LZW = 42113, 8, 5


def colours() -> np.ndarray:
    return np.array(smooth(5, WIDTH, HEIGHT))


def with_holes(values: np.ndarray, empty: int) -> np.ndarray:
    values = values.copy()
    values[20:200, 10:150] = values[::9, ::4] = empty
    return values


def deep() -> np.ndarray:
    return colours().astype(np.uint16) * 13 + 7


def with_alpha() -> np.ndarray:
    clear = np.repeat(np.where(np.arange(WIDTH) > 60, 255, 0)[None], HEIGHT, 0)
    return np.dstack([colours(), clear]).astype(np.uint8)


def said_empty(value: str) -> dict:
    return {NO_DATA: (tiffs.ASCII, value.encode() + b"\0")}


PAGES = {
    "tiles": lambda: tiffs.page(colours(), 2, DEFLATE, tile=(64, 48)),
    "low strips": lambda: tiffs.page(colours(), 2, LZW, 2, rows=7),
    "one strip": lambda: tiffs.page(colours(), 2),
    "one strip a band": lambda: tiffs.page(colours(), 2, separate=True),
    "holes": lambda: tiffs.page(with_holes(colours(), 0), 2, DEFLATE, tile=(32, 32), tags=said_empty("0")),
    "nothing but holes": lambda: tiffs.page(colours() * 0, 2, tile=(32, 32), tags=said_empty("0")),
    "16 bits": lambda: tiffs.page(deep(), 2, tile=(64, 64)),
    "16 bits with holes": lambda: tiffs.page(with_holes(deep(), 9000), 2, tile=(64, 64), tags=said_empty("9000")),
    "alpha": lambda: tiffs.page(with_alpha(), 2, tile=(64, 64), extra=[2]),
    "called alpha": lambda: tiffs.page(np.dstack([colours(), colours()[..., 0]]), 2, tile=(64, 64), extra=[2]),
    "real numbers": lambda: tiffs.page(np.where(deep() == 7, np.nan, deep()).astype(np.float32)[..., :1], rows=20),
    "indices of few bits": lambda: tiffs.page(colours()[..., :1] // 16, bits=4, rows=9),
}
READINGS = {"plain": PLAIN, "auto": PhotoReading("auto"), "over white": PhotoReading(alpha="over-white")}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("kind", PAGES)
def test_parts_are_the_whole(kind, reading, tmp_path):
    path, reading = tiffs.write(tmp_path / "x.tif", PAGES[kind]()), READINGS[reading]
    whole = read_photo(path, reading)
    with opened_strips(path, reading) as strips:
        survey = surveyed(strips, reading)
        parts = list(PhotoStrips(strips, survey).bands())
    assert len(parts) > 1
    assert np.array_equal(np.concatenate([rgb for _, rgb, _ in parts]), whole.rgb)
    valid = [np.ones(rgb.shape[:2], bool) if one is None else one for _, rgb, one in parts]
    assert np.array_equal(
        np.concatenate(valid), np.ones_like(whole.rgb[..., 0], bool) if whole.valid is None else whole.valid
    )
    assert survey.notes == whole.notes
    assert survey.void == (0 if whole.valid is None else np.count_nonzero(~whole.valid))


def test_rows_from_the_middle_on_are_those_of_the_whole(tmp_path):
    path = tiffs.write(tmp_path / "x.tif", PAGES["holes"]())
    whole = read_photo(path)
    with opened_strips(path, PLAIN) as strips:
        parts = list(PhotoStrips(strips, surveyed(strips, PLAIN)).bands(290))
    assert [top for top, _, _ in parts] == [256]
    assert np.array_equal(parts[0][1], whole.rgb[256:])
