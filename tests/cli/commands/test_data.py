"""`segcli data check` on a dataset with planted faults, each of which must be named with its file."""

import json
from pathlib import Path

import numpy as np
import pytest
from dataset_files import write_list, write_mask, write_photo
from PIL import Image
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.labels import VOC

NAMES = ",".join(VOC.names)
FAULTS = ("id", "rgb", "missing", "size", "cut")


def run(*arguments):
    return CliRunner().invoke(app, ["data", "check", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Six good photos of different greys, with masks of VOC's classes."""
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(("good", *FAULTS)):
        write_photo(tmp_path / f"photos/{name}.jpg", (40, 30), grey=40 * index)
        write_mask(tmp_path / f"masks/{name}.png", np.full((30, 40), 2))
    return tmp_path


@pytest.fixture
def faulty(folder):
    """Five of them spoilt, each in its own way."""
    ids = np.full((30, 40), 2)
    ids[0, :7] = 99
    write_mask(folder / "masks/id.png", ids)
    Image.new("RGB", (40, 30), (1, 2, 3)).save(folder / "masks/rgb.png")
    (folder / "masks/missing.png").unlink()
    write_mask(folder / "masks/size.png", np.full((40, 30), 2))
    content = (folder / "photos/cut.jpg").read_bytes()
    (folder / "photos/cut.jpg").write_bytes(content[: len(content) // 2])
    return folder


FOLDER = ("--dataset", "folder", "--images", "photos", "--labels", "masks", "--names", NAMES)
KINDS = {"id": "ids", "rgb": "label", "missing": "missing", "size": "size", "cut": "photo"}


def test_photos_and_labels_are_named_as_in_training(folder):
    plain = run("photos", "masks", "--names", NAMES, "--json")
    assert plain.exit_code == 0
    assert json.loads(plain.stdout) == json.loads(run(*FOLDER, "--json").stdout)


def test_every_planted_fault_is_named_with_its_file(faulty):
    result = run(*FOLDER, "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert {problem["sample"]: problem["kind"] for problem in data["problems"]} == KINDS
    files = {problem["sample"]: Path(problem["file"]).relative_to(faulty).as_posix() for problem in data["problems"]}
    assert files == {name: f"masks/{name}.png" for name in FAULTS[:-1]} | {"cut": "photos/cut.jpg"}
    assert all(problem["hint"] for problem in data["problems"])


def test_people_read_the_same(faulty):
    result = run(*FOLDER)
    lines = result.stdout.splitlines()
    for name, kind in KINDS.items():
        (line,) = [line for line in lines if line.startswith(kind)]
        assert f"{name}." in line
    assert "id 99 (7 pixels)" in result.stdout
    assert lines[-1] == "folder: 6 samples in photos; 5 problems, 3 warnings"
    assert sorted(line.split()[1] for line in lines if line.startswith("warning: ")) == [
        "absent",
        "one-class",
        "turned",
    ]


def test_classes_are_counted(folder):
    write_mask(folder / "masks/good.png", np.repeat([[0, 255]], 30, 0).repeat(20, 1))
    result = run(*FOLDER, "--json", "--quiet")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert (data["pixels"]["background"], data["pixels"]["void"], data["pixels"]["bicycle"]) == (600, 600, 6000)
    assert (data["labels_with_class"]["background"], data["labels_with_class"]["bicycle"]) == (1, 5)
    assert result.stderr == ""
    assert "no problems" in run(*FOLDER).stdout


def test_a_photo_of_two_splits_is_found(tmp_path):
    root = tmp_path / "VOCdevkit/VOC2012"
    for index, name in enumerate(("a", "b", "c")):
        write_photo(root / f"JPEGImages/{name}.jpg", (4, 3), grey=10 * min(index, 1))
        write_mask(root / f"SegmentationClass/{name}.png", np.zeros((3, 4)))
    write_list(root / "ImageSets/Segmentation/train.txt", "a", "b")
    write_list(root / "ImageSets/Segmentation/val.txt", "c")
    arguments = ("--dataset", "voc2012", "--data-dir", tmp_path, "--json")
    data = json.loads(run(*arguments, "--split", "train, val,train").stdout)
    assert data["samples"] == {"train": 2, "val": 1}
    (problem,) = data["problems"]
    assert (problem["kind"], problem["sample"]) == ("duplicate", "c")
    assert "train/b" in problem["detail"]
    assert json.loads(run(*arguments, "--split", "val").stdout)["problems"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--dataset", "vco2012"], 2, "no dataset is called 'vco2012'"),
        (["--dataset", "voc2012", "--split", "vall", "--data-dir", "."], 2, "voc2012 has no split 'vall'"),
        (["--dataset", "voc2012", "--data-dir", "nowhere"], 1, "nowhere holds no"),
        (["--dataset", "voc2012", "--names", "a,b"], 2, "cannot be given together with --dataset voc2012"),
        (["--dataset", "folder", "--labels", "masks"], 2, "needs photos"),
        (["photos", "--dataset", "voc2012"], 2, "cannot be given together with --dataset voc2012"),
        (["photos", "masks", "--labels", "masks"], 2, "masks and --labels masks: only one can be read"),
        ([], 2, "no dataset is named"),
        (["--dataset", "folder", "--images", "photos"], 1, "photos holds no labels"),
        (["--dataset", "folder", "--images", "photos", "--labels", "none", "--names", "a,b"], 1, "none is no folder"),
    ],
)
def test_what_cannot_be_checked_is_one_line(folder, arguments, code, message):
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_a_class_that_never_occurs_is_warned_of_and_no_problem(folder):
    result = run(*FOLDER, "--json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["problems"]) == (0, [])
    (absent,) = [warning for warning in data["warnings"] if warning["kind"] == "absent"]
    assert "tvmonitor" in absent["detail"]
    assert data["reading"]["as"] == "ids"


def test_many_faults_of_a_kind_are_one_line(folder):
    for name in FAULTS:
        (folder / f"masks/{name}.png").unlink()
    lines = run(*FOLDER).stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("missing")]
    assert "5 times, such as: " in line


@pytest.mark.shared
def test_real_photos_have_no_problems(shared_data):
    result = run("--dataset", "voc2012", "--data-dir", shared_data / "voc-mini", "--split", "train,val", "--json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["problems"], data["samples"]) == (0, [], {"train": 26, "val": 11})


def test_the_values_of_deep_photos_are_told_with_the_range_they_have(folder):
    for index, name in enumerate(("good", *FAULTS)):
        (folder / f"photos/{name}.jpg").unlink()
        Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) + 100 * index).save(f"photos/{name}.png")
    assert "6 photos hold uint16 from 0 to 1699; 0 becomes black and 4095 white\n" in run(*FOLDER).stdout
    by_hand = run(*FOLDER, "--range", "0:2000", "--json")
    assert json.loads(by_hand.stdout)["values"] == [
        {"kind": "uint16", "photos": 6, "lowest": 0, "highest": 1699, "range": [0, 2000]}
    ]
    write_photo(folder / "photos/good.png", (40, 30))
    doubts = json.loads(run(*FOLDER, "--json").stdout)["warnings"]
    assert [one["detail"] for one in doubts if one["kind"] == "values"] == [
        "the photos hold values of several kinds: 5 of uint16, 1 of uint8"
    ]
