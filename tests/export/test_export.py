"""Oracles: onnxruntime and torch.export's own runtime on one variant of each family; onnx's checker; the Segmenter."""

import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exports import FIRST, SIZES, model, pictures, plain, shallow
from PIL import Image
from small_runs import smooth
from torch.nn import functional as F

from segcli.errors import SegcliError
from segcli.export import export
from segcli.images.reading import PhotoValues
from segcli.inference.segmenter import Segmenter
from segcli.labels import VOC
from segcli.models import variants
from segcli.pipeline import foresight
from segcli.weights import conversion, graph, model_io, onnx_file
from segcli.weights.reference import ModelReference

FAMILIES = ("v1-vgg16", "v3plus-resnet50", "v3plus-xception41", "v3plus-mobilenetv2")
EXPORTS = [*((name, "onnx") for name in FAMILIES), ("v1-vgg16", "pt2"), ("v3plus-mobilenetv2", "pt2")]
"""torch.export takes ten seconds a network, so that it is asked for the plainest and for one with all that there is."""


def enlarged(logits, size, align_corners):
    return F.interpolate(logits, size, mode="bilinear", align_corners=align_corners)


@torch.inference_mode()
def assert_same_at_all_sizes(made, run):
    for batch, *size in SIZES:
        x = pictures(batch, *size)
        ours, theirs = made.network(x), run(x)
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < 1e-3 * ours.abs().max()
        labels = [enlarged(logits, size, made.spec.align_corners).argmax(1) for logits in (ours, theirs)]
        assert (labels[0] == labels[1]).float().mean() >= 0.999
        assert size != list(SIZES[0][1:]) or len(labels[0].unique()) > 1


@pytest.mark.parametrize(("name", "form"), EXPORTS)
def test_every_family_computes_the_same_elsewhere_at_any_size(name, form, tmp_path, monkeypatch):
    shallow(monkeypatch)
    made, path = model(name, size=SIZES[0][1:]), tmp_path / f"model.{form}"
    export.write(path, form, export.prepare(made))
    if form == "onnx":
        session = onnxruntime.InferenceSession(path)
        run = lambda x: torch.from_numpy(session.run(None, {"image": x.numpy()})[0])  # noqa: E731
    else:
        run = torch.export.load(path).module()
    assert_same_at_all_sizes(made, run)


def test_several_scales_too(monkeypatch):
    """The head and the fusion of v2's ResNet-101 on a small network."""
    shallow(monkeypatch)
    v2 = variants.get("v2-resnet101")
    small = replace(v2, name="small", backbone=replace(v2.backbone, kind="resnet50"))
    monkeypatch.setitem(variants.VARIANTS, "small", small)
    made = model("small", size=SIZES[0][1:])
    session = onnxruntime.InferenceSession(export.to_onnx(export.prepare(made)))
    assert_same_at_all_sizes(made, lambda x: torch.from_numpy(session.run(None, {"image": x.numpy()})[0]))


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_with_preprocessing_a_photo_becomes_the_labels_of_predict(channels):
    preprocessing = plain(channels=channels, mean=(123.0, 117.0, 104.0), std=(58.0, 57.0, 56.0))
    made, photo = model("v3-mobilenetv2-dm05", preprocessing=preprocessing), smooth(FIRST, 101, 66)
    session = onnxruntime.InferenceSession(export.to_onnx(export.prepare(made, with_preprocessing=True)))
    labels, _ = session.run(None, {"photo": photo[None]})
    expected = Segmenter(made).labels(photo)
    assert labels.dtype == np.uint8
    assert labels.shape == (1, 66, 101)
    assert len(np.unique(expected)) > 1
    assert (labels[0] == expected).mean() >= 0.999


