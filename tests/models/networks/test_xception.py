import pytest
import torch
from calibration import calibrate, relative_difference
from peers import timm_xception

from segcli.models.networks.xception import Xception
from segcli.models.spec import BackboneSpec

KINDS = ("xception41", "xception65", "xception71")


def spec(kind, taps=("conv2", "conv3")):
    return BackboneSpec(kind, taps=taps, bn_eps=1e-3)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("kind", KINDS)
def test_features_equal_timm(kind, output_stride):
    theirs = calibrate(timm_xception(kind, output_stride), size=65)
    ours = Xception(spec(kind), output_stride).eval()
    ours.load_state_dict(theirs.state_dict())
    photo = torch.randn(1, 3, 75, 97)
    with torch.no_grad():
        *_, features = ours(photo)
        expected = theirs.forward_features(photo)
    assert relative_difference(features, expected) <= 1e-4


@pytest.mark.parametrize(("kind", "conv2", "conv3"), [("xception65", 1, 2), ("xception71", 2, 4)])
def test_taps_are_the_second_pointwise_before_relu_at_strides_4_and_8(kind, conv2, conv3):
    theirs = calibrate(timm_xception(kind, 16))
    ours = Xception(spec(kind), 16).eval()
    ours.load_state_dict(theirs.state_dict())
    seen = {}
    for name, index in (("conv2", conv2), ("conv3", conv3)):
        # A clone, since timm's next ReLU works in place and would overwrite what the hook has seen.
        theirs.blocks[index].stack.conv2.register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: output.clone()})
        )
    photo = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        low, mid, _ = ours(photo)
        theirs.forward_features(photo)
    assert low.shape == (1, 256, 17, 25)
    assert mid.shape == (1, 728, 9, 13)
    assert (low.min() < -0.1, mid.min() < -0.1) == (True, True), "a ReLU has been over it"
    assert relative_difference(low, seen["conv2"]) <= 1e-4
    assert relative_difference(mid, seen["conv3"]) <= 1e-4


def test_taps_follow_the_spec():
    network = Xception(spec("xception41", taps=()), 16).eval()
    assert (network.tap_channels, len(network(torch.randn(1, 3, 33, 33)))) == ((), 1)
    network = Xception(spec("xception41", taps=("conv2",)), 16).eval()
    assert (network.tap_channels, len(network(torch.randn(1, 3, 33, 33)))) == ((256,), 2)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("kind", ["xception65", "xception71"])
def test_sides_are_rounded_up_at_every_output_stride(kind, output_stride):
    with torch.device("meta"):
        network = Xception(spec(kind), output_stride)
        for side in (33, 64, 97, 1025):
            low, mid, last = network(torch.empty(2, 3, side, side + 7))
            for features, stride in ((low, 4), (mid, 8), (last, output_stride)):
                assert features.shape[2:] == (-(-side // stride), -(-(side + 7) // stride))


def test_gradients_reach_the_stem_through_a_tap():
    network = Xception(spec("xception41", taps=("conv2",)), 16).train()
    tap, last = network(torch.randn(2, 3, 33, 33))
    (tap.square().mean() + last.square().mean()).backward()
    assert network.stem[0].conv.weight.grad.abs().sum() > 0
