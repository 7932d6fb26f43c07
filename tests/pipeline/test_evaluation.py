"""evaluate: a model's scores on a folder of one's own, as `segcli eval` gives them."""

import json

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth, tree
from typer.testing import CliRunner

import segcli
from segcli.cli.app import app
from segcli.errors import DatasetError, UsageError
from segcli.labels import VOC, from_names


@pytest.fixture
def folders(checkpoint, tmp_path, monkeypatch):
    """Three photos whose labels are what the model says of the first two, and noise for the third."""
    monkeypatch.chdir(tmp_path)
    model = segcli.load(checkpoint, device="cpu", engine="torch")
    for name in ("photos", "labels"):
        (tmp_path / name).mkdir()
    for index in range(3):
        photo = smooth(index, 80, 60)
        Image.fromarray(photo).save(f"photos/{index}.png")
        ids = model.predict(photo).labels if index < 2 else np.random.default_rng(0).integers(0, 21, (60, 80), np.uint8)
        Image.fromarray(ids).save(f"labels/{index}.png")
    return model


def test_scores_are_those_of_the_command(folders, checkpoint):
    evaluation = segcli.evaluate(folders, images="photos", labels="labels", names=VOC)
    assert [round(image.pixel_accuracy) for image in evaluation.images] == [1, 1, 0]
    assert 0 < evaluation.miou < 1
    line = "eval --dataset folder --images photos --labels labels --names voc2012 --engine torch --device cpu --json -q"
    done = CliRunner().invoke(app, [*line.split(), "--weights", str(checkpoint)])
    theirs, ours = json.loads(done.stdout), evaluation.to_dict()
    assert theirs["miou"] == evaluation.miou
    for changing in ("seconds",):
        del theirs[changing], ours[changing]
    assert theirs == json.loads(json.dumps(ours))


def test_what_is_left_in_a_folder(folders, tmp_path):
    evaluation = segcli.evaluate(folders, images="photos", labels="labels", names="voc2012", trimap=True)
    evaluation.save(tmp_path / "out", worst_count=1)
    assert tree(tmp_path / "out") == {"scores.json", "confusion.png", "trimap.png", "worst/2.jpg"}


def test_the_crf_is_scored_beside_the_network(folders):
    evaluation = segcli.evaluate(folders, images="photos", labels="labels", names=VOC, crf=True)
    assert evaluation.to_dict()["without_crf"]["miou"] != evaluation.miou


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({}, UsageError, "needs images"),
        ({"images": "photos"}, DatasetError, "holds no labels"),
        ({"images": "photos", "labels": "labels", "names": ["a", "b"]}, DatasetError, "have problems"),
        ({"images": "nowhere", "labels": "labels", "names": VOC}, DatasetError, "is no folder"),
        ({"dataset": "voc2021"}, UsageError, "voc2012"),
        ({"images": "photos", "labels": "labels", "names": VOC, "batch": 0}, UsageError, "batch cannot be 0"),
    ],
)
def test_what_cannot_be_scored(folders, options, kind, message):
    with pytest.raises(kind, match=message):
        segcli.evaluate(folders, **options)


def test_a_model_of_other_classes_is_refused(folders, tmp_path):
    Image.fromarray(np.zeros((60, 80), np.uint8)).save("labels/2.png")
    names = from_names([f"class {index}" for index in range(21)])
    with pytest.raises(UsageError, match=r"the model has 21 classes \(voc2012\), the dataset 21 others"):
        segcli.evaluate(folders, images="photos", labels="labels", names=names)


def test_a_misspelt_model_is_told_before_the_dataset_is_read(folders, monkeypatch):
    monkeypatch.setattr("segcli.pipeline.evaluation.usable", lambda *_, **__: pytest.fail("the dataset was read"))
    with pytest.raises(UsageError, match="stret"):
        segcli.evaluate("stret", images="photos", labels="labels", names=VOC)
    with pytest.raises(TypeError, match="loaded already; size"):
        segcli.evaluate(folders, images="photos", labels="labels", names=VOC, size=65)


def test_a_bad_output_folder_is_told_before_anything_is_loaded(folders, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setattr("segcli.pipeline.evaluation.load_with", lambda *_, **__: pytest.fail("a network was loaded"))
    line = "eval --dataset folder --images photos --labels labels --names voc2012 --model v3-mobilenetv2"
    for option in ("--output", "--save-predictions"):
        done = CliRunner().invoke(app, [*line.split(), option, "taken"])
        assert done.exit_code == 1
        assert "cannot write to taken: Not a directory" in done.stderr
