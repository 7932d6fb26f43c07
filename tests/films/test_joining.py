"""Pieces become one film: its own times, each frame once, the sound's packets unchanged, ids exact."""

from fractions import Fraction

import films
import numpy as np
import pytest
from extras import extra
from films import TICK, UNEVEN, cards

from segcli.films.encoding import OVERLAY, of_labels, piece
from segcli.films.joining import Joined, write_mkv, write_mp4
from segcli.films.options import FilmOptions

av = extra("av")


def pieces(folder, encoding, pictures, sizes):
    paths, start = [], 0
    for number, size in enumerate(sizes):
        paths.append(folder / f"{number}.mkv")
        with piece(paths[-1], encoding) as made:
            for picture in pictures[start : start + size]:
                made.add(picture)
        start += size
    return paths


@pytest.fixture
def source(tmp_path):
    return films.write(tmp_path / "source.mp4", cards(48), UNEVEN, sound="aac")


def test_times_frames_and_sound_are_the_films_own(source, tmp_path):
    joined = Joined(pieces(tmp_path, OVERLAY, cards(48), (20, 20, 8)), UNEVEN, TICK, 320)
    assert write_mp4(tmp_path / "out.mp4", joined, source, FilmOptions()) == []
    assert films.times(tmp_path / "out.mp4") == films.times(source) == [ticks * TICK for ticks in UNEVEN]
    assert films.sounds(tmp_path / "out.mp4") == films.sounds(source)
    assert len(films.sounds(source)) > 20
    for after, before in zip(films.pixels(tmp_path / "out.mp4"), cards(48), strict=True):
        assert np.abs(after.astype(int) - before).mean() < 4
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "it plays while it loads"
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_a_part_begins_at_time_0_with_its_own_sound(source, tmp_path):
    times = [ticks for ticks in UNEVEN if 0.5 <= ticks * TICK < 1.5]
    paths = pieces(tmp_path, OVERLAY, cards(len(times)), (len(times),))
    joined = Joined(paths, [ticks - round(0.5 / TICK) for ticks in times], TICK, 320)
    write_mp4(tmp_path / "out.mp4", joined, source, FilmOptions(start=0.5, end=1.5))
    assert films.times(tmp_path / "out.mp4") == [ticks * TICK - Fraction(1, 2) for ticks in times]
    copied, own = films.sounds(tmp_path / "out.mp4"), dict(films.sounds(source))
    assert [data for _, data in copied] == [data for seconds, data in own.items() if 0.5 <= seconds < 1.5]


def test_sound_that_mp4_cannot_hold_is_encoded_anew(tmp_path):
    source = films.write(tmp_path / "source.mkv", cards(30), sound="wavpack", form="matroska")
    joined = Joined(pieces(tmp_path, OVERLAY, cards(30), (30,)), [round(n / 30 / TICK) for n in range(30)], TICK, 640)
    notes = write_mp4(tmp_path / "out.mp4", joined, source, FilmOptions())
    assert "AAC" in notes[0]
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "aac"
        seconds = sum(frame.samples for frame in container.decode(stream)) / 16000
    assert seconds == pytest.approx(29 / 30, abs=0.15)


@pytest.mark.parametrize(("classes", "dtype", "form"), [(256, np.uint16, "gray16le"), (255, np.uint8, "gray")])
def test_every_id_comes_back_from_a_label_film(classes, dtype, form, tmp_path):
    rng = np.random.default_rng(0)
    maps = [rng.integers(0, np.iinfo(dtype).max, (31, 43), dtype, endpoint=True) for _ in range(7)]
    maps[0].flat[:256] = np.arange(256)
    joined = Joined(pieces(tmp_path, of_labels(classes), maps, (4, 3)), UNEVEN[:7], TICK, 320, {"SEGCLI_MODEL": "m"})
    write_mkv(tmp_path / "labels.mkv", joined)
    back = films.pixels(tmp_path / "labels.mkv", form)
    assert all(np.array_equal(after, before) for after, before in zip(back, maps, strict=True))
    assert films.times(tmp_path / "labels.mkv") == pytest.approx([float(t * TICK) for t in UNEVEN[:7]], abs=0.0006)
    with av.open(str(tmp_path / "labels.mkv")) as container:
        assert container.metadata["SEGCLI_MODEL"] == "m"


def test_odd_sides_are_made_even_by_a_row_and_a_column(tmp_path):
    (path,) = pieces(tmp_path, OVERLAY, [films.card(65, 49)], (1,))
    (rgb,) = films.pixels(path)
    assert rgb.shape == (50, 66, 3)
    assert np.abs(rgb[49, 65].astype(int) - (230, 230, 230)).max() < 12


def test_a_piece_that_fails_is_not_there(tmp_path):
    def fail():
        with piece(tmp_path / "p.mkv", OVERLAY) as made:
            made.add(films.card())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())
