import pytest
import timm
import torch
import torch.nn.functional as F
from calibration import relative_difference

from segcli.models.networks.deeplab import build
from segcli.models.networks.vgg import VGG16
from segcli.models.spec import BackboneSpec
from segcli.models.variants import get

CAFFE = BackboneSpec("vgg16", pool_ceil=True)
IMAGENET = BackboneSpec("vgg16", pool_kernel=2)


def lively(network):
    """He-initialised, so that thirteen ReLUs do not shrink the signal to nothing."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    return network.eval()


def test_features_equal_timm_with_pool_kernel_2():
    theirs = lively(timm.create_model("vgg16", num_classes=0))
    ours = VGG16(IMAGENET, 32).eval()
    ours.features.load_state_dict(theirs.features.state_dict())
    photo = torch.randn(1, 3, 75, 97)
    with torch.no_grad():
        assert relative_difference(ours(photo)[0], theirs.features(photo)) <= 1e-4


def test_output_stride_8_is_caffes_deeplab():
    network = lively(VGG16(CAFFE, 8))
    photo = torch.randn(1, 3, 65, 57)
    weights = iter(network.features.state_dict().values())
    x = photo
    for convs, rate, stride in ((2, 1, 2), (2, 1, 2), (3, 1, 2), (3, 1, 1), (3, 2, 1)):
        for _ in range(convs):
            x = F.relu(F.conv2d(x, next(weights), next(weights), padding=rate, dilation=rate))
        x = F.max_pool2d(x, 3, stride, 1, ceil_mode=True)
    with torch.no_grad():
        assert relative_difference(network(photo)[0], x) <= 1e-6


def test_multi_scale_features_are_the_authors():
    """DeepLab-MSc-LargeFOV: 128 filters of 3x3 at stride 8, 4, 2, 1 and 1, 128 of 1x1, and a classifier, all summed.

    The strides and the sum are those of the authors' train.prototxt, as two ports of it to torch have them.
    """
    network = lively(build(get("v1-vgg16+multi_scale_channels=128"), 3))
    weights = {name: tensor.detach() for name, tensor in network.named_parameters()}
    photo = torch.randn(1, 3, 65, 97)
    x, pools, index = photo, [photo], 0
    for convs, rate, stride in ((2, 1, 2), (2, 1, 2), (3, 1, 2), (3, 1, 1), (3, 2, 1)):
        for _ in range(convs):
            name = f"backbone.features.{index}"
            x = F.relu(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=rate, dilation=rate))
            index += 2
        x, index = F.max_pool2d(x, 3, stride, 1, ceil_mode=True), index + 1
        pools.append(x)

    def layer(x, name, **how):
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **how)

    x = F.relu(layer(x, "classifier.0.fc6", padding=12, dilation=12))
    total = layer(F.relu(layer(x, "classifier.0.fc7")), "classifier.0.fc8")
    for number, (tap, stride) in enumerate(zip(pools[:5], (8, 4, 2, 1, 1), strict=True)):
        x = F.relu(layer(tap, f"multi_scale.{number}.conv1", stride=stride, padding=1))
        total = total + layer(F.relu(layer(x, f"multi_scale.{number}.conv2")), f"multi_scale.{number}.classifier")
    with torch.no_grad():
        logits = network(photo)
    assert logits.shape == (1, 3, 9, 13)
    assert relative_difference(logits, total) <= 1e-5
    used = {name.rpartition(".")[0] for name in weights}
    assert len(used) == 13 + 3 + 5 * 3, "and nothing else has weights"


def test_multi_scale_features_of_other_sides_are_brought_to_the_last_features_side():
    """Caffe refuses such inputs: 320 gives 41 features by pooling, but 40 by a stride of 8."""
    with torch.device("meta"):
        network = build(get("v1-vgg16+multi_scale_channels=16"), 21).eval()
        assert network(torch.empty(1, 3, 320, 306)).shape == (1, 21, 41, 40)


@pytest.mark.parametrize(("side", "expected"), [(321, 41), (320, 41), (306, 40), (513, 65), (33, 5)])
def test_caffe_rounds_sides_up(side, expected):
    with torch.device("meta"):
        assert VGG16(CAFFE, 8)(torch.empty(1, 3, side, side))[0].shape == (1, 512, expected, expected)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_one_set_of_weights_serves_every_output_stride(output_stride):
    with torch.device("meta"):
        network = VGG16(CAFFE, output_stride)
        network.load_state_dict(VGG16(CAFFE, 8).state_dict())
        side = network(torch.empty(1, 3, 321, 321))[0].shape[-1]
    assert side == {8: 41, 16: 21, 32: 11}[output_stride]
