"""A film through a model: its files, its record, and the same files when the run was stopped on the way."""

import csv
import shutil
from dataclasses import replace

import films
import numpy as np
import pytest
from extras import extra
from films import TICK, UNEVEN
from PIL import Image
from small_runs import tree

from segcli.errors import UsageError
from segcli.films import workshop
from segcli.films.options import FilmOptions
from segcli.pipeline import film as pipeline
from segcli.pipeline.job import PredictJob
from segcli.pipeline.model import load
from segcli.pipeline.predict_folder import predict_folder
from segcli.pipeline.reading import Reading
from segcli.pipeline.records import DONE, FAILED

extra("av")


@pytest.fixture(scope="module")
def model(checkpoint):
    return load(checkpoint, engine="torch")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return films.write(tmp_path_factory.mktemp("clips") / "clip.mp4", films.cards(48), UNEVEN, sound="aac")


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch):
    monkeypatch.setattr(workshop, "FRAMES", 10)
    monkeypatch.setattr(pipeline, "FRAMES", 10)


def work(model, path, output, **options):
    return predict_folder(path, output, model=model, **options)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class TestTheFiles:
    @pytest.fixture(scope="class")
    @staticmethod
    def done(model, clip, tmp_path_factory):
        output = tmp_path_factory.mktemp("film") / "out"
        run = work(model, clip, output, steady=False, save=("mask", "overlay", "frames"))
        (record,) = run
        return output, record, run.finish()

    def test_are_an_overlay_a_label_film_the_areas_and_each_frame(self, done):
        output, record, _ = done
        assert {name for name in tree(output) if not name.startswith("masks/clip/")} == {
            *("overlays/clip.mp4", "masks/clip.mkv", "areas/clip.csv"),
            *("areas.csv", "review.csv", "manifest.jsonl", "run.toml"),
        }
        assert (record.status, record.frames, record.width, record.height) == (DONE, 48, 64, 48)
        assert set(record.outputs) == {"overlay", "mask", "areas", "frames"}

    def test_have_the_films_times_and_sound(self, done, clip):
        output, _, _ = done
        assert films.times(output / "overlays/clip.mp4") == films.times(clip)
        assert films.sounds(output / "overlays/clip.mp4") == films.sounds(clip)

    def test_hold_the_labels_that_each_frame_has_as_a_photo(self, done, clip, model):
        output, record, _ = done
        maps = films.pixels(output / "masks/clip.mkv", "gray")
        video = pipeline_film(clip)
        for frame, label_map in zip(video, maps, strict=True):
            if frame.mark.number % 12 == 0:
                assert np.array_equal(label_map, model.predict(frame.draw()).labels)
            mask = Image.open(output / f"masks/clip/{frame.mark.number:06}.png")
            assert np.array_equal(np.asarray(mask), label_map)
        table = rows(output / "areas/clip.csv")
        names = model.labels.names
        for number in (0, 47):
            found = {row["class"]: int(row["pixels"]) for row in table if int(row["frame"]) == number}
            ids, counts = np.unique(maps[number], return_counts=True)
            assert found == {names[label]: count for label, count in zip(ids, counts, strict=True)}
        assert {row["frame"]: float(row["seconds"]) for row in table} == {
            str(number): pytest.approx(float(ticks * TICK), abs=1e-6) for number, ticks in enumerate(UNEVEN)
        }
        assert sum(record.areas.values()) == 48 * 48 * 64
        shares = [float(row["percent"]) for row in rows(output / "areas.csv")]
        assert sum(shares) == pytest.approx(100, abs=0.01)

    def test_are_known_to_be_done(self, done, model, clip):
        output, _, summary = done
        assert summary.exit_code == 0
        run = work(model, clip, output, steady=False, save=("mask", "overlay", "frames"))
        assert (list(run), run.finish().skipped) == ([], 1)
        assert len(work(model, clip, output, steady=True, save=("mask", "overlay", "frames")).begin()) == 1


def pipeline_film(path):
    from segcli.films.video import Video

    return Video(path).frames(FilmOptions())


class Stopped(Exception):  # noqa: N818 - it stands for Ctrl-C
    """Ends a run as Ctrl-C does."""


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return films.write(tmp_path_factory.mktemp("clips") / "short.mp4", films.cards(24), UNEVEN[:24], sound="aac")


@pytest.fixture(scope="module")
def left_alone(model, short, tmp_path_factory):
    output = tmp_path_factory.mktemp("film") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "FRAMES", 10)
        run = work(model, short, output)
        assert [record.status for record in run] == [DONE]
        run.finish()
    return output


def test_progress_is_told_in_frames_and_in_the_films_time(model, short, tmp_path):
    heard = []
    run = work(model, short, tmp_path / "out", stride=3, start=0.25, save=["mask"])
    run.watch = heard.append
    list(run)
    times = [float(ticks * TICK) for ticks in UNEVEN[:24] if ticks * TICK >= 0.25][::3]
    assert [(one.frames, one.seconds) for one in heard] == list(enumerate(times, 1))
    assert heard[0].count == pytest.approx(len(times), abs=1)
    shares = [one.share for one in heard]
    assert shares[0] == pytest.approx(0, abs=0.05)
    assert shares == sorted(shares)
    assert 0.7 < shares[-1] <= 1


