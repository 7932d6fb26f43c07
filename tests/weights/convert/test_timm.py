from dataclasses import replace
from functools import cache

import pytest
import timm
import torch
from calibration import calibrate, relative_difference
from mutations import swapped, without_statistics

from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.weights import manifest
from segcli.weights.convert.layouts import convert

MOBILENETV2 = variants.get("v3-mobilenetv2")
# timm's MobileNetV2 was trained in torch: padded on both sides, another eps than TensorFlow's.
TORCH_MOBILENETV2 = replace(MOBILENETV2, backbone=replace(MOBILENETV2.backbone, padding="symmetric", bn_eps=1e-5))


def as_published(variant: str) -> variants.ModelSpec:
    """The variant as its ImageNet backbone was trained."""
    spec = variants.get(variant)
    return manifest.adapted(spec, manifest.backbone(spec).spec)


def with_stem(kind: str, stem: str) -> variants.ModelSpec:
    spec = variants.get("v3-resnet50")
    return replace(spec, backbone=replace(spec.backbone, kind=kind, stem=stem))


BETA = as_published("v3plus-resnet101-beta")
MOBILENETV3 = as_published("v3-mobilenetv3")


@cache
def peer(name: str, output_stride: int) -> torch.nn.Module:
    options = {} if output_stride == 32 else {"output_stride": output_stride}  # its MobileNetV3 has no other
    return calibrate(timm.create_model(name, **options), size=33)


def ours(tensors: dict, spec: variants.ModelSpec, output_stride: int) -> torch.nn.Module:
    with torch.device("meta"):
        backbone = deeplab.build(spec, 1, output_stride).backbone
    tensors = convert(tensors, "timm", spec)
    backbone.load_state_dict({name.removeprefix("backbone."): tensor for name, tensor in tensors.items()}, assign=True)
    return backbone.eval()


@torch.no_grad()
def difference(backbone: torch.nn.Module, theirs: torch.nn.Module, side: int = 49) -> float:
    x = torch.randn(1, 3, side, side)
    if "blocks.6.0.conv.weight" in theirs.state_dict():  # MobileNetV3, whose last convolution is in its blocks
        return relative_difference(backbone(x)[-1], theirs.blocks(theirs.bn1(theirs.conv_stem(x))))
    if hasattr(theirs, "conv_head"):  # its last 1x1 convolution belongs to the classifier
        return relative_difference(backbone(x)[-1], theirs.blocks(theirs.bn1(theirs.conv_stem(x))))
    return relative_difference(backbone(x)[-1], theirs.forward_features(x))


@pytest.mark.parametrize("output_stride", [8, 32])
@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("resnet50", variants.get("v3-resnet50")),
        ("resnet101", variants.get("v3plus-resnet101")),
        ("mobilenetv2_100", TORCH_MOBILENETV2),
    ],
)
def test_equals_timm_on_odd_and_even_sides(name, spec, output_stride):
    theirs = peer(name, output_stride)
    backbone = ours(theirs.state_dict(), spec, output_stride)
    assert difference(backbone, theirs, 49) <= 1e-4
    assert difference(backbone, theirs, 48) <= 1e-4


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("mobilenetv3_large_100", MOBILENETV3),
        ("resnet50s", with_stem("resnet50", "3x3x3")),
        ("resnet50c", with_stem("resnet50", "3x3x3-32")),
    ],
)
def test_equals_timm_undilated(name, spec):
    theirs = peer(name, 32)
    assert difference(ours(theirs.state_dict(), spec, 32), theirs, 49) <= 1e-4


def test_strides_in_the_last_units_break_the_equality():
    theirs, spec = peer("resnet50s", 32), with_stem("resnet50", "3x3x3")
    late = replace(spec, backbone=replace(spec.backbone, stride_in="last-unit"))
    assert difference(ours(theirs.state_dict(), late, 32), theirs) > 1e-4


def test_the_beta_variants_take_every_tensor_of_timms_resnet101s():
    with torch.device("meta"):
        theirs = timm.create_model("resnet101s").state_dict()
    backbone = ours(theirs, BETA, 16)  # every name and shape, or it raises
    assert len(backbone.state_dict()) == len(theirs) - len(("fc.weight", "fc.bias"))


MUTANTS = {
    "kernels swapped": lambda t: ours(swapped(t, "conv_dw.weight"), TORCH_MOBILENETV2, 8),
    "shifts swapped": lambda t: ours(swapped(t, "bn2.bias"), TORCH_MOBILENETV2, 8),
    "statistics dropped": lambda t: ours(without_statistics(t), TORCH_MOBILENETV2, 8),
    "TensorFlow's eps and padding": lambda t: ours(t, MOBILENETV2, 8),
}
V3_MUTANTS = {
    "squeezes swapped": lambda t: ours(swapped(t, "se.conv_reduce.weight"), MOBILENETV3, 32),
    "torchvision's eps": lambda t: ours(t, variants.get("v3-mobilenetv3"), 32),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutation_breaks_the_equality(mutant):
    theirs = peer("mobilenetv2_100", 8)
    assert difference(mutant(theirs.state_dict()), theirs, 64) > 1e-4


@pytest.mark.parametrize("mutant", V3_MUTANTS.values(), ids=V3_MUTANTS)
def test_a_mutation_of_mobilenetv3_breaks_the_equality(mutant):
    theirs = peer("mobilenetv3_large_100", 32)
    assert difference(mutant(theirs.state_dict()), theirs, 64) > 1e-4


def test_a_stride_in_the_first_1x1_breaks_the_equality():
    theirs = peer("resnet50", 32)
    spec = variants.get("v3-resnet50")
    caffe = replace(spec, backbone=replace(spec.backbone, stride_in="1x1"))
    assert difference(ours(theirs.state_dict(), caffe, 32), theirs) > 1e-4


def test_a_backbone_that_timm_lacks_is_refused():
    with pytest.raises(UsageError, match="timm has no backbone for v3-mobilenetv2-dm05"):
        convert({}, "timm", variants.get("v3-mobilenetv2-dm05"))


def test_another_network_is_refused_with_the_tensor_that_betrays_it():
    with torch.device("meta"):
        tensors = timm.create_model("resnet101").state_dict()
    with pytest.raises(WeightsError, match=r"unknown tensor layer3\.10\.bn1\.bias"):
        convert(tensors, "timm", variants.get("v3-resnet50"))
