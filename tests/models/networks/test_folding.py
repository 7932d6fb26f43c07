"""Frozen batch normalisation inside its convolution: the outputs and gradients of the two, one after the other."""

import pytest
import torch
from torch import nn

from segcli.models.networks import folding
from segcli.models.networks.folding import normalised
from segcli.models.networks.layers import conv2d

KINDS = {
    "plain": {"kernel": 3},
    "pointwise": {},
    "dilated depthwise": {"kernel": 3, "dilation": 2, "groups": 6},
    "same padding": {"kernel": 3, "stride": 2, "padding": "same"},
}


def layers(kind):
    conv, norm = conv2d(6, 6, **KINDS[kind]).double(), nn.BatchNorm2d(6, eps=0.01).double()
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            values.uniform_(0.5, 2)
    return conv, norm


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_those_of_the_two(kind, monkeypatch):
    conv, norm = layers(kind)
    norm.eval()
    x = torch.randn(2, 6, 8, 7, dtype=torch.double, requires_grad=True)
    found = []
    for frozen in (False, True):
        norm.requires_grad_(not frozen)
        if frozen:
            monkeypatch.setattr(norm, "forward", None)
        output = normalised(conv, norm, x)
        found.append((output, *torch.autograd.grad(output.square().sum(), (x, conv.weight))))
    for apart, together in zip(*found, strict=True):
        assert torch.allclose(apart, together, rtol=1e-10, atol=1e-10)


def test_only_what_is_frozen_in_training_is_folded(monkeypatch):
    conv, norm = layers("plain")
    x = torch.randn(2, 6, 8, 7, dtype=torch.double)
    monkeypatch.setattr(folding.nn.Conv2d, "_conv_forward", lambda self, x, weight, bias: x + len(bias or ""))
    assert normalised(conv, norm, x) is not None  # learns: its own statistics
    normalised(conv, norm.eval(), x)  # does not learn, but might
    norm.requires_grad_(False)
    with torch.no_grad():
        normalised(conv, norm, x)  # does not learn: as ever, to the bit
    normalised(conv, norm.train(), x)
    with pytest.raises(RuntimeError):  # a bias of 6 numbers has no truth
        normalised(conv, norm.eval(), x)
