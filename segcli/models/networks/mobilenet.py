"""MobileNetV2 (any depth multiplier) and MobileNetV3-Large, without their classifiers."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from segcli.models.networks.layers import ConvBN, conv2d, down_to, run_blocks
from segcli.models.spec import BackboneSpec

TAP_BLOCKS = {"conv2": 2, "conv3": 5}
"""The blocks that taps read, the same in both networks: the last at stride 4, and at stride 8."""
LATE_BLOCKS = (12, 11)
"""The last block at stride 16 of MobileNetV2 and of MobileNetV3, which an auxiliary head reads (`late_stage`)."""


def _divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor` that is at least 8 and at least nine tenths of the channels."""
    rounded = max(8, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class SqueezeExcitation(nn.Module):
    """Squeeze and excitation: channels weighed by what the whole map holds (MobileNetV3)."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc1 = conv2d(channels, _divisible(channels // 4), bias=True)
        self.fc2 = conv2d(_divisible(channels // 4), channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        weights = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        return x * F.hardsigmoid(weights)


class InvertedResidual(nn.Module):
    """An inverted residual: 1x1 expansion (none if it would not expand), depthwise convolution, 1x1 projection."""

    def __init__(
        self,
        conv_bn: partial[ConvBN],
        in_channels: int,
        expanded: int,
        out_channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        squeeze: bool = False,
        shortcut: bool,
    ):
        super().__init__()
        self.expand = conv_bn(in_channels, expanded) if expanded != in_channels else nn.Identity()
        self.depthwise = conv_bn(expanded, expanded, kernel, stride=stride, dilation=dilation, groups=expanded)
        self.squeeze = SqueezeExcitation(expanded) if squeeze else nn.Identity()
        self.project = conv_bn(expanded, out_channels, activation=None)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """MobileNetV2 up to its last inverted residual (320 channels at width 1)."""

    # expansion, channels, repetitions, stride: Table 2 of the MobileNetV2 paper
    STAGES = (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    )

    def __init__(self, spec: BackboneSpec, output_stride: int):
        super().__init__()
        conv_bn = partial(ConvBN, eps=spec.bn_eps, padding=spec.padding, activation=nn.ReLU6)
        divisible = partial(_divisible, divisor=spec.divisor)
        channels = divisible(32 * spec.width)
        self.stem = conv_bn(3, channels, 3, stride=2)
        self.blocks = nn.ModuleList()
        rows = [(t, c, s if i == 0 else 1) for t, c, n, s in self.STAGES for i in range(n)]
        widths = []
        for (expansion, c, stride), step in zip(rows, down_to(output_stride, (r[2] for r in rows), 2), strict=True):
            before, channels = channels, divisible(c * spec.width)
            widths.append(channels)
            block = InvertedResidual(
                conv_bn,
                before,
                divisible(before * expansion),
                channels,
                stride=step.stride,
                dilation=step.rate_before,
                shortcut=stride == 1 and before == channels,
            )
            self.blocks.append(block)
        self.tap_blocks = tuple(TAP_BLOCKS[tap] for tap in spec.taps)
        self.tap_channels = tuple(widths[i] for i in self.tap_blocks)
        self.channels = channels

    @property
    def late_stage(self) -> tuple[str, int]:
        """The name of the last block at stride 16, and its channels; an auxiliary head reads it."""
        block = self.blocks[LATE_BLOCKS[0]]
        return f"blocks.{LATE_BLOCKS[0]}", block.project.conv.out_channels

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) -> the taps and the last features, (N, channels, H / output stride, W / output stride)."""
        return run_blocks(self.stem(x), self.blocks, self.tap_blocks)


class MobileNetV3(nn.Module):
    """MobileNetV3-Large up to its last convolution (960 channels), with the dilations that torchvision gives it."""

    # kernel, expanded channels, channels, squeeze and excitation, activation, stride: Table 1 of the MobileNetV3 paper
    ROWS = (
        (3, 16, 16, False, nn.ReLU, 1),
        (3, 64, 24, False, nn.ReLU, 2),
        (3, 72, 24, False, nn.ReLU, 1),
        (5, 72, 40, True, nn.ReLU, 2),
        (5, 120, 40, True, nn.ReLU, 1),
        (5, 120, 40, True, nn.ReLU, 1),
        (3, 240, 80, False, nn.Hardswish, 2),
        (3, 200, 80, False, nn.Hardswish, 1),
        (3, 184, 80, False, nn.Hardswish, 1),
        (3, 184, 80, False, nn.Hardswish, 1),
        (3, 480, 112, True, nn.Hardswish, 1),
        (3, 672, 112, True, nn.Hardswish, 1),
        (5, 672, 160, True, nn.Hardswish, 2),
        (5, 960, 160, True, nn.Hardswish, 1),
        (5, 960, 160, True, nn.Hardswish, 1),
    )

    def __init__(self, spec: BackboneSpec, output_stride: int):
        super().__init__()
        conv_bn = partial(ConvBN, eps=spec.bn_eps)
        channels = 16
        self.stem = conv_bn(3, channels, 3, stride=2, activation=nn.Hardswish)
        self.blocks = nn.ModuleList()
        steps = down_to(output_stride, (row[-1] for row in self.ROWS), 2)
        for (kernel, expanded, out, squeeze, activation, stride), step in zip(self.ROWS, steps, strict=True):
            block = InvertedResidual(
                partial(conv_bn, activation=activation),
                channels,
                expanded,
                out,
                kernel=kernel,
                stride=step.stride,
                dilation=step.rate,
                squeeze=squeeze,
                shortcut=stride == 1 and channels == out,
            )
            self.blocks.append(block)
            channels = out
        self.channels = 6 * channels
        self.last = conv_bn(channels, self.channels, activation=nn.Hardswish)
        self.tap_blocks = tuple(TAP_BLOCKS[tap] for tap in spec.taps)
        self.tap_channels = tuple(self.ROWS[i][2] for i in self.tap_blocks)
        self.late_stage = (f"blocks.{LATE_BLOCKS[1]}", self.ROWS[LATE_BLOCKS[1]][2])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) -> the taps and the last features, (N, 960, H / output stride, W / output stride)."""
        *low_level, x = run_blocks(self.stem(x), self.blocks, self.tap_blocks)
        return *low_level, self.last(x)
