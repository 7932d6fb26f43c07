from dataclasses import replace

import pytest
import torch
from calibration import calibrate
from torch import nn

from segcli.errors import UsageError
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.models.variants import VARIANTS

BUILDS = [(spec, stride) for spec in VARIANTS.values() for stride in spec.output_strides]
IDS = [f"{spec.name}-os{stride}" for spec, stride in BUILDS]
SIDES = ((33, 514), (250, 1025))
"""Of the inputs of the builds, in turns: a side of the trained grid and one beside it."""
SMALL = variants.get("v3plus-mobilenetv2")


@pytest.fixture
def quick_meta(monkeypatch):
    """BN keeps every shape, and on meta tensors it costs ten times the rest."""
    monkeypatch.setattr(nn.BatchNorm2d, "forward", lambda self, x: x)


@pytest.mark.usefixtures("quick_meta")
@pytest.mark.parametrize(("index", "build"), list(enumerate(BUILDS)), ids=IDS)
def test_logits_have_the_promised_sides(index, build):
    spec, output_stride = build
    at, sides = 4 if spec.decoder else output_stride, SIDES[index % 2]
    with torch.device("meta"), torch.no_grad():
        logits = deeplab.build(spec, 21, output_stride).eval()(torch.empty(1, 3, *sides))
    assert logits.shape[:2] == (1, 21)
    for side, out in zip(sides, logits.shape[2:], strict=True):
        # Caffe's pooling rounds up even where its last window sees one pixel
        assert 0 <= out - -(-side // at) <= spec.backbone.pool_ceil


@pytest.mark.parametrize(
    ("name", "output_stride"),
    [
        *(("v2-vgg16", 8), ("v3-resnet50", 8), ("v3-mobilenetv3", 16), ("v3plus-xception41", 16)),
        *(("v3plus-mobilenetv2", 8), ("v3plus-mobilenetv2", 16), ("v3plus-mobilenetv2", 32)),
    ],
)
def test_calibrated_networks_give_finite_lively_logits(name, output_stride):
    network = calibrate(deeplab.build(variants.get(name), 21, output_stride), size=33)
    with torch.no_grad():
        for side in (33, 64, 97):
            logits = network(torch.randn(1, 3, side, side))
            assert torch.isfinite(logits).all()
            assert logits.abs().max() > 1e-3


@pytest.mark.parametrize("name", ["v3-mobilenetv2", "v3-mobilenetv3", "v3plus-mobilenetv2", "v3plus-xception41"])
def test_trains_with_batch_1(name):
    network = deeplab.build(variants.get(name), 3).train()
    before = network.aspp.pooling.bn.running_mean.clone()
    network(torch.randn(1, 3, 65, 65)).square().sum().backward()
    assert torch.equal(network.aspp.pooling.bn.running_mean, before)
    assert network.aspp.pooling.conv.weight.grad.abs().sum() > 0
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def test_weights_of_one_output_stride_serve_another():
    network = calibrate(deeplab.build(SMALL, 5, 16))
    for output_stride in (8, 32):
        other = deeplab.build(SMALL, 5, output_stride)
        other.load_state_dict(network.state_dict())
        assert other.eval()(torch.randn(1, 3, 64, 97)).shape == (1, 5, 16, 25)


def test_in_training_several_scales_give_a_list_whose_last_is_the_maximum():
    spec = variants.get("v2-resnet101-nomsc")
    network = calibrate(deeplab.build(replace(spec, backbone=replace(spec.backbone, kind="resnet50")), 4), size=33)
    network.scales, x = (0.5, 0.75), torch.randn(1, 3, 97, 97)
    with torch.no_grad():
        fused = network(x)
        network.training = True  # this module alone: BN stays as it is
        full, half, three_quarters, last = network(x)
    assert [out.shape[-1] for out in (full, half, three_quarters, last)] == [13, 7, 10, 13]
    enlarged = [nn.functional.interpolate(out, size=(13, 13), mode="bilinear") for out in (half, three_quarters)]
    assert torch.equal(last, full.maximum(enlarged[0]).maximum(enlarged[1]))
    assert torch.equal(last, fused)


def test_an_output_stride_that_a_model_lacks_is_refused():
    with pytest.raises(UsageError, match=r"v1-vgg16 cannot have output stride 16\. It can have 8"):
        deeplab.build(variants.get("v1-vgg16"), 21, 16)


def rates(module: nn.Module) -> list[int]:
    return [m.dilation[0] for m in module.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[0] > 1]


@pytest.mark.parametrize(("output_stride", "expected"), [(32, [3, 6, 9]), (16, [6, 12, 18]), (8, [12, 24, 36])])
def test_the_pyramids_rates_follow_the_output_stride(output_stride, expected):
    with torch.device("meta"):
        assert rates(deeplab.build(SMALL, 21, output_stride).aspp.atrous) == expected
        assert rates(deeplab.build(variants.get("v3-resnet50"), 21, output_stride).aspp.atrous) == expected


def test_two_taps_are_merged_coarsest_first():
    with torch.device("meta"):
        network = deeplab.build(variants.get("v3plus-resnet101-beta-conv3"), 21)
    inputs = [(step.reduce.conv.in_channels, step.convs[0].conv.in_channels) for step in network.decoder]
    assert inputs == [(512, 256 + 48), (256, 256 + 48)]


def test_the_orders_of_concatenation_are_honoured():
    """The same weights with the two inputs of a layer exchanged must give the same logits."""
    network = calibrate(deeplab.build(SMALL, 5))
    spec = replace(
        SMALL, head=replace(SMALL.head, pool_first=False), decoder=replace(SMALL.decoder, low_level_first=True)
    )
    other = deeplab.build(spec, 5).eval()
    tensors = network.state_dict()
    tensors["aspp.project.conv.weight"] = tensors["aspp.project.conv.weight"].roll(-256, 1)
    for name in ("conv_dw.weight", "bn_dw.weight", "bn_dw.bias", "bn_dw.running_mean", "bn_dw.running_var"):
        tensors[f"decoder.0.convs.0.{name}"] = tensors[f"decoder.0.convs.0.{name}"].roll(48, 0)
    name = "decoder.0.convs.0.conv_pw.weight"
    tensors[name] = tensors[name].roll(48, 1)
    other.load_state_dict(tensors)
    x = torch.randn(1, 3, 65, 65)
    with torch.no_grad():
        assert torch.allclose(network(x), other(x), atol=1e-4)
