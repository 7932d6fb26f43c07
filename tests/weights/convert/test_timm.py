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
from segcli.weights.convert.layouts import convert

MOBILENETV2 = variants.get("v3-mobilenetv2")
# timm's MobileNetV2 was trained in torch: padded on both sides, another eps than TensorFlow's.
TORCH_MOBILENETV2 = replace(MOBILENETV2, backbone=replace(MOBILENETV2.backbone, padding="symmetric", bn_eps=1e-5))


@cache
def peer(name: str, output_stride: int) -> torch.nn.Module:
    return calibrate(timm.create_model(name, output_stride=output_stride), size=33)


def ours(tensors: dict, spec: variants.ModelSpec, output_stride: int) -> torch.nn.Module:
    with torch.device("meta"):
        backbone = deeplab.build(spec, 1, output_stride).backbone
    tensors = convert(tensors, "timm", spec)
    backbone.load_state_dict({name.removeprefix("backbone."): tensor for name, tensor in tensors.items()}, assign=True)
    return backbone.eval()


@torch.no_grad()
def difference(backbone: torch.nn.Module, theirs: torch.nn.Module, side: int = 49) -> float:
    x = torch.randn(1, 3, side, side)
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


MUTANTS = {
    "kernels swapped": lambda t: ours(swapped(t, "conv_dw.weight"), TORCH_MOBILENETV2, 8),
    "shifts swapped": lambda t: ours(swapped(t, "bn2.bias"), TORCH_MOBILENETV2, 8),
    "statistics dropped": lambda t: ours(without_statistics(t), TORCH_MOBILENETV2, 8),
    "TensorFlow's eps and padding": lambda t: ours(t, MOBILENETV2, 8),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutation_breaks_the_equality(mutant):
    theirs = peer("mobilenetv2_100", 8)
    assert difference(mutant(theirs.state_dict()), theirs, 64) > 1e-4


def test_a_stride_in_the_first_1x1_breaks_the_equality():
    theirs = peer("resnet50", 32)
    spec = variants.get("v3-resnet50")
    caffe = replace(spec, backbone=replace(spec.backbone, stride_in="1x1"))
    assert difference(ours(theirs.state_dict(), caffe, 32), theirs) > 1e-4


@pytest.mark.parametrize("name", ["v3-mobilenetv2-dm05", "v3-mobilenetv3", "v3plus-resnet101-beta"])
def test_backbones_that_timm_lacks_are_refused(name):
    with pytest.raises(UsageError, match=f"timm has no backbone for {name}"):
        convert({}, "timm", variants.get(name))


def test_another_network_is_refused_with_the_tensor_that_betrays_it():
    with torch.device("meta"):
        tensors = timm.create_model("resnet101").state_dict()
    with pytest.raises(WeightsError, match=r"unknown tensor layer3\.10\.bn1\.bias"):
        convert(tensors, "timm", variants.get("v3-resnet50"))
