"""Layers that every backbone and head is made of.

Names inside follow timm (`conv`, `bn`; `conv_dw`, `bn_dw`, `conv_pw`, `bn_pw`), so that its Xception fits key for key.
"""

import math
from collections.abc import Collection, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segcli.models.networks.depthwise import DilatedDepthwise
from segcli.models.networks.folding import normalised
from segcli.models.spec import Padding


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the output has ceil(side / stride) pixels a side.

    With stride 2 an even side is padded at the right and at the bottom only, an odd one on both sides.
    """

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What torch's `forward` calls: (N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        (top, bottom), (left, right) = (self._margins(axis, x.shape[2 + axis]) for axis in (0, 1))
        return super()._conv_forward(F.pad(x, (left, right, top, bottom)), weight, bias)

    def _margins(self, axis: int, side: int) -> tuple[int, int]:
        kernel, stride, dilation = self.kernel_size[axis], self.stride[axis], self.dilation[axis]
        # (kernel - 1) * dilation - (side - 1) % stride, in a form that torch.export can simplify from layer to layer
        total = (kernel - 1) * dilation + 1 + (side - 1) // stride * stride - side
        return total // 2, total - total // 2


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    padding: Padding = "symmetric",
) -> nn.Conv2d:
    """A convolution that keeps the side (divided by the stride, rounded up).

    "symmetric" pads dilation * (kernel - 1) / 2 on each side; "same" differs from it on even sides at stride 2.
    """
    if padding == "same" and stride > 1:
        return SameConv2d(in_channels, out_channels, kernel, stride, 0, dilation, groups, bias)
    if groups == in_channels == out_channels > 1 and stride == 1 < dilation and not bias:
        return DilatedDepthwise(out_channels, kernel, dilation)
    margin = dilation * (kernel - 1) // 2
    return nn.Conv2d(in_channels, out_channels, kernel, stride, margin, dilation, groups, bias)


class CeilMaxPool2d(nn.MaxPool2d):
    """Max pooling at stride 2 that rounds a side up, as Caffe does."""

    def __init__(self, kernel: int):
        super().__init__(kernel, 2, (kernel - 1) // 2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W')."""
        if not torch.compiler.is_exporting():
            return super().forward(x)
        # torch.export takes rounding up for a question about the side, which it would have to answer once and for all.
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-math.inf), self.kernel_size, self.stride, self.padding)


def max_pool(kernel: int, stride: int, ceil: bool) -> nn.MaxPool2d:
    """Max pooling, padded evenly; `ceil`: it rounds a side up where the stride is 2."""
    return CeilMaxPool2d(kernel) if ceil and stride == 2 else nn.MaxPool2d(kernel, stride, (kernel - 1) // 2)


class ConvBN(nn.Module):
    """A convolution without bias, batch normalisation, and an activation (None: linear)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        padding: Padding = "symmetric",
        eps: float = 1e-5,
        activation: type[nn.Module] | None = nn.ReLU,
    ):
        super().__init__()
        self.conv = conv2d(
            in_channels, out_channels, kernel, stride=stride, dilation=dilation, groups=groups, padding=padding
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=eps)
        self.act = activation(inplace=True) if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride), sides rounded up."""
        return self.act(normalised(self.conv, self.bn, x))


class SeparableConv(nn.Module):
    """An atrous separable convolution: 3x3 depthwise, BN, 1x1 pointwise, BN (v3+ paper, section 3.1).

    Args:
        activated: Whether a ReLU follows each BN, as in the heads and in Xception's last block; elsewhere in Xception
            the ReLU stands before the layer.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        eps: float = 1e-5,
        activated: bool = True,
    ):
        super().__init__()
        self.conv_dw = conv2d(in_channels, in_channels, kernel, stride=stride, dilation=dilation, groups=in_channels)
        self.bn_dw = nn.BatchNorm2d(in_channels, eps=eps)
        self.conv_pw = conv2d(in_channels, out_channels)
        self.bn_pw = nn.BatchNorm2d(out_channels, eps=eps)
        self.activated = activated

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride), sides rounded up."""
        x = normalised(self.conv_dw, self.bn_dw, x)
        x = normalised(self.conv_pw, self.bn_pw, F.relu_(x) if self.activated else x)
        return F.relu_(x) if self.activated else x


class PooledBatchNorm(nn.BatchNorm2d):
    """Batch normalisation of pooled features; one value a channel has no variance, so running statistics serve.

    That happens in training with batch 1, where torch's own layer raises an error.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, 1) -> the same shape."""
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)


class ImagePooling(nn.Module):
    """Image-level features (v3 paper, section 3.3): 1x1 convolution, global average, BN, ReLU, spread over the map."""

    def __init__(self, in_channels: int, out_channels: int, eps: float = 1e-5):
        super().__init__()
        self.conv = conv2d(in_channels, out_channels)
        self.bn = PooledBatchNorm(out_channels, eps=eps)

    def forward(self, x: Tensor, mean: Tensor | None = None) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W), constant over H and W.

        Args:
            x: Features.
            mean: The average (N, C', 1, 1) of `conv` over a larger picture that `x` is a part of; None: over `x`.
        """
        if mean is None:
            mean = self.conv(F.adaptive_avg_pool2d(x, 1))  # the same as conv's average, and cheaper
        return F.relu(self.bn(mean)).expand(-1, -1, x.shape[2], x.shape[3])


def resize(x: Tensor, like: Tensor, align_corners: bool) -> Tensor:
    """Resize x bilinearly to the height and width of `like`, also equal ones: an exported graph knows no sizes."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=align_corners)


class Step(NamedTuple):
    """One layer's share of the way down: its stride, and the dilations before and after it."""

    stride: int
    rate_before: int
    rate: int


def down_to(output_stride: int, strides: Iterable[int], reached: int = 1) -> list[Step]:
    """Plan the strides of layers: as they are while `output_stride` allows, each one beyond a factor on the dilation.

    Args:
        output_stride: Input side over output side at the end, a power of two.
        strides: The strides of the layers, in order.
        reached: The stride of what comes before them.
    """
    steps, rate = [], 1
    for stride in strides:
        if reached * stride <= output_stride:
            reached *= stride
            steps.append(Step(stride, rate, rate))
        else:
            steps.append(Step(1, rate, rate * stride))
            rate *= stride
    return steps


def run_blocks(x: Tensor, blocks: Iterable[nn.Module], taps: Collection[int]) -> tuple[Tensor, ...]:
    """Run blocks in a row; gives the outputs of those at the indices `taps`, then of the last, and keeps no others."""
    features = []
    for index, block in enumerate(blocks):
        x = block(x)
        if index in taps:
            features.append(x)
    return *features, x
