"""`segcli data convert`: from a folder as a tool left it to photos, masks and names."""

import json

import numpy as np
import pytest
from dataset_files import write_mask, write_photo
from PIL import Image
from typer.testing import CliRunner

from segcli.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, ["data", "convert", *map(str, arguments)])


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Two photos with black-and-white masks beside them."""
    monkeypatch.chdir(tmp_path)
    for grey, name, values in ((50, "a", [[0, 255, 255]]), (90, "b", [[0, 0, 255]])):
        write_photo(tmp_path / f"set/{name}.png", (3, 1), grey)
        write_mask(tmp_path / f"set/{name}_mask.png", values)
    return tmp_path


def test_says_how_it_read_and_what_it_made(work):
    result = run("set", "-o", "out", "--names", "soil,leaf")
    assert result.exit_code == 0, result.output
    assert "labels: black-and-white masks" in result.stderr
    assert "warning: read 255 as the class 'leaf'" in result.stderr
    assert result.stdout.splitlines()[-1] == "out: 2 photos with masks"
    assert np.array(Image.open("out/masks/a.png")).tolist() == [[0, 1, 1]]


def test_the_other_reading_is_an_option_away(work):
    assert run("set", "-o", "out", "--names", "soil,leaf", "--void", "255").exit_code == 0
    assert np.array(Image.open("out/masks/a.png")).tolist() == [[0, 255, 255]]


def test_json_has_the_reading_and_the_pixels(work):
    data = json.loads(run("set", "-o", "out", "--names", "soil,leaf", "--json").stdout)
    assert data["pixels"] == {"soil": 3, "leaf": 3, "void": 0}
    assert (data["samples"], data["failed"], data["names"]) == (2, [], ["soil", "leaf"])
    assert (data["reading"]["form"], data["reading"]["as"]) == ("black-and-white masks", "binary")


def test_what_it_made_is_read_without_a_word(work):
    run("set", "-o", "out", "--names", "soil,leaf")
    checked = CliRunner().invoke(app, ["data", "check", "--dataset", "folder", "--images", "out", "--json"])
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.stdout)["pixels"] == {"soil": 3, "leaf": 3, "void": 0}


def test_one_bad_label_fails_alone(work):
    write_mask(work / "set/b_mask.png", [[0, 255]])
    result = run("set", "-o", "out", "--names", "soil,leaf")
    assert result.exit_code == 3
    assert "failed: b: " in result.stderr
    assert "out: 1 photos with masks, 1 failed" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "out"], 2, "the photos are not named"),
        (["set", "--images", "set", "-o", "out"], 2, "set and --images set: only one can be read"),
        (["set", "-o", "set/out"], 2, "lies in set"),
        (["set", "-o", "set"], 2, "set holds something already"),
        (["set", "-o", "out", "--as", "binry"], 2, "--as binry: not known"),
        (["set", "-o", "out", "--as", "coco"], 1, "holds no COCO JSON"),
        (["nowhere", "-o", "out"], 1, "nowhere is no folder"),
    ],
)
def test_what_cannot_be_converted_is_one_line_and_leaves_nothing(work, arguments, code, message):
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert not (work / "out").exists()


def test_deep_photos_are_copied_whole_and_shown_by_one_range(work):
    for name in "ab":
        Image.fromarray(np.array([[0, 4000, 200]], np.uint16)).save(work / f"set/{name}.png")
    result = run("set", "-o", "out", "--names", "soil,leaf")
    assert "2 photos of uint16" in result.stderr
    assert (work / "out/images/a.png").read_bytes() == (work / "set/a.png").read_bytes()
