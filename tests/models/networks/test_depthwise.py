"""Dilated depthwise convolutions: torch's outputs to the bit, torch's gradients, and torch's own code elsewhere."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from segcli.models.networks import depthwise
from segcli.models.networks.depthwise import DilatedDepthwise
from segcli.models.networks.layers import conv2d


def gradients(output, *inputs):
    return torch.autograd.grad((output * torch.linspace(-1, 2, output.numel()).view_as(output)).sum(), inputs)


@pytest.mark.parametrize("cached", [1, 2**20])
@pytest.mark.parametrize(
    ("kernel", "dilation", "side"), [(3, 2, (9, 8)), (5, 2, (11, 6)), (3, 6, (13, 5)), (3, 18, (17, 17))]
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_outputs_and_gradients_are_torchs(kernel, dilation, side, layout, cached, monkeypatch):
    """Also where a dilation reaches beyond the picture, on either axis, and channels are taken one by one."""
    monkeypatch.setattr(depthwise, "CACHED", cached)
    ours = DilatedDepthwise(6, kernel, dilation).double()
    x = torch.randn(3, 6, *side, dtype=torch.double).contiguous(memory_format=layout).requires_grad_()
    theirs = F.conv2d(x, ours.weight, None, 1, dilation * (kernel // 2), dilation, 6)
    assert torch.equal(ours(x), theirs)
    for own, other in zip(gradients(ours(x), x, ours.weight), gradients(theirs, x, ours.weight), strict=True):
        assert torch.allclose(own, other, rtol=1e-12, atol=1e-12)


def test_what_does_not_learn_gets_no_gradient():
    layer, x = DilatedDepthwise(4, 3, 2), torch.randn(1, 4, 7, 7)
    layer(x).sum().backward()
    assert layer.weight.grad.abs().min() > 0
    assert x.grad is None
    layer.weight.grad = None
    layer.requires_grad_(False)(x.requires_grad_()).sum().backward()
    assert layer.weight.grad is None
    assert x.grad.abs().max() > 0


def test_torchs_own_code_computes_where_nothing_is_trained(monkeypatch):
    """So exports, half precision and other devices see a convolution as any other."""
    monkeypatch.setattr(depthwise._Convolution, "apply", None)
    layer, x = DilatedDepthwise(4, 3, 2), torch.randn(1, 4, 7, 7)
    layer.eval()(x)
    layer.train()
    with torch.no_grad():
        layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    layer.to("meta")(x.to("meta"))
    with pytest.raises(TypeError):
        layer.to_empty(device="cpu")(x)


def test_only_dilated_depthwise_convolutions_of_stride_1_are_such():
    assert type(conv2d(4, 4, 3, dilation=2, groups=4)) is DilatedDepthwise
    others = [{"groups": 4}, {"dilation": 2}, {"dilation": 2, "groups": 2}, {"dilation": 2, "groups": 4, "stride": 2}]
    assert {type(conv2d(4, 4, 3, **kind)) for kind in others} == {nn.Conv2d}
    assert conv2d(4, 4, 3, dilation=2, groups=4).padding == (2, 2)
