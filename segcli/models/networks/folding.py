"""Batch normalisation after a convolution; where it is frozen in training, a part of the convolution itself."""

import torch
from torch import Tensor, nn


def normalised(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """The batch normalisation of a convolution: (N, C, H, W) -> (N, C', H', W').

    Frozen batch normalisation, which keeps its statistics and its weights while a network learns, multiplies and adds
    constants. On a CPU they go into the convolution's kernel and bias: the same outputs and gradients up to rounding,
    without two passes over the features, forward and backward. Networks that do not learn are computed as ever, to
    the bit.

    Args:
        conv: Without a bias.
        norm: Of its outputs.
        x: (N, C, H, W).
    """
    if not _is_constant(norm) or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return norm(conv(x))
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    return conv._conv_forward(x, conv.weight * scale[:, None, None, None], shift)


def _is_constant(norm: nn.BatchNorm2d) -> bool:
    """Whether a network in training has this batch normalisation frozen."""
    return torch.is_grad_enabled() and not (norm.training or norm.weight.requires_grad or norm.bias.requires_grad)
