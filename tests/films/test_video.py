"""Videos: each frame once, upright, at its own time, wherever the reading begins; hostile ones end in one line."""

import json
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import films
import numpy as np
import pytest
from extras import extra
from films import CLOCKWISE, TICK, UNEVEN

from segcli.errors import InputError
from segcli.films import video
from segcli.films.frame import Mark
from segcli.films.options import FilmOptions
from segcli.films.video import Video

av = extra("av")
ALL = FilmOptions()
EXAMPLE = Path(__file__).parents[2] / "examples" / "drive.mp4"
QUARTERS = {"red": (200, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 200), "white": (230, 230, 230)}


def quarters(rgb):
    """The names of the colours top left, top right, bottom left, bottom right."""
    height, width = rgb.shape[:2]
    names, colours = list(QUARTERS), np.array(list(QUARTERS.values()))
    parts = [rgb[y : y + height // 4, x : x + width // 4] for y in (0, 3 * height // 4) for x in (0, 3 * width // 4)]
    middles = [np.median(part.reshape(-1, 3), 0) for part in parts]
    return [names[int(np.abs(colours - middle).sum(1).argmin())] for middle in middles]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return films.write(tmp_path_factory.mktemp("clips") / "clip.mp4", films.cards(48), UNEVEN, sound="aac")


def seen(path, options=ALL, after=None):
    return list(Video(path).frames(options, after))


def test_frames_come_at_the_films_own_uneven_times(clip):
    video = Video(clip)
    frames = list(video.frames(ALL))
    assert [Fraction(frame.mark.pts) * video.tick for frame in frames] == [ticks * TICK for ticks in UNEVEN]
    assert [frame.mark.number for frame in frames] == list(range(48))
    assert (video.size, video.broken, video.notes, video.has_sound) == ((48, 64), "", [], True)


def test_colours_are_those_that_were_filmed(clip):
    for frame, card in zip(seen(clip)[::20], films.cards(48)[::20], strict=True):
        assert np.abs(frame.draw().astype(int) - card).mean() < 3
        assert frame.draw().flags.writeable


@pytest.mark.parametrize(
    ("directions", "expected"),
    [
        ((1, 0, 0, 1), "red green blue white"),
        (CLOCKWISE, "blue red white green"),
        ((-1, 0, 0, -1), "white blue green red"),
        ((0, -1, 1, 0), "green white red blue"),
        ((-1, 0, 0, 1), "green red white blue"),
    ],
)
def test_a_turned_film_is_upright(directions, expected, tmp_path):
    path = films.write(tmp_path / "turned.mp4", [films.card(step=8)] * 2)
    films.turn(path, directions)
    video = Video(path)
    rgb = next(video.frames(ALL)).draw()
    assert rgb.shape[:2] == video.size == ((48, 64) if directions[0] else (64, 48))
    assert quarters(rgb) == expected.split()


def test_the_example_is_a_drive_of_three_and_a_half_seconds():
    frames = seen(EXAMPLE)
    assert [frame.seconds for frame in frames] == pytest.approx([number / 12 for number in range(42)])
    assert Video(EXAMPLE).size == (240, 320)
    assert np.abs(frames[0].draw().astype(int) - frames[-1].draw()).mean() > 20, "the camera moves"


@pytest.mark.shared
def test_a_phones_film_is_upright_and_at_its_times(shared_data):
    from PIL import Image

    folder = shared_data / "rasters"
    facts = json.loads((folder / "expected.json").read_text())["turned_vfr.mp4"]
    frames = seen(folder / "turned_vfr.mp4")
    assert [frame.seconds for frame in frames] == pytest.approx(facts["times"], abs=1e-9)
    picture = np.asarray(Image.open(folder / "expected.png").convert("RGB"))
    assert np.abs(frames[0].draw().astype(int) - picture).mean() < facts["lossy_mean"]


class TestAPart:
    def test_begins_at_the_first_frame_from_start_on_and_ends_before_end(self, clip):
        seconds = [frame.seconds for frame in seen(clip, FilmOptions(start=0.5, end=1.0))]
        assert seconds == pytest.approx([float(ticks * TICK) for ticks in UNEVEN if 0.5 <= ticks * TICK < 1])

    def test_with_a_stride_takes_every_so_manieth_from_its_first(self, clip):
        frames = seen(clip, FilmOptions(stride=5, start=0.5))
        within = [ticks for ticks in UNEVEN if ticks * TICK >= 0.5]
        assert [frame.mark.pts for frame in frames] == within[::5]
        assert [frame.mark.number for frame in frames] == list(range(0, len(within), 5))

    @pytest.mark.parametrize("options", [ALL, FilmOptions(stride=3, start=0.2, end=1.8)])
    @pytest.mark.parametrize("done", [0, 5, 11])
    def test_goes_on_after_any_frame_with_the_same_ones(self, clip, options, done):
        whole = seen(clip, options)
        rest = seen(clip, options, whole[done].mark)
        assert [frame.mark for frame in rest] == [frame.mark for frame in whole[done + 1 :]]
        assert all(np.array_equal(a.draw(), b.draw()) for a, b in zip(rest, whole[done + 1 :], strict=True))

    def test_goes_on_by_counting_where_times_cannot_be_relied_on(self, clip):
        whole = seen(clip)
        rest = seen(clip, after=Mark(20, whole[20].mark.pts, None))
        assert [frame.mark.number for frame in rest] == list(range(21, 48))

    def test_that_holds_no_frame_is_empty(self, clip):
        assert seen(clip, FilmOptions(start=50.0)) == []


class TestAFilmThatBreaksOff:
    @pytest.mark.parametrize("form", ["mp4", "matroska", "avi"])
    def test_gives_what_can_be_decoded_and_says_why_it_ends(self, form, tmp_path):
        path = films.write(tmp_path / "film", films.cards(60), tick=Fraction(1, 30), form=form)
        whole = seen(path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        video = Video(path)
        frames = list(video.frames(ALL))
        assert len(whole) == 60
        assert 10 < len(frames) < 50
        assert [frame.seconds for frame in frames] == [frame.seconds for frame in whole[: len(frames)]]
        assert video.broken

    def test_before_its_first_frame_is_an_error(self, clip, tmp_path):
        path = tmp_path / "cut.mp4"
        path.write_bytes(clip.read_bytes()[:200])
        with pytest.raises(InputError, match=r"cut\.mp4 cannot be read as a video"):
            Video(path)


def test_whoever_takes_the_frames_may_be_slow(clip, monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(video.time, "monotonic", lambda: now.seconds)
    film, seen = Video(clip), 0
    for _ in film.frames(FilmOptions()):
        now.seconds += 10 * video.PATIENCE  # the network's
        seen += 1
    assert (seen, film.broken) == (48, "")


def test_larger_frames_than_allowed_are_refused(clip):
    with pytest.raises(InputError, match="64"):
        Video(clip, max_pixels=64 * 48 - 1)


def test_sound_alone_is_no_film(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        films._add_sound(container, container.add_stream("aac", rate=16000), 0.5)
    with pytest.raises(InputError, match="no moving pictures"):
        Video(path)


def test_a_playlist_that_names_other_files_is_not_followed(tmp_path, clip):
    path = tmp_path / "list.mp4"
    path.write_text(f"ffconcat version 1.0\nfile {clip}\n")
    with pytest.raises(InputError):
        Video(path)


def test_the_package_is_named_where_it_is_missing(clip, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(InputError) as error:
        Video(clip)
    assert "pip install av" in error.value.hint


def test_damaged_bytes_never_raise_anything_else(clip, tmp_path):
    rng = np.random.default_rng(0)
    path, data = tmp_path / "damaged.mp4", clip.read_bytes()
    for _ in range(12):
        bad = np.frombuffer(data, np.uint8).copy()
        bad[rng.integers(0, len(bad), 30)] = rng.integers(0, 256, 30)
        path.write_bytes(bad.tobytes())
        with suppress(InputError):
            assert len(seen(path)) <= 60
