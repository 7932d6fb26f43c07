"""Moving pictures: each frame as Pillow composes it, at the time that the file gives it."""

import films
import numpy as np
import pytest
from films import cards

from segcli.films.animation import Animation
from segcli.films.options import FilmOptions


@pytest.fixture(params=["gif", "webp"])
def moving(request, tmp_path):
    return films.write_gif(tmp_path / f"moving.{request.param}", cards(6), [100, 50, 200, 0, 30, 70])


def test_frames_and_times_are_the_files_own(moving):
    film = Animation(moving)
    frames = list(film.frames(FilmOptions()))
    assert film.size == (48, 64)
    assert [frame.seconds for frame in frames] == [0, 0.1, 0.15, 0.35, 0.45, 0.48], "no time is shown for a tenth"
    worst = 12 if moving.suffix == ".gif" else 0  # a GIF has a palette
    for frame, card in zip(frames, cards(6), strict=True):
        assert np.abs(frame.draw().astype(int) - card).max() <= worst


def test_a_part_with_a_stride_goes_on_where_it_stopped(moving):
    options = FilmOptions(stride=2, start=0.1, end=0.47)
    frames = list(Animation(moving).frames(options))
    assert [(frame.mark.number, frame.seconds) for frame in frames] == [(0, 0.1), (2, 0.35)]
    rest = list(Animation(moving).frames(options, frames[0].mark))
    assert [frame.mark for frame in rest] == [frames[1].mark]
    assert np.array_equal(rest[0].draw(), frames[1].draw())


def test_one_that_breaks_off_gives_what_it_has(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
    path = films.write_gif(tmp_path / "moving.gif", noise, [100] * 6)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    film = Animation(path)
    frames = list(film.frames(FilmOptions()))
    assert 1 <= len(frames) < 6
    assert film.broken
