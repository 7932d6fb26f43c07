import numpy as np
import pytest
from PIL import Image
from small_runs import smooth

from segcli.images.strips.resizing import CHUNK, Resizing

PHOTO = (400, 90)
RGB = np.array(smooth(1, PHOTO[1], PHOTO[0]))


def resized(resizing: Resizing, start: int, band: int = 128) -> np.ndarray:
    first = start // band * band
    return np.concatenate([resizing.add(top, RGB[top : top + band]) for top in range(first, PHOTO[0], band)])


@pytest.mark.parametrize("size", [(133, 31), (611, 140), PHOTO])
def test_rows_are_those_of_the_whole_but_for_rounding(size):
    expected = np.asarray(Image.fromarray(RGB).resize(size[::-1], Image.Resampling.BILINEAR)).astype(int)
    made = resized(Resizing(PHOTO, size), 0)
    assert made.shape == (*size, 3)
    assert np.abs(made - expected).max() <= 1
    assert np.mean(made != expected) < 0.002


@pytest.mark.parametrize("size", [(133, 31), (611, 140), PHOTO])
def test_whoever_begins_later_or_reads_otherwise_gets_the_same_rows(size):
    whole = resized(Resizing(PHOTO, size), 0)
    for row in (1, 70, size[0] - 1):
        resizing = Resizing(PHOTO, size)
        start = resizing.begin(row)
        assert row - CHUNK < resizing.done <= row
        assert np.array_equal(resized(resizing, start, 17), whole[len(whole) - (size[0] - _begun(row, size)) :])


def _begun(row: int, size: tuple[int, int]) -> int:
    return row if size == PHOTO else row // CHUNK * CHUNK
