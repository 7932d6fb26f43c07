"""The peer is torchvision's ResNet-101 with the strides, dilations and pooling of the Caffe prototxt."""

import re
from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from calibration import calibrate, relative_difference
from mutations import swapped, without_statistics
from torch import nn
from torchvision.models import resnet101

from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.weights.convert.layouts import convert

SPEC = variants.get("v2-resnet101")
SINGLE_SCALE = variants.get("v2-resnet101-nomsc")
RATES = (6, 12, 18, 24)


class CaffeDeepLabV2(nn.Module):
    def __init__(self):
        super().__init__()
        net = resnet101(weights=None)
        net.maxpool.ceil_mode = True
        net.layer2[0].conv1.stride, net.layer2[0].conv2.stride = (2, 2), (1, 1)
        for layer, rate in ((net.layer3, 2), (net.layer4, 4)):
            layer[0].downsample[0].stride = (1, 1)
            for unit in layer:
                unit.conv2.stride, unit.conv2.dilation, unit.conv2.padding = (1, 1), (rate, rate), (rate, rate)
        names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        self.base = nn.Sequential()
        for name in names:
            self.base.add_module(name, getattr(net, name))
        self.aspp = nn.ModuleList(nn.Conv2d(2048, 21, 3, padding=r, dilation=r) for r in RATES)

    def forward(self, x):
        x = self.base(x)
        return sum(branch(x) for branch in self.aspp)


PUBLIC_NAMES = (
    (r"^base\.conv1\.", "base.layer1.conv1.conv."),
    (r"^base\.bn1\.", "base.layer1.conv1.bn."),
    (r"^base\.layer(\d)\.(\d+)\.", lambda m: f"base.layer{int(m[1]) + 1}.block{int(m[2]) + 1}."),
    (r"\.(conv|bn)1\.(?=\w+$)", r".reduce.\1."),
    (r"\.(conv|bn)2\.(?=\w+$)", r".conv3x3.\1."),
    (r"\.(conv|bn)3\.(?=\w+$)", r".increase.\1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.bn."),
    (r"^aspp\.(\d)\.", r"base.aspp.c\1."),
)


def public(name: str) -> str:
    """The name in deeplabv2_resnet101_msc-vocaug-20000.pth of a tensor of the peer."""
    for pattern, new in PUBLIC_NAMES:
        name = re.sub(pattern, new, name)
    return name


@cache
def peer() -> nn.Module:
    return calibrate(CaffeDeepLabV2(), size=33)


def checkpoint() -> dict:
    return {public(name): tensor for name, tensor in peer().state_dict().items()}


def ours(tensors: dict, spec: variants.ModelSpec = SINGLE_SCALE) -> nn.Module:
    with torch.device("meta"):
        network = deeplab.build(spec, 21)
    network.load_state_dict(convert(tensors, "caffe-v2", spec), assign=True)
    return network.eval()


@torch.no_grad()
def difference(network: nn.Module, side: int = 97) -> float:
    x = torch.randn(1, 3, side, side)
    return relative_difference(network(x), peer()(x))


def test_the_checkpoint_has_the_public_names():
    names = {name for name in checkpoint() if not name.endswith("num_batches_tracked")}
    assert len(names) == 104 * 5 + 8, "104 convolutions with BN, four classifiers with bias"
    assert {
        "base.layer1.conv1.conv.weight",
        "base.layer2.block1.shortcut.bn.running_var",
        "base.layer4.block23.conv3x3.conv.weight",
        "base.layer5.block3.increase.bn.bias",
        "base.aspp.c3.bias",
    } <= names


@pytest.mark.parametrize("side", [97, 64, 90])
def test_equals_the_caffe_layout(side):
    assert difference(ours(checkpoint()), side) <= 1e-4


def backbone(**changes) -> variants.ModelSpec:
    return replace(SINGLE_SCALE, backbone=replace(SINGLE_SCALE.backbone, **changes))


MUTANTS = {
    "kernels swapped": lambda t: ours(swapped(t, "conv3x3.conv.weight")),
    "classifiers swapped": lambda t: ours(swapped(t, "aspp.c")),
    "statistics dropped": lambda t: ours(without_statistics(t)),
    "another eps": lambda t: ours(t, backbone(bn_eps=1e-3)),
    "stride in the 3x3": lambda t: ours(t, backbone(stride_in="3x3")),
    "first unit at the previous rate": lambda t: ours(t, backbone(strided_unit_rate="previous")),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutation_breaks_the_equality(mutant):
    assert difference(mutant(checkpoint())) > 1e-4


@pytest.mark.parametrize(("rounded_up", "expected"), [(True, 9), (False, 8)])
def test_pooling_rounds_sides_up(rounded_up, expected):
    network = ours(checkpoint(), backbone(pool_ceil=rounded_up))
    assert network(torch.zeros(1, 3, 64, 64)).shape[2:] == (expected, expected)


@torch.no_grad()
def test_three_scales_are_fused_by_maximum():
    x = torch.randn(1, 3, 97, 97)
    logits = peer()(x)
    for scale, side in ((0.5, 48), (0.75, 72)):
        small = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
        assert small.shape[2:] == (side, side)
        logits = logits.maximum(F.interpolate(peer()(small), size=logits.shape[2:], mode="bilinear"))
    assert relative_difference(ours(checkpoint(), SPEC)(x), logits) <= 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("base.layer3.block2.reduce.bn.running_mean"), "lacks the tensor base.layer3.block2.reduce.bn"),
        (lambda t: t.update({"base.aspp.c4.weight": 0}), "unknown tensor base.aspp.c4.weight"),
    ],
    ids=["missing", "unknown"],
)
def test_a_tensor_too_few_or_too_many_is_named(change, message):
    tensors = checkpoint()
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        convert(tensors, "caffe-v2", SPEC)


def test_models_of_other_papers_are_refused():
    with pytest.raises(UsageError, match="has no v3-resnet101"):
        convert({}, "caffe-v2", variants.get("v3-resnet101"))
