"""Checkpoints made of foreign files and in half precision: what comes out, and what leaves no file."""

import re
from dataclasses import replace

import pytest
import torch
from calibration import calibrate
from foreign_files import foreign_state, network, spoil

from segcli.errors import UsageError, WeightsError
from segcli.labels import CAMVID, VOC, from_names
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.models.preprocessing import Preprocessing
from segcli.weights import conversion, model_io

SPEC = variants.get("v3-mobilenetv2-dm05")
REPO = "google/deeplabv3_mobilenet_v2_1.0_513"


@pytest.mark.shared
def test_the_stand_in_for_the_hub_becomes_a_voc_model(tmp_path, shared_data):
    made = conversion.convert_file(
        shared_data / "hub" / REPO / "pytorch_model.bin", "transformers", "v3-mobilenetv2", tmp_path / "w.safetensors"
    )
    twin = conversion.convert_file(
        shared_data / "hub" / REPO / "model.safetensors", "transformers", "v3-mobilenetv2", tmp_path / "v.safetensors"
    )
    assert made.tensors.keys() == twin.tensors.keys()
    assert all(torch.equal(made.tensors[name], twin.tensors[name]) for name in made.tensors)
    assert model_io.load(tmp_path / "w.safetensors").labels == VOC


@pytest.fixture
def foreign_file(tmp_path):
    state = foreign_state(network(SPEC, 11), SPEC, "transformers")
    torch.save(state, tmp_path / "theirs.bin")
    return tmp_path / "theirs.bin"


def test_a_foreign_file_becomes_a_checkpoint_that_explains_itself(foreign_file, tmp_path):
    out = tmp_path / "ours.safetensors"
    conversion.convert_file(foreign_file, "transformers", SPEC.name, out, CAMVID)
    model = model_io.load(out)
    assert (model.spec, model.labels) == (SPEC, CAMVID)
    assert model.provenance["source"] == "theirs.bin"
    x = torch.randn(1, 3, 33, 33)
    with torch.no_grad():
        assert torch.equal(model.network(x), network(SPEC, 11)(x))


def test_the_manifest_lends_labels_preprocessing_and_differences(tmp_path):
    spec = variants.get("v3-mobilenetv3")
    torch.save(foreign_state(network(spec), spec, "torchvision"), tmp_path / "tv.pth")
    made = conversion.convert_file(tmp_path / "tv.pth", "torchvision", "v3-mobilenetv3", tmp_path / "w.safetensors")
    assert made.labels == VOC
    assert (made.preprocessing.resize, made.preprocessing.size) == ("short", 520)


def test_what_several_sources_could_lend_is_told_and_chosen_by_name():
    doubt = conversion.doubt("mmsegmentation", "v3plus-resnet101")
    assert doubt.startswith(
        "the file is taken for one like that of v3plus-resnet101@voc2012; --model can say otherwise"
    )
    assert "v3plus-resnet101@cityscapes-769" in doubt
    assert conversion.doubt("mmsegmentation", "v3plus-resnet101@cityscapes-769") == ""
    assert conversion.doubt("mmsegmentation", "v3plus-resnet101@loveda") == ""
    assert conversion.doubt("torchvision", "v3-resnet50") == ""
    assert conversion.doubt("timm", "v3-resnet50") == ""


def test_whose_preprocessing_a_model_gets_that_no_known_file_has_is_told():
    doubt = conversion.doubt("segmentron", "v3plus-resnet50")
    assert doubt == "no file of v3plus-resnet50 is known: photos are read as for v3plus-xception@cityscapes-segmentron"
    assert conversion.doubt("vainf", "v3plus-resnet50") == ""


@pytest.mark.parametrize(
    ("layout", "model", "labels", "error", "message"),
    [
        ("transformers", SPEC.name, None, UsageError, "has no known classes in the layout transformers"),
        ("transformers", "v3-mobilnetv2", CAMVID, UsageError, "no model is called"),
        ("transformers", "v3plus-xception", CAMVID, UsageError, "transformers has no v3plus-xception"),
        ("transformers", "v3-mobilenetv2@voc2021", CAMVID, UsageError, "Did you mean v3-mobilenetv2@voc2012"),
        ("transformers", f"{SPEC.name}@voc2012", CAMVID, UsageError, "Leave out @voc2012"),
        ("timm", "v3plus-mobilenetv2@imagenett", None, UsageError, "Did you mean mobilenetv2@imagenet"),
        ("keras", SPEC.name, CAMVID, UsageError, "no weights layout is called 'keras'"),
        ("transformers", SPEC.name, VOC, WeightsError, "have 11 classes, the label set 21"),
        ("transformers", "v3-mobilenetv2", CAMVID, WeightsError, "have .* of shape"),
        ("segmentron", "v3plus-xception", CAMVID, WeightsError, "checkpoint has an unknown tensor"),
    ],
)
def test_a_conversion_that_cannot_be_leaves_no_file(foreign_file, tmp_path, layout, model, labels, error, message):
    with pytest.raises(error, match=message):
        conversion.convert_file(foreign_file, layout, model, tmp_path / "w.safetensors", labels)
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_missing_or_unknown_tensor_is_named(foreign_file, tmp_path, change):
    wrong = {"missing": "lacks the tensor ", "unknown": "has an unknown tensor "}[change] + spoil(foreign_file, change)
    with pytest.raises(WeightsError, match=wrong):
        conversion.convert_file(foreign_file, "transformers", SPEC.name, tmp_path / "w.safetensors", CAMVID)


