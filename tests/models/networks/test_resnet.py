from dataclasses import replace

import pytest
import torch

from segcli.models.networks.resnet import ResNet
from segcli.models.spec import BackboneSpec
from segcli.models.variants import BETA_RESNET101, RESNET50, RESNET101, VARIANTS

CAFFE = VARIANTS["v2-resnet101"].backbone
CASCADE = VARIANTS["v3-resnet101-cascade"].backbone


def rates(spec: BackboneSpec, output_stride: int) -> dict[str, list[int]]:
    """The dilations of each stage's 3x3 convolutions."""
    with torch.device("meta"):
        network = ResNet(spec, output_stride)
    return {stage: [unit.conv2.dilation[0] for unit in getattr(network, stage)] for stage in network.stages}


def strides(spec: BackboneSpec, output_stride: int) -> dict[str, list[tuple[int, int]]]:
    """The strides of each unit's first 1x1 and of its 3x3."""
    with torch.device("meta"):
        network = ResNet(spec, output_stride)
    return {
        stage: [(unit.conv1.stride[0], unit.conv2.stride[0]) for unit in getattr(network, stage)]
        for stage in network.stages
    }


def test_a_stages_first_unit_keeps_the_previous_rate_in_torchvision_and_not_in_caffe():
    assert rates(RESNET50, 8) == {
        "layer1": [1] * 3,
        "layer2": [1] * 4,
        "layer3": [1] + [2] * 5,
        "layer4": [2, 4, 4],
    }
    assert rates(CAFFE, 8)["layer3"] == [2] * 23
    assert rates(CAFFE, 8)["layer4"] == [4] * 3


def test_strides_sit_where_each_source_has_them():
    assert strides(CAFFE, 8)["layer2"] == [(2, 1), (1, 1), (1, 1), (1, 1)]
    assert strides(RESNET50, 32)["layer4"] == [(1, 2), (1, 1), (1, 1)]
    beta = strides(BETA_RESNET101, 32)
    assert beta["layer1"] == [(1, 1), (1, 1), (1, 2)]
    assert beta["layer3"] == [(1, 1)] * 22 + [(1, 2)]
    assert beta["layer4"] == [(1, 1)] * 3


@pytest.mark.parametrize(
    ("output_stride", "layer3", "layer4"), [(32, 1, [1, 2, 4]), (16, 1, [2, 4, 8]), (8, 2, [4, 8, 16])]
)
def test_multi_grid_multiplies_the_rates_of_tensorflows_last_stage(output_stride, layer3, layer4):
    found = rates(BETA_RESNET101, output_stride)
    assert found["layer3"] == [layer3] * 23
    assert found["layer4"] == layer4


def test_the_cascade_doubles_its_rate_at_every_stage():
    """v3 paper, Figure 3b: rates 2, 4, 8, 16 in block4 to block7 at output stride 16, with multi-grid (1, 2, 1)."""
    found = rates(CASCADE, 16)
    expected = {f"layer{4 + i}": [rate, 2 * rate, rate] for i, rate in enumerate((2, 4, 8, 16))}
    assert {stage: found[stage] for stage in expected} == expected


def test_without_atrous_convolution_the_cascade_reaches_output_stride_256():
    with torch.device("meta"):
        assert ResNet(CASCADE, 256)(torch.empty(1, 3, 513, 513))[-1].shape == (1, 2048, 3, 3)
    assert {rate for stage in rates(CASCADE, 256).values() for rate in stage} == {1, 2}


@pytest.mark.parametrize("spec", [RESNET101, BETA_RESNET101], ids=["torchvision", "tensorflow"])
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_taps_are_the_last_features_before_striding(spec, output_stride):
    spec = replace(spec, taps=("conv2", "conv3"))
    with torch.device("meta"):
        network = ResNet(spec, output_stride)
        conv2, conv3, last = network(torch.empty(1, 3, 65, 97))
    assert network.tap_channels == (256, 512)
    assert conv2.shape == (1, 256, 17, 25)
    assert conv3.shape == (1, 512, 9, 13)
    assert last.shape[1] == network.channels == 2048


@torch.no_grad()
def test_tensorflows_taps_are_the_residual_branches_before_the_sum():
    """The decoder's end point of TensorFlow's resnet_v1_101_beta is block1/unit_2/bottleneck_v1/conv3."""
    network = ResNet(replace(BETA_RESNET101, kind="resnet50", taps=("conv2", "conv3")), 16).eval()
    branches = []
    for unit in (network.layer1[1], network.layer2[2]):
        unit.bn3.register_forward_hook(lambda *call: branches.append(call[-1]))
    *taps, _ = network(torch.randn(1, 3, 33, 33))
    assert all(map(torch.equal, taps, branches))
    assert all(tap.min() < 0 for tap in taps)
    network.tap_branch = False
    assert all(output.min() == 0 for output in network(torch.randn(1, 3, 33, 33))[:2])


def test_where_the_tap_is_changes_nothing_behind_it():
    network = ResNet(replace(BETA_RESNET101, kind="resnet50", taps=("conv2",)), 16).eval()
    x = torch.randn(1, 3, 33, 33)
    before = network(x)[-1]
    network.tap_branch = False
    assert torch.equal(network(x)[-1], before)


@pytest.mark.parametrize(
    ("stem", "widths"), [("3x3x3", (64, 64, 128)), ("3x3x3-32", (32, 32, 64))], ids=["TensorFlow", "mmsegmentation"]
)
def test_a_deep_stem_has_three_3x3(stem, widths):
    with torch.device("meta"):
        made = ResNet(replace(BETA_RESNET101, stem=stem), 16).conv1
    shapes = [tuple(m.weight.shape) for m in made if hasattr(m, "kernel_size")]
    assert shapes == [(after, before, 3, 3) for before, after in zip((3, *widths), widths, strict=False)]


def test_a_unit_without_projection_keeps_every_second_pixel_on_its_shortcut():
    spec = replace(RESNET50, stride_in="last-unit")
    unit = ResNet(spec, 32).eval().layer1[-1]
    torch.nn.init.zeros_(unit.bn3.weight)  # the branch gives 0, the shortcut alone remains
    x = torch.rand(1, 256, 9, 10)
    assert torch.equal(unit(x), x[:, :, ::2, ::2])
