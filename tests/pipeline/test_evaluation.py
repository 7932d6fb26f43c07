"""evaluate: a model's scores on a folder of one's own, as `segcli eval` gives them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from heard import Heard
from PIL import Image
from small_runs import smooth, tree
from typer.testing import CliRunner

import segcli
from segcli.cli.app import app
from segcli.errors import DatasetError, UsageError
from segcli.images.reading import PhotoValues
from segcli.inference.segmenter import Segmenter
from segcli.labels import VOC, VOID, from_names
from segcli.pipeline.model import Model


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


def test_published_weights_that_learned_from_the_photos_are_doubted(folders, monkeypatch):
    weights = "v3plus-xception@voc2012-trainval"
    monkeypatch.setattr(folders.segmenter, "model", replace(folders.facts, provenance={"weights": weights}))
    own = segcli.evaluate(folders, images="photos", labels="labels", names=VOC)
    heard = Heard()
    doubted = segcli.evaluate(folders, replace(own.data, name="voc2012", split="val"), listener=heard)
    assert any(f"{weights} learned from the photos of voc2012 val too" in text for text in heard.warnings)
    assert doubted.to_dict()["trained_on_val"] is True
    assert "trained_on_val" not in own.to_dict()


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
    monkeypatch.setattr("segcli.pipeline.evaluate.usable", lambda *_, **__: pytest.fail("the dataset was read"))
    with pytest.raises(UsageError, match="stret"):
        segcli.evaluate("stret", images="photos", labels="labels", names=VOC)
    with pytest.raises(TypeError, match="loaded already; size"):
        segcli.evaluate(folders, images="photos", labels="labels", names=VOC, size=65)


def test_a_bad_output_folder_is_told_before_anything_is_loaded(folders, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setattr("segcli.pipeline.evaluate.load_with", lambda *_, **__: pytest.fail("a network was loaded"))
    line = "eval --dataset folder --images photos --labels labels --names voc2012 --model v3-mobilenetv2"
    for option in ("--output", "--save-predictions"):
        done = CliRunner().invoke(app, [*line.split(), option, "taken"])
        assert done.exit_code == 1
        assert "cannot write to taken: Not a directory" in done.stderr


@pytest.fixture
def scans(folders, tmp_path):
    """The same photos as floats from 300 to 555, the first rows of each without data; and a model of such ones."""
    known = PhotoValues((300.0, 555.0), "float32")
    (tmp_path / "scans").mkdir()
    for path in (tmp_path / "photos").iterdir():
        values = np.asarray(Image.open(path)).astype(np.float32) + 300
        values[:9] = np.nan
        tifffile.imwrite(tmp_path / "scans" / f"{path.stem}.tif", values, photometric="rgb")
    return Model(Segmenter(replace(folders.facts, photos=known), torch.device("cpu")), folders.options)


def scored(model, photos="scans", **options):
    return segcli.evaluate(model, images=photos, labels="labels", names=VOC, **options)


def test_photos_are_read_as_those_that_the_model_learned_from(scans):
    evaluation = scored(scans)
    assert evaluation.to_dict()["photos"] == {"ranges": {"float32": [300.0, 555.0]}}
    assert sum(image.pixel_accuracy > 0.9 for image in evaluation.images) == 2
    assert scored(scans, value_range=(0, 555)).images != evaluation.images


def test_pixels_without_data_are_void_in_the_scores_and_in_the_pictures(scans, tmp_path):
    """Whatever the labels say there."""
    evaluation = scored(scans, save_predictions="maps")
    assert evaluation.tally.matrix.counts.sum() == 3 * 51 * 80
    for path in (tmp_path / "labels").iterdir():
        ids = np.array(Image.open(path))
        ids[:9] = 20 - ids[:9]
        Image.fromarray(ids).save(path)
    again = scored(scans, save_predictions="maps")
    assert (again.tally.reused, again.to_dict()["confusion"]) == (3, evaluation.to_dict()["confusion"])
    assert (np.array(Image.open("maps/0.png"))[:9] == VOID).all()
    evaluation.save(tmp_path / "out", worst_count=3)
    shown = np.asarray(Image.open("out/worst/0.jpg")).astype(int)
    plain = evaluation.data.read_photo(evaluation.data.samples[0]).rgb
    assert np.abs(shown[:6] - plain[:6]).mean() < 8 < np.abs(shown[12:] - plain[12:]).mean()


def test_another_range_makes_other_predictions(scans):
    scored(scans, save_predictions="maps")
    assert scored(scans, save_predictions="maps").tally.reused == 3
    assert scored(scans, save_predictions="maps", value_range=(300, 600)).tally.reused == 0
