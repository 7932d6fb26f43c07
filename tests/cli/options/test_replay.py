"""`--from run.toml`: what stands there is held to the same rules as what is typed."""

import json
import tomllib
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("size = 20", "--size 20: not a size"),
        ("crf_size = 3", "--crf-size 3: not a size"),
        ("value_range = [5, 1]", "--range [5, 1]: not a range"),
        ("engine = 3", "--engine 3: not known"),
        ('save = ["mask"]', "--save"),
        ("crf_set = true", "--crf-set"),
        ("scales = [1.0]", "--scales [1.0]: not scales"),
    ],
)
def test_values_that_are_no_text_are_checked_too(segcli, photos, tmp_path, line, message):
    (tmp_path / "run.toml").write_text(f'inputs = ["{photos / "b.png"}"]\n[options]\n{line}\n')
    result = segcli("--from", "run.toml", "-o", "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_number_stands_for_its_text(segcli, photos, tmp_path):
    (tmp_path / "run.toml").write_text(f'inputs = ["{photos / "b.png"}"]\n[options]\nscales = 1.0\nsize = 65\n')
    assert segcli("--from", "run.toml", "-o", "out").exit_code == 0


def test_what_is_left_out_may_be_said_several_times_and_stays_left_out(segcli, photos, tmp_path):
    assert segcli("photos", "-o", "out", "--save", "mask", "--exclude", "b.png", "--exclude", "x,y").exit_code == 0
    assert not (tmp_path / "out/masks/b.png").exists()
    run = (tmp_path / "out/run.toml").read_text()
    assert tomllib.loads(run)["options"]["exclude"] == ["b.png", "x", "y"]
    for given in ('["b.png", 5]', '"b.png"'):
        (tmp_path / "run.toml").write_text(f'inputs = ["photos"]\n[options]\nexclude = {given}\n')
        result = segcli("--from", "run.toml", "-o", "again", "--dry-run", "--json")
        assert json.loads(result.stdout)["photos"] == len(list((tmp_path / "out/masks").rglob("*.png")))


def test_what_the_crf_wrote_is_no_run_of_predict(segcli, photos, tmp_path):
    (tmp_path / "run.toml").write_text(f'inputs = ["{photos / "b.png"}"]\n[prior]\nlabels = "rough"\n[options]\n')
    result = segcli("--from", "run.toml", "-o", "out")
    assert result.exit_code == 2
    assert "`segcli crf` wrote it" in result.stderr


def test_a_folder_is_no_run_file(segcli, photos):
    assert segcli(photos / "b.png", "-o", "out").exit_code == 0
    result = segcli("--from", "out", "-o", "again")
    assert result.exit_code == 2
    assert "holds no options of a run" in result.stderr


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_list_that_is_a_device_is_refused(segcli):
    result = segcli("--from-list", "/dev/zero")
    assert result.exit_code == 2
    assert "it is a device, not a file" in result.stderr


def test_a_list_names_the_photos_and_the_run_file_keeps_their_names(segcli, photos, tmp_path):
    (tmp_path / "wrong.txt").write_bytes(b"photos/b.png\r\nphotos/trip/a.jpg\n")
    assert segcli("--from-list", "wrong.txt", "-o", "out", "--save", "mask").exit_code == 0
    assert {path.name for path in (tmp_path / "out/masks").rglob("*.png")} == {"b.png", "a.png"}
    (tmp_path / "wrong.txt").write_text("photos/b.png\n")
    assert "0 segmented, 2 done before" in segcli("--from", "out/run.toml").stdout
    result = segcli("--from", "out/run.toml", "--from-list", "wrong.txt", "-o", "again")
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in (tmp_path / "again/masks").rglob("*.*")] == ["b.png"]


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (["photos", "--from-list", "wrong.txt"], "photos/b.png\n", "--from-list and INPUT both name photos"),
        (["--from-list", "wrong.txt"], "\n\n", "--from-list wrong.txt names no photo"),
        (["--from-list", "wrong.txt"], "photos/x.png\n", "photos/x.png is not there"),
        (["--from-list", "rong.txt"], "photos/b.png\n", "--from-list rong.txt: No such file"),
        (["--from-list", "photos"], "", "--from-list photos: Is a directory"),
        (["--from-list", "photos/b.png"], "", "--from-list photos/b.png holds a picture, not a list of paths"),
    ],
)
def test_a_list_that_cannot_be_followed_is_refused(segcli, photos, tmp_path, arguments, text, message):
    (tmp_path / "wrong.txt").write_text(text)
    result = segcli(*arguments, "-o", "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert message in " ".join(result.stderr.split())
