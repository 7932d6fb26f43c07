"""Frames of animations: those that Pillow shows, whatever the order they are asked for in, each decoded once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageSequence
from PIL.GifImagePlugin import GifImageFile

from segcli.errors import InputError
from segcli.images.decoders import gif
from segcli.images.read import read_photo
from segcli.images.reading import PhotoReading


@pytest.fixture
def animation(tmp_path):
    """Twenty frames that each add, clear or restore a part of those before, some with transparent pixels."""
    random = np.random.default_rng(5)
    frames = []
    for index in range(20):
        picture = Image.fromarray(random.integers(0, 255, (24, 32), np.uint8), "P")
        picture.putpalette(random.integers(0, 255, 768, np.uint8).tobytes())
        picture.info["transparency"] = index
        frames.append(picture.crop((0, 0, 32 - index % 3, 24 - index % 5)).crop((0, 0, 32, 24)))
    path = tmp_path / "a.gif"
    disposal = [1 + index % 3 for index in range(20)]
    frames[0].save(path, save_all=True, append_images=frames[1:], disposal=disposal, optimize=False)
    return path


@pytest.fixture
def seeks(monkeypatch):
    """The frames that Pillow goes to, one after the other."""
    seen, seek = [], GifImageFile._seek

    def noted(image, frame, *more):
        seen.append(frame)
        return seek(image, frame, *more)

    monkeypatch.setattr(GifImageFile, "_seek", noted)
    return seen


def as_pillow_shows(path):
    with Image.open(path) as image:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]


def rgba(path, number):
    return np.asarray(gif.frame(path, number, 10**6).convert("RGBA"))


@pytest.mark.parametrize("order", [range(20), range(19, -1, -1), [3, 0, 1, 2, 7, 5, 4, 19, 6, 6, 18]])
def test_frames_are_those_of_pillow_in_any_order(animation, order):
    expected = as_pillow_shows(animation)
    assert len(expected) == 20
    for number in order:
        assert np.array_equal(rgba(animation, number), expected[number]), number


def test_many_threads_get_the_same_frames_and_each_is_decoded_once(animation, seeks):
    expected = as_pillow_shows(animation)
    seeks.clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: rgba(animation, number), range(20)))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert sorted(seeks) == list(range(20))


def test_each_page_takes_one_frame_more(animation, seeks):
    photos = [read_photo(animation, page=page).rgb for page in range(20)]
    assert photos[0].shape == (24, 32, 3)
    assert seeks == list(range(20))


def test_a_changed_file_is_read_anew(animation):
    gif.frame(animation, 3, 10**6)
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "lime")]
    frames[0].save(animation, save_all=True, append_images=frames[1:])
    assert rgba(animation, 1)[4, 4].tolist() == [0, 255, 0, 255]


def test_frames_before_the_damage_are_read(animation):
    expected, whole = as_pillow_shows(animation), animation.read_bytes()
    animation.write_bytes(whole[: len(whole) * 2 // 3])
    assert np.array_equal(rgba(animation, 5), expected[5])
    for _ in range(2):
        with pytest.raises(InputError, match="cannot be decoded as GIF"):
            read_photo(animation, page=19)
    assert np.array_equal(rgba(animation, 5), expected[5])


def test_a_frame_over_the_limit_is_refused(animation):
    with pytest.raises(InputError, match="limit"):
        read_photo(animation, PhotoReading(max_pixels=100), page=2)


def test_few_animations_stay_open(animation, tmp_path):
    for number in range(gif.OPEN + 3):
        copy = tmp_path / f"{number}.gif"
        copy.write_bytes(animation.read_bytes())
        gif.frame(copy, 2, 10**6)
    assert len(gif._animations) == gif.OPEN


def test_without_room_frames_that_were_passed_are_decoded_again(animation, monkeypatch):
    monkeypatch.setattr(gif, "PASSED", 0)
    expected = as_pillow_shows(animation)
    for number in (4, 2, 3):
        assert np.array_equal(rgba(animation, number), expected[number])
