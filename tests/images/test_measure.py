"""One range for the photos of a run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcli.images.measure import MOST, measured
from segcli.images.reading import PLAIN, PhotoReading

AUTO = PhotoReading("auto")


@pytest.fixture
def save(tmp_path):
    def saved(name: str, *values: int, dtype=np.uint16) -> tuple[Path, None]:
        Image.fromarray(np.array([values], dtype)).save(tmp_path / name)
        return tmp_path / name, None

    return saved


def test_is_that_of_all_photos_together(save):
    """A clear photo and a cloudy one: the same ground must stay the same grey."""
    photos = [save("clear.png", *range(1000, 1500)), save("cloud.tif", *range(5500, 6000))]
    found = measured(photos, AUTO)
    assert found.ranges["uint16"] == pytest.approx((1001, 5998), abs=1)
    assert "measured over 2 photos" in found.notes["uint16"]


def test_without_a_word_takes_the_bits_of_the_brightest(save):
    photos = [save("dark.png", 0, 900), save("bright.png", 0, 4000)]
    assert measured(photos, PLAIN).ranges == {"uint16": (0, 4095)}


def test_is_one_for_each_kind_of_values(save):
    photos = [save("a.png", 0, 4000), save("b.tif", 0, 1, dtype=np.float32), save("c.png", 0, 255, dtype=np.uint8)]
    assert measured(photos, PLAIN).ranges == {"float32": (0, 1), "uint16": (0, 4095)}


def test_of_ordinary_photos_is_nothing_and_reads_none(save, monkeypatch):
    monkeypatch.setattr("segcli.images.values.read_raster", None)
    assert measured([save("a.png", 1, 2, dtype=np.uint8), save("b.jpg", 1, 2, dtype=np.uint8)], AUTO).ranges == {}


def test_photos_that_state_their_range_keep_it(save, tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 1000 " + bytes([0, 0, 3, 232]))
    stated = (tmp_path / "a.pgm", None)
    assert measured([stated], PLAIN).ranges == {"uint16": (0, 1000)}
    both = [stated, save("b.png", 0, 60000)]
    assert measured(both, AUTO).ranges["uint16"] == pytest.approx((60, 59940))
    assert measured(both, AUTO, one_for_all=True).ranges["uint16"][0] == pytest.approx(0, abs=1)
    assert measured([stated, save("c.png", 0, 300)], PLAIN).ranges == {"uint16": (0, 1023)}


def test_passes_over_what_cannot_be_read(save, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(save("a.png", 0, 4000)[0].read_bytes()[:40])
    assert measured([(broken, None), (tmp_path / "gone.png", None), save("b.png", 0, 300)], PLAIN).ranges == {
        "uint16": (0, 1023)
    }


def test_of_very_many_looks_at_some(save, monkeypatch):
    from segcli.images import values

    looked_at = []
    monkeypatch.setattr(values, "read_raster", lambda path, *_: looked_at.append(path))
    measured([save("a.png", 0, 4000)] * 1000, AUTO)
    assert MOST // 2 < len(looked_at) <= MOST


def test_says_what_it_has_looked_at(save):
    found = measured([save("a.png", 7, 900), save("b.png", 80, 4000), save("c.png", 1, dtype=np.uint8)], PLAIN)
    assert (found.extremes, found.looked_at, found.ordinary) == ({"uint16": (7, 4000)}, {"uint16": 2}, 1)
