"""Model: what `segcli.load` gives, from names and files, and what it says of photos in every form."""

from pathlib import Path

import numpy as np
import pytest
import torch
from heard import Heard
from PIL import Image
from small_runs import smooth
from tiny import tiny_model

import segcli
from segcli import labels
from segcli.errors import InputError, UsageError
from segcli.files import headroom
from segcli.inference.options import ModelOptions
from segcli.inference.segmenter import Segmenter
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.pipeline import model as model_file
from segcli.pipeline.giants import plan
from segcli.pipeline.model import Model, announce, checked_array, load_with
from segcli.weights.facts import ModelFacts
from segcli.weights.reference import ModelReference, resolve


@pytest.fixture
def model():
    return Model(Segmenter(tiny_model()), ModelOptions())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(smooth(3, 80, 60)).save(path)
    return path


def test_a_file_an_image_and_an_array_get_the_same_labels(model, photo):
    array = smooth(3, 80, 60)
    by_path = model.predict(photo)
    assert by_path.path == photo
    assert by_path.labels.shape == (60, 80)
    assert by_path.labels.dtype == np.uint8
    assert len(np.unique(by_path.labels)) > 1
    for given in (str(photo), Image.open(photo), array):
        assert np.array_equal(model.predict(given).labels, by_path.labels)


def test_a_picture_too_large_for_memory_is_refused_unread(model, photo, monkeypatch):
    asked = []
    monkeypatch.setattr(plan, "SMALL", 1000)
    monkeypatch.setattr(headroom, "of_host", lambda: headroom.Headroom(asked[-1], 10**9))
    monkeypatch.setattr(model_file, "as_photo", lambda *_: pytest.fail("it was read"))
    asked.append(8 * 60 * 80 - 1)
    with pytest.raises(InputError, match=r"has 0 megapixels \(80 x 60\), too many") as refused:
        model.predict(photo)
    assert "segcli.predict_folder" in refused.value.hint
    monkeypatch.undo()
    assert model.predict(photo).labels.shape == (60, 80)


def test_a_film_is_named_as_one(model):
    with pytest.raises(InputError, match="is a film") as refused:
        model.predict(Path(__file__).parents[2] / "examples" / "drive.mp4")
    assert "segcli.predict_folder" in refused.value.hint


def test_an_image_is_turned_upright_and_its_pixels_are_left_alone(model):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(smooth(3, 80, 60))
    image.getexif().update(exif)
    assert model.predict(image).photo.shape == (80, 60, 3)
    array = smooth(3, 80, 60)
    before = array.copy()
    model.predict(array)
    assert np.array_equal(array, before)


@pytest.mark.parametrize(
    "odd",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["float", "grey", "alpha", "channels first", "empty"],
)
def test_other_arrays_are_refused_rather_than_guessed_at(odd):
    with pytest.raises(InputError, match="uint8"):
        checked_array(odd)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            {"provenance": {"weights": "street", "source": "built-in"}, "labels": labels.CAMVID},
            "model v3-mobilenetv2, 11 classes of camvid",
        ),
        (
            {"provenance": {"weights": "mine/best.safetensors"}, "labels": labels.from_names(["leaf", "spot"])},
            "model mine/best.safetensors (v3-mobilenetv2), 2 classes: leaf, spot",
        ),
    ],
)
def test_ones_own_model_is_called_by_its_file_and_its_classes(facts, line):
    heard = Heard()
    announce(
        ModelFacts(spec=variants.get("v3-mobilenetv2"), preprocessing=Preprocessing(), output_stride=8, **facts), heard
    )
    assert heard.notes == [line]


def test_what_is_said_while_it_loads(checkpoint):
    heard = Heard()
    model = segcli.load(checkpoint, device="cpu", engine="torch", listener=heard)
    assert [note.split()[0] for note in heard.notes] == ["device", "model"]
    assert heard.notes[1] == f"model {checkpoint} (v3-mobilenetv2-dm05), 21 classes of voc2012"
    assert "21 classes of voc2012" in repr(model)


def test_the_options_reach_the_segmenter(checkpoint):
    model = segcli.load(checkpoint, device="cpu", engine="torch", size=65, scales=[0.5, 1], flip=True)
    segmenter = model.segmenter
    assert (segmenter.scales, segmenter.flip, segmenter.preprocessing.size) == ((0.5, 1), True, 65)
    assert model.recipe["protocol"] == {"scales": [0.5, 1], "flip": True, "tile": None, "precision": "float32"}
    assert model.recipe["preprocessing"]["size"] == 65


@pytest.mark.parametrize(
    ("options", "file", "message"),
    [
        (ModelOptions(tile=129, engine="onnx"), "a.safetensors", "--tile needs torch"),
        (ModelOptions(tile=129), "a.onnx", "--tile needs torch"),
        (ModelOptions(precision="bf16"), "a.onnx", "--precision bf16 needs torch"),
        (ModelOptions(engine="torch"), "a.onnx", "--engine torch cannot run"),
        (ModelOptions(device="cuda"), "a.onnx", "runs on the CPU, not on cuda"),
        (ModelOptions(device="cuda", engine="onnx"), "a.safetensors", "runs on the CPU, not on cuda"),
    ],
)
def test_what_an_exported_graph_cannot_do_is_refused_before_it_is_read(tmp_path, options, file, message):
    with pytest.raises(UsageError, match=message):
        load_with(options, ModelReference(path=tmp_path / file))


def test_an_output_stride_that_the_model_has_not(checkpoint):
    with pytest.raises(UsageError, match="cannot have output stride 4"):
        ModelOptions(output_stride=4).check(resolve("street"))


def test_tiles_and_half_precision_take_torch():
    assert ModelOptions(tile=129).wanted_engine() == "torch"
    assert ModelOptions(precision="bf16").wanted_engine() == "torch"
    assert ModelOptions().wanted_engine() == "auto"
    assert ModelOptions(scales=(0.5, 1.0), flip=True).passes(10) == 40


def test_the_crf_refines_where_it_is_asked_for(model, photo):
    plain, refined = model.predict(photo), model.predict(photo, crf=True)
    assert refined.probabilities().shape == (21, 60, 80)
    assert not np.array_equal(plain.probabilities(), refined.probabilities())
    again = plain.refine(segcli.CRFSettings())
    assert torch.equal(torch.from_numpy(again.probabilities()), torch.from_numpy(refined.probabilities()))


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "half"},
        {"engine": "tensorrt"},
        {"size": 5},
        {"size": -3},
        {"scales": ()},
        {"scales": (0,)},
        {"tile": 1},
        {"tile": 100.5},
        {"output_stride": 16.0},
        {"flip": "yes"},
        {"device": 3},
        {"scales": 0.5},
    ],
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(UsageError, match=f"{next(iter(options))} cannot be"):
        ModelOptions(**options)


def test_whole_scales_are_the_same_setting():
    assert ModelOptions(scales=(1, 2)) == ModelOptions(scales=(1.0, 2.0))


def test_crf_settings_that_cannot_be():
    with pytest.raises(UsageError, match="cannot work at -5"):
        segcli.CRFSettings(size=-5)
    with pytest.raises(UsageError, match="no backend 'zz'"):
        segcli.CRFSettings(backend="zz")
    with pytest.raises(UsageError, match="params cannot be 3"):
        segcli.CRFSettings(3)
    with pytest.raises(UsageError, match="size cannot be 'full'"):
        segcli.CRFSettings(size="full")
    with pytest.raises(UsageError, match="eps cannot be 2"):
        segcli.CRFSettings(eps=2)
