"""A film's finished segments: kept whole, found again by the same run, and by no other."""

from pathlib import PurePosixPath

import numpy as np
import pytest

from segcli.files.sources import Source
from segcli.films.workshop import Segment, Workshop, remove

SOURCE = Source("clip.mp4", PurePosixPath("trip/clip"))


def open_shop(folder, key="key", kinds=("mask",)):
    return Workshop.of(folder, SOURCE, kinds, key)


def segment(first):
    return Segment((first, first + 1), (10 * first, 10 * first + 10), ({"cat": 3}, {}), raw=first, listed=(1, 2))


@pytest.fixture
def shop(tmp_path):
    shop = open_shop(tmp_path)
    for number in range(2):
        shop.picture("mask").write_bytes(b"pictures")
        shop.add(segment(2 * number), {"grey": np.full(3, number)})
    return shop


def test_what_is_done_is_found_again_with_the_last_state(shop, tmp_path):
    again = open_shop(tmp_path)
    assert again.segments == [segment(0), segment(2)]
    assert again.state()["grey"].tolist() == [1, 1, 1]
    assert [path.name for path in again.pictures("mask")] == ["00000.mask.mkv", "00001.mask.mkv"]
    assert shop.folder.name.startswith("."), "nobody takes it for results"


def test_other_settings_or_another_film_begin_anew(shop, tmp_path):
    assert open_shop(tmp_path, key="other").segments == []
    assert open_shop(tmp_path).segments == [], "the first key's are gone"


def test_a_segment_whose_pictures_or_facts_are_damaged_is_done_again(shop, tmp_path):
    shop.picture("mask", 1).unlink()
    assert open_shop(tmp_path).segments == []  # the state before it is gone
    shop.picture("mask", 1).write_bytes(b"pictures")
    assert len(open_shop(tmp_path).segments) == 2
    facts = shop.folder / "00001.json"
    for text in ("", "{", '{"numbers": [2], "times": [1, 2], "areas": [{}]}', '{"numbers": "x"}'):
        facts.write_text(text)
        assert len(open_shop(tmp_path).segments) < 2


def test_it_can_be_removed(shop, tmp_path):
    remove(tmp_path, SOURCE)
    assert not list(tmp_path.iterdir())