def test_a_missing_foreign_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none.pth"):
        conversion.convert_file(tmp_path / "none.pth", "transformers", SPEC.name, tmp_path / "w.safetensors", CAMVID)


def test_a_backbone_alone_cannot_predict(tmp_path):
    spec = replace(
        variants.get("v3-mobilenetv2"),
        backbone=replace(variants.get("v3-mobilenetv2").backbone, padding="symmetric", bn_eps=1e-5),
    )
    torch.save(foreign_state(network(spec), spec, "timm"), tmp_path / "timm.pth")
    made = conversion.convert_file(tmp_path / "timm.pth", "timm", "v3plus-mobilenetv2", tmp_path / "w.safetensors")
    assert {name.partition(".")[0] for name in made.tensors} == {"backbone"}
    assert (made.spec.backbone.padding, made.spec.backbone.bn_eps) == ("symmetric", 1e-5)
    with pytest.raises(WeightsError, match="hold a backbone only"):
        model_io.load(tmp_path / "w.safetensors")


def test_half_precision_takes_half_the_bytes_and_rounds_kernels_only(tmp_path):
    torch.manual_seed(5)
    trained = calibrate(deeplab.build(SPEC, 3, 16))
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    model_io.save(whole, trained, SPEC, from_names(["a", "b", "c"]), Preprocessing(), scores={"miou": 0.5})
    made = conversion.halve(whole, half)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    assert made.scores == {"miou": 0.5}
    state, kept = model_io.load(half).network.state_dict(), model_io.load(whole).network.state_dict()
    for key, tensor in kept.items():
        if tensor.ndim > 1:
            assert torch.equal(state[key], tensor.to(torch.float16).float()), key
        else:
            assert torch.equal(state[key], tensor), key


def test_kernels_beyond_half_precision_are_refused(tmp_path):
    trained = deeplab.build(SPEC, 3, 16)
    with torch.no_grad():
        trained.classifier.weight[0] = 1e5
    model_io.save(tmp_path / "big.safetensors", trained, SPEC, from_names(["a", "b", "c"]), Preprocessing())
    with pytest.raises(WeightsError, match=r"classifier.weight does not fit into half precision"):
        conversion.halve(tmp_path / "big.safetensors", tmp_path / "half.safetensors")
    assert not (tmp_path / "half.safetensors").exists()


def test_foreign_weights_that_are_no_numbers_are_named(foreign_file, tmp_path):
    state = torch.load(foreign_file)
    next(tensor for tensor in state.values() if tensor.ndim == 4).view(-1)[3] = float("nan")
    torch.save(state, foreign_file)
    with pytest.raises(WeightsError, match=r"the weights w\.safetensors hold NaN in "):
        conversion.convert_file(foreign_file, "transformers", "v3-mobilenetv2-dm05", tmp_path / "w.safetensors", CAMVID)
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        (lambda x: x.to(torch.complex64), "have classifier.weight in complex64"),
        (lambda x: x.long(), "have classifier.weight in int64"),
        (lambda x: x > 0, "have classifier.weight in bool"),
        (lambda x: x.to(torch.float8_e4m3fn), "have classifier.weight in float8_e4m3fn"),
        (lambda x: x.double() * 1e300, "hold infinite values in classifier.weight"),  # in float32, which is computed in
    ],
    ids=["complex", "whole", "truth", "8 bits", "beyond float32"],
)
def test_foreign_weights_that_no_network_computes_with_are_refused(foreign_file, tmp_path, spoiled, said):
    name = "segmentation_head.classifier.convolution.weight"
    state = torch.load(foreign_file)
    torch.save(state | {name: spoiled(state[name])}, foreign_file)
    with pytest.raises(WeightsError, match=re.escape(f"the weights w.safetensors {said}")):
        conversion.convert_file(foreign_file, "transformers", SPEC.name, tmp_path / "w.safetensors", CAMVID)
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_foreign_weights_of_other_precision_are_taken(foreign_file, tmp_path, kind):
    torch.save({key: value.to(kind) for key, value in torch.load(foreign_file).items()}, foreign_file)
    conversion.convert_file(foreign_file, "transformers", SPEC.name, tmp_path / "w.safetensors", CAMVID)
    loaded = model_io.load(tmp_path / "w.safetensors").network.state_dict()["classifier.weight"]
    assert torch.equal(loaded, network(SPEC, 11).state_dict()["classifier.weight"].to(kind).float())