@pytest.mark.parametrize("frames", [4, 16])
def test_a_stopped_run_goes_on_with_the_same_bytes(frames, model, short, left_alone, tmp_path):

    def stop(progress):
        if progress.frames >= frames:
            raise Stopped

    run = work(model, short, tmp_path / "out")
    run.watch = stop
    with pytest.raises(Stopped):
        list(run)
    (hidden,) = (tmp_path / "out").glob(".film-*")
    assert len(list(hidden.glob("0*.json"))) == frames // 10, "one segment is lost at most"
    seen = []
    again = work(model, short, tmp_path / "out")
    again.watch = lambda progress: seen.append(progress.frames)
    assert [record.status for record in again] == [DONE]
    again.finish()
    assert min(seen) >= frames // 10 * 10
    assert tree(tmp_path / "out") == tree(left_alone)
    for name in ("overlays/short.mp4", "masks/short.mkv", "areas/short.csv", "areas.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (left_alone / name).read_bytes(), name


def test_segments_are_kept_until_the_film_is_on_record(model, short, tmp_path, monkeypatch):
    """A run that is killed after all frames are done does none of them again."""
    run = work(model, short, tmp_path / "out", save=["mask"])
    monkeypatch.setattr(run.ledger, "append", _killed)
    with pytest.raises(Stopped):
        list(run)
    seen = []
    again = work(model, short, tmp_path / "out", save=["mask"])
    again.watch = lambda progress: seen.append(progress.frames)
    assert [record.status for record in again] == [DONE]
    assert seen == []


def _killed(*_):
    raise Stopped


def test_a_film_that_breaks_off_keeps_what_was_decoded(model, clip, tmp_path):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    run = work(model, cut, tmp_path / "out", save=["overlay"])
    (record,) = run
    summary = run.finish()
    assert (record.status, summary.exit_code) == (FAILED, 3)
    assert "breaks off after" in record.error
    kept = films.times(tmp_path / "out/overlays/cut.mp4")
    assert kept == films.times(clip)[: record.frames]
    assert 10 < record.frames < 48


def test_a_part_of_a_film_begins_at_0_and_its_table_tells_the_films_own_time(model, clip, tmp_path):
    options = {"stride": 4, "start": 0.5, "end": 1.5}
    (record,) = work(model, clip, tmp_path / "out", save=["overlay"], **options)
    within = [ticks for ticks in UNEVEN if 0.5 <= ticks * TICK < 1.5][::4]
    assert record.frames == len(within)
    seconds = {float(row["seconds"]) for row in rows(tmp_path / "out/areas/clip.csv")}
    assert sorted(seconds) == pytest.approx([float(ticks * TICK) for ticks in within], abs=1e-6)
    first = films.times(tmp_path / "out/overlays/clip.mp4")[0]
    assert first == within[0] * TICK - 0.5


def test_what_films_do_not_have_is_said(model, clip, tmp_path):
    (record,) = work(model, clip, tmp_path / "out", save=["mask", "cutout"], end=0.2)
    assert set(record.outputs) == {"mask", "areas"}
    assert any("but not cutout" in note for note in record.notes)


def test_nothing_that_films_have_is_refused_before_any_work(model, clip, tmp_path):
    with pytest.raises(UsageError, match="nothing that films have: frames, mask, overlay"):
        work(model, clip, tmp_path / "out", save=["cutout"])
    assert not (tmp_path / "out").exists()


def test_frames_that_are_some_way_apart_are_tried_in_8_bits(clip, tmp_path):
    Image.fromarray(films.card()).save(tmp_path / "photo.png")
    job = PredictJob(None, reading=Reading(films=FilmOptions(start=0.25)))
    seen = list(job.readable(job.reading.find([tmp_path / "photo.png", clip], None)))
    times = [float(ticks * TICK) for ticks in UNEVEN if ticks * TICK >= 0.25]
    assert [one.name.rpartition("/")[2] for one in seen] == [
        "photo",
        *(f"clip, {seconds:.2f} s" for seconds in times[::25]),
    ]
    assert {one.photo.rgb.shape for one in seen} == {(48, 64, 3)}


def test_settings_of_films_leave_photos_alone(model, clip, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(clip, folder)
    Image.fromarray(films.card()).save(folder / "photo.png")
    run = work(model, folder, tmp_path / "out", end=0.2)
    assert sorted(record.name for record in run) == ["clip", "photo"]
    run.finish()
    again = work(model, folder, tmp_path / "out", end=0.1)
    assert [source.path.name for source in again.begin()] == ["clip.mp4"]
    plain = replace(again.plan, films=None)
    assert plain.settings == again.plan.settings


def test_the_legend_lists_a_class_once_it_covers_a_hundredth_and_then_stays(model):
    made = object.__new__(pipeline._FilmWork)
    made.listed, made.run = [], type("Run", (), {"outputs": type("Outputs", (), {"labels": model.labels})})
    cat, dog, background = (model.labels.names.index(name) for name in ("cat", "dog", "background"))
    for areas in ({"background": 900, "cat": 9}, {"dog": 10}, {"cat": 500, "dog": 3}):
        made._list(areas, 1000)
    assert made.listed == [dog, cat]
    assert background not in made.listed