def test_the_file_says_what_it_is(tmp_path):
    made, path = model("v3-mobilenetv2-dm05"), tmp_path / "model.onnx"
    size = export.write(path, "onnx", export.prepare(made))
    assert size == path.stat().st_size
    onnx.checker.check_model(path, full_check=True)
    graph = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", export.OPSET)]
    sides = [side.dim_param or side.dim_value for side in graph.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["batch", 3, "height", "width"]
    facts = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    about, making = json.loads(facts["segcli"]), json.loads(facts["segcli.export"])
    assert about["labels"]["names"][15] == "person"
    assert about["labels"]["palette"][15] == [192, 128, 128]
    assert about["preprocessing"]["size"] == 97
    assert about["provenance"]["licence"] == "CC0"
    assert (making["output_stride"], making["with_preprocessing"]) == (8, False)
    assert making["before"].startswith("shrink the photo until its long side is 97")
    assert "photos" not in about
    assert "photo" not in making


def test_the_file_says_which_values_its_photos_had(tmp_path):
    known = PhotoValues((0.0, 4095.0), "uint16", ("8", "4", "3"))
    made, path = replace(model("v3-mobilenetv2-dm05"), photos=known), tmp_path / "model.onnx"
    plan = export.prepare(made)
    export.write(path, "onnx", plan)
    assert onnx_file.facts(path).photos == foresight.photos_of(ModelReference(path=path)) == known
    said = "bands 8, 4, 3 are red, green, blue; uint16 values 0 to 4095 become 0 to 255, rounded and clipped"
    assert json.loads(plan.facts["segcli.export"])["photo"] == said
    grey = export.prepare(replace(made, photos=PhotoValues(bands=("nir",))))
    assert json.loads(grey.facts["segcli.export"])["photo"] == "band nir is grey"


def test_the_exporter_keeps_quiet(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export.to_onnx(export.prepare(model("v3-mobilenetv2-dm05")))
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == logging.NOTSET


def test_a_pt2_says_it_too_and_nothing_on_the_terminal(tmp_path, capfd, monkeypatch):
    shallow(monkeypatch)
    made, path, photo = (
        model("v3-mobilenetv2-dm05", preprocessing=plain()),
        tmp_path / "model.pt2",
        smooth(FIRST, 101, 66),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export.write(path, "pt2", export.prepare(made, with_preprocessing=True))
    assert capfd.readouterr() == ("", "")
    facts = {"segcli": "", "segcli.export": ""}
    labels, _ = torch.export.load(path, extra_files=facts).module()(torch.from_numpy(photo.copy())[None])
    assert json.loads(facts["segcli"])["spec"]["name"] == "v3-mobilenetv2-dm05"
    assert json.loads(facts["segcli.export"])["input"] == "photo: uint8 (N, H, W, 3)"
    assert (labels[0].numpy() == Segmenter(made).labels(photo)).mean() >= 0.999


def test_another_output_stride_is_another_graph():
    coarse, fine = (
        export.to_onnx(export.prepare(model("v3-mobilenetv2-dm05", output_stride=stride))) for stride in (16, 8)
    )
    x = {"image": np.zeros((1, 3, 65, 65), np.float32)}
    assert onnxruntime.InferenceSession(coarse).run(None, x)[0].shape[2:] == (5, 5)
    assert onnxruntime.InferenceSession(fine).run(None, x)[0].shape[2:] == (9, 9)


def test_what_cannot_be_written_or_made_is_one_clear_line(tmp_path, monkeypatch):
    plan = export.prepare(model("v3-mobilenetv2-dm05"))
    with pytest.raises(SegcliError, match="cannot be written"):
        export.write(tmp_path, "onnx", plan)
    monkeypatch.setattr(graph.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError("gone")))
    with pytest.raises(SegcliError, match="this needs onnx") as caught:
        export.to_onnx(plan)
    assert caught.value.hint == "pip install onnx"


def test_the_lines_in_the_documentation_run(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    made = model("v3-mobilenetv2-dm05")
    export.write(tmp_path / "labels.onnx", "onnx", export.prepare(made, with_preprocessing=True))
    photo = smooth(FIRST, 97, 97)
    Image.fromarray(photo).save(tmp_path / "photo.jpg", "PNG")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    expected = Segmenter(made).labels(photo)
    assert len(np.unique(expected)) > 1
    assert (names["labels"] == expected).mean() >= 0.999


@pytest.mark.shared
def test_onnxruntime_gives_the_published_golden_mask(shared_data, tmp_path):
    source = shared_data / "exact/deeplabv3_mobilenet_v2_0.5_257/model.safetensors"
    conversion.convert_file(source, "transformers", "v3-mobilenetv2-dm05", tmp_path / "exact.safetensors", VOC)
    made = model_io.load(tmp_path / "exact.safetensors")
    session = onnxruntime.InferenceSession(export.to_onnx(export.prepare(made, with_preprocessing=True)))
    picture = Image.open(shared_data / "exact/segmentation_input_rotation0.jpg").convert("RGB")
    warped = np.asarray(picture.resize((257, 257), Image.Resampling.BILINEAR))
    golden = np.asarray(Image.open(shared_data / "exact/segmentation_golden_rotation0.png")) // 10
    assert (session.run(["labels"], {"photo": warped[None]})[0][0] == golden).mean() >= 0.999
