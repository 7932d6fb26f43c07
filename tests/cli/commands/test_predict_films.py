"""`segcli predict` on films as a user meets it."""

import json
import sys

import films
import pytest
from extras import extra
from small_runs import records, tree

extra("av")


@pytest.fixture
def clip(tmp_path):
    return films.write(tmp_path / "clip.mp4", films.cards(12))


def test_photos_and_films_share_a_folder(segcli, photos, clip, tmp_path):
    clip.rename(photos / "clip.mp4")
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 0, result.output
    assert "6 segmented" in result.stdout
    assert {"overlays/clip.mp4", "masks/clip.mkv", "areas/clip.csv", "masks/a.png"} <= tree(tmp_path / "out")
    assert records(tmp_path / "out")["clip"]["frames"] == 12
    assert "frames" not in records(tmp_path / "out")["a"]
    run = (tmp_path / "out/run.toml").read_text()
    assert "[film]" in run
    assert "6 done before" in segcli(photos, "-o", "out").stdout
    assert segcli(photos, "-o", "none", "--films", "none").exit_code == 0
    assert "clip" not in records(tmp_path / "none")
    assert "[film]" not in (tmp_path / "none/run.toml").read_text()


def test_a_film_that_breaks_off_ends_with_3_and_a_line(segcli, tmp_path):
    path = films.write(tmp_path / "clip.mp4", films.cards(48))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = segcli(path, "-o", "out", "--json")
    assert result.exit_code == 3
    assert "failed: clip.mp4: breaks off after" in result.stderr.replace(f"{tmp_path}/", "")
    (image,) = json.loads(result.stdout)["images"]
    assert (image["status"], image["frames"] > 5) == ("failed", True)
    assert len(films.times(tmp_path / "out/overlays/clip.mp4")) == image["frames"]


def test_a_moving_gif_is_a_film_when_asked(segcli, tmp_path):
    films.write_gif(tmp_path / "moving.gif", films.cards(4), [100] * 4)
    as_photo = segcli("moving.gif", "-o", "photo")
    assert as_photo.exit_code == 0
    assert "Only the first of its 4 frames is read; --films all reads it as a film." in as_photo.stderr
    assert "masks/moving.png" in tree(tmp_path / "photo")
    assert segcli("moving.gif", "-o", "film", "--films", "all", "--save", "frames").exit_code == 0
    assert {f"masks/moving/00000{number}.png" for number in range(4)} <= tree(tmp_path / "film")


def test_a_dry_run_foretells_films_beside_photos(segcli, photos, clip, tmp_path):
    clip.rename(photos / "clip.mp4")
    result = segcli(photos, "-o", "out", "--dry-run")
    assert "to do         5 photos" in result.stdout
    assert "films         1 film, 12 frames by their headers: 0:00:" in result.stdout
    half = json.loads(segcli(photos, "-o", "out", "--dry-run", "--stride", 2, "--json").stdout)
    counts = {key: half["films"][key] for key in ("films", "unreadable", "frames")}
    assert counts == {"films": 1, "unreadable": 0, "frames": 6}
    assert half["films"]["disk"] > 1000
    assert not (tmp_path / "out").exists()


def test_times_and_strides_are_options(segcli, clip, tmp_path):
    assert segcli(clip, "-o", "out", "--start", "0:00.1", "--end", "0.3", "--stride", 2).exit_code == 0
    assert records(tmp_path / "out")["clip"]["frames"] == 3
    assert segcli("--from", "out/run.toml", "-o", "again").exit_code == 0
    assert records(tmp_path / "again")["clip"]["frames"] == 3
    beyond = segcli(clip, "-o", "beyond", "--start", "7")
    assert beyond.exit_code == 1
    assert "no frame in the part that --start and --end name: it lasts 0.40 s" in beyond.stderr
    assert segcli(clip, "-o", "out", "--start", "soon").exit_code == 2
    assert segcli(clip, "-o", "out", "--start", "3", "--end", "2").exit_code == 2


def test_what_a_frame_is_refused_for_is_said_alone(segcli, clip):
    result = segcli(clip, "-o", "out", "--gsd", "20")
    assert result.exit_code == 1
    assert "nothing says how much ground a pixel of a film shows. Leave out --gsd." in result.stderr
    assert "player" not in result.stderr


def test_without_the_package_films_are_named_with_what_reads_them(segcli, photos, clip, monkeypatch, tmp_path):
    clip.rename(photos / "clip.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 3
    assert "not read: 1 film (pip install av)" in result.stdout
    named = segcli(photos / "clip.mp4", "-o", "named")
    assert named.exit_code == 1
    assert "pip install av" in named.stderr


def test_frames_are_asked_of_films_alone(segcli, photos):
    result = segcli(photos, "-o", "out", "--save", "frames")
    assert result.exit_code == 2
    assert "there is no film" in result.stderr
