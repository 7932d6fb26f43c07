"""`segcli compare` on label maps of a few pixels, counted by hand."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.files.sources import RESULT_FILES
from segcli.images.masks import write_label_map
from segcli.labels import from_names

PETS = from_names(["background", "cat", "dog"], "pets")


def run(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def write(path, ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(ids, np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two photos' grey label maps: A and B differ in one pixel of eight, where B is right."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a/one.png", [[0, 1], [1, 1]])
    write(tmp_path / "b/one.png", [[0, 1], [1, 0]])
    write(tmp_path / "truth/one.png", [[0, 1], [255, 0]])
    for side in ("a", "b"):
        write(tmp_path / side / "two.png", [[2, 2], [2, 2]])
    return tmp_path


def test_agreement_by_class(folders):
    result = run("a", "b", "--names", "background,cat,dog", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["agreement"]["per_class"] == pytest.approx({"background": 1 / 2, "cat": 2 / 3, "dog": 1})
    assert data["agreement"]["pixel_accuracy"] == pytest.approx(7 / 8)
    assert data["images"] == [{"name": "one", "agreement": 0.75}, {"name": "two", "agreement": 1}]
    assert "a" not in data, "nothing is said of the truth where there is none"


def test_truth_tells_who_is_nearer(folders):
    arguments = ("a", "b", "--names", "background,cat,dog", "--truth", "truth")
    data = json.loads(run(*arguments, "--json").stdout)
    assert data["images_with_truth"] == 1
    assert data["a"]["miou"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert data["b"]["miou"] == 1
    assert (data["a"]["named"], data["a"]["absent"]) == (3, ["dog"])
    result = run(*arguments)
    assert "mIOU of A over 2 of 3 classes; no pixel of: dog" in result.stdout
    assert "mIOU A, B, B - A   50.00, 100.00, +50.00 (1 images with truth)" in result.stdout
    assert "pixels alike       87.50 % in 2 images" in result.stdout


def test_pictures_show_what_differs_and_nothing_else(folders):
    run("a", "b", "--names", "background,cat,dog", "-o", "differences")
    assert [path.name for path in (folders / "differences").iterdir()] == ["one.png"]
    assert Image.open(folders / "differences/one.png").mode == "RGB"


def test_truth_may_be_labelme_s_files_beside_their_photos(folders):
    points = [[0, 0], [2, 0], [2, 1], [0, 1]]
    shape = {"label": "cat", "points": points, "shape_type": "polygon", "group_id": None, "flags": {}}
    facts = {"version": "5.2.1", "flags": {}, "shapes": [shape], "imagePath": "one.jpg", "imageData": None}
    (folders / "both").mkdir()
    (folders / "both/one.json").write_text(json.dumps({**facts, "imageHeight": 2, "imageWidth": 2}))
    Image.new("RGB", (2, 2)).save(folders / "both/one.jpg")
    result = run("a", "b", "--names", "background,cat,dog", "--truth", "both", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["images_with_truth"] == 1
    assert data["a"]["per_class"]["cat"] == pytest.approx(1 / 4)  # truth: the upper row; A: all but one of it


@pytest.mark.parametrize("output", ["a", "b/inside", "truth"])
def test_pictures_never_replace_label_maps(folders, output):
    before = (folders / "a/one.png").read_bytes()
    result = run("a", "b", "--names", "background,cat,dog", "--truth", "truth", "-o", output)
    assert result.exit_code == 2
    assert f"--output {output} lies in" in result.stderr
    assert (folders / "a/one.png").read_bytes() == before


def test_a_bad_output_folder_is_told_before_the_work(folders):
    (folders / "taken").touch()
    result = run("a", "b", "--names", "background,cat,dog", "-o", "taken")
    assert result.exit_code == 1
    assert "cannot write to taken" in result.stderr
    assert "SEGCLI_DEBUG" not in result.stderr


def test_maps_of_segcli_know_their_classes(folders):
    for side in ("a", "b"):
        write_label_map(folders / side / "masks/one.png", np.array([[0, 1]], np.uint8), PETS)
        for name in RESULT_FILES:
            (folders / side / name).touch()
    data = json.loads(run("a", "b", "--json").stdout)
    assert [image["name"] for image in data["images"]] == ["one"], "the masks of an output folder of predict"
    assert list(data["agreement"]["per_class"]) == list(PETS.names)


def test_other_classes_are_not_compared(folders):
    for side, labels in (("a", PETS), ("b", from_names(["road", "sky"], "street"))):
        write_label_map(folders / side / "masks/one.png", np.array([[0, 1]], np.uint8), labels)
        for name in RESULT_FILES:
            (folders / side / name).touch()
    result = run("a", "b")
    assert result.exit_code == 2
    assert "A has the classes of pets, B those of street" in result.stderr


@pytest.mark.parametrize("trouble", ["size", "id", "cut", "truth"])
def test_one_bad_pair_does_not_stop_the_rest(folders, trouble):
    if trouble == "size":
        write(folders / "b/one.png", [[0, 1, 1]])
    elif trouble == "id":
        write(folders / "b/one.png", [[0, 7], [0, 0]])
    elif trouble == "cut":
        (folders / "b/one.png").write_bytes((folders / "b/one.png").read_bytes()[:40])
    else:
        write(folders / "truth/one.png", [[0]])
    result = run("a", "b", "--names", "background,cat,dog", "--truth", "truth", "--json", "--quiet")
    assert result.exit_code == 3
    data = json.loads(result.stdout)
    assert [image["name"] for image in data["images"]] == ["two"]
    assert "one" in data["failed"][0]["error"]
    assert result.stderr == ""


def test_nothing_but_bad_pairs_is_a_failure(folders):
    for name in ("one", "two"):
        write(folders / "b" / f"{name}.png", [[0, 1, 1]])
    result = run("a", "b", "--names", "background,cat,dog")
    assert result.exit_code == 1
    assert "failed: two" in result.stderr


def test_maps_without_a_partner_are_mentioned(folders):
    write(folders / "b/three.png", [[0]])
    result = run("a", "b", "--names", "background,cat,dog")
    assert result.exit_code == 0
    assert "1 label maps are in B only, such as three" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "b"], "does not say which classes"),
        (["a", "nowhere"], "nowhere is no folder"),
        (["a", "elsewhere", "--names", "x,y"], "no label map in common"),
        (["a", "b", "--names", "pets"], "no label set is called 'pets'"),
        (["a", "b", "--names", "x,y,z", "--truth", "elsewhere"], "--truth elsewhere has no labels"),
    ],
)
def test_wrong_usage_is_one_line(folders, arguments, message):
    write(folders / "elsewhere/other.png", [[0]])
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
