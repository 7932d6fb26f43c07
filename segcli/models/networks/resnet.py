"""ResNet: ResNet-50 and -101 with every layout that published weights have; torchvision's tensor names."""

from collections.abc import Iterable
from functools import partial
from itertools import chain, islice

import torch.nn.functional as F
from torch import Tensor, nn

from segcli.models.networks.folding import normalised
from segcli.models.networks.layers import Step, conv2d, down_to, max_pool, run_blocks
from segcli.models.spec import BackboneSpec

UNITS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
"""The number of units of each stage."""
DEEP_STEMS = {"3x3x3": (64, 64, 128), "3x3x3-32": (32, 32, 64)}
"""The channels of the three 3x3 convolutions that stand for the first 7x7."""
EXPANSION = 4
"""A unit's output channels over those of its 3x3 convolution."""


class Bottleneck(nn.Module):
    """A unit of 1x1, 3x3 and 1x1 convolutions with a shortcut, projected where the shape changes.

    The stride sits in the first 1x1 or in the 3x3.
    """

    def __init__(
        self, spec: BackboneSpec, in_channels: int, channels: int, *, stride: int, dilation: int, project: bool
    ):
        super().__init__()
        out_channels = channels * EXPANSION
        first, second = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
        norm = partial(nn.BatchNorm2d, eps=spec.bn_eps)
        self.conv1, self.bn1 = conv2d(in_channels, channels, stride=first), norm(channels)
        self.conv2, self.bn2 = conv2d(channels, channels, 3, stride=second, dilation=dilation), norm(channels)
        self.conv3, self.bn3 = conv2d(channels, out_channels), norm(out_channels)
        self.downsample = None
        if project:
            self.downsample = nn.Sequential(conv2d(in_channels, out_channels, stride=stride), norm(out_channels))
        self.shortcut_stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 4 channels, H / stride, W / stride)."""
        return self.joined(x, self.branch(x))

    def branch(self, x: Tensor) -> Tensor:
        """The residual branch, normalised: the shape of `forward`."""
        y = F.relu_(normalised(self.conv1, self.bn1, x))
        y = F.relu_(normalised(self.conv2, self.bn2, y))
        return normalised(self.conv3, self.bn3, y)

    def joined(self, x: Tensor, branch: Tensor) -> Tensor:
        """The unit's output of its input and its residual branch."""
        if self.downsample is not None:
            x = normalised(*self.downsample, x)
        elif self.shortcut_stride > 1:  # a stage's last unit: the shortcut keeps every second pixel
            x = x[:, :, :: self.shortcut_stride, :: self.shortcut_stride]
        return F.relu_(x + branch)


class ResNet(nn.Module):
    """A ResNet without its classifier; the spec says which of its layouts.

    Attributes:
        channels: The channels of the last features.
        tap_units: The unit of each tap in `spec.taps`, counted over all stages: the last before the next stride.
        tap_channels: The channels of each tap.
        late_stage: The unit that ends the last stage but one, and its channels; an auxiliary head reads it.
    """

    def __init__(self, spec: BackboneSpec, output_stride: int):
        super().__init__()
        self._make_stem(spec)
        counts = (*UNITS[spec.kind], *UNITS[spec.kind][-1:] * spec.extra_stages)
        late = spec.stride_in == "last-unit"
        strides = _unit_strides(counts, late)
        steps = iter(down_to(output_stride, strides, 4))
        self.stages = tuple(f"layer{i + 1}" for i in range(len(counts)))
        for index, (stage, count) in enumerate(zip(self.stages, counts, strict=True)):
            channels = 64 * 2 ** min(index, 3)
            grid = spec.multi_grid if index >= 3 else (1,) * count
            units = zip(range(count), islice(steps, count), grid, strict=True)
            self.add_module(stage, nn.Sequential(*(self._unit(spec, channels, *unit) for unit in units)))
        self.late_stage = (f"{self.stages[-2]}.{counts[-2] - 1}", 64 * 2 ** min(len(counts) - 2, 3) * EXPANSION)
        conv2, conv3 = (sum(counts[:n]) - 1 - late for n in (1, 2))
        taps = {"conv2": (conv2, 256), "conv3": (conv3, 512)}
        self.tap_units = tuple(taps[tap][0] for tap in spec.taps)
        self.tap_channels = tuple(taps[tap][1] for tap in spec.taps)
        self.tap_branch = spec.tap_branch

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) -> the taps, finest first, and the last features, (N, 2048, H / output stride, ...)."""
        x = self.maxpool(F.relu_(self.bn1(self.conv1(x))))
        units = chain.from_iterable(getattr(self, stage) for stage in self.stages)
        return self._branches(x, units) if self.tap_branch else run_blocks(x, units, self.tap_units)

    def _branches(self, x: Tensor, units: Iterable[Bottleneck]) -> tuple[Tensor, ...]:
        """The residual branches of the units that are tapped, and the last unit's output."""
        features = []
        for index, unit in enumerate(units):
            if index in self.tap_units:
                features.append(unit.branch(x))
                x = unit.joined(x, features[-1])
            else:
                x = unit(x)
        return *features, x

    def _make_stem(self, spec: BackboneSpec) -> None:
        """Make the first convolution, one 7x7 or three 3x3, and the pooling after it."""
        if spec.stem == "7x7":
            self.channels = 64
            self.conv1 = conv2d(3, 64, 7, stride=2)
        else:
            first, second, self.channels = DEEP_STEMS[spec.stem]
            norm = partial(nn.BatchNorm2d, eps=spec.bn_eps)
            self.conv1 = nn.Sequential(
                *(conv2d(3, first, 3, stride=2), norm(first), nn.ReLU()),
                *(conv2d(first, second, 3), norm(second), nn.ReLU()),
                conv2d(second, self.channels, 3),
            )
        self.bn1 = nn.BatchNorm2d(self.channels, eps=spec.bn_eps)
        self.maxpool = max_pool(spec.pool_kernel, 2, spec.pool_ceil)

    def _unit(self, spec: BackboneSpec, channels: int, index: int, step: Step, factor: int) -> Bottleneck:
        rate = step.rate if spec.strided_unit_rate == "new" else step.rate_before
        before, self.channels = self.channels, channels * EXPANSION
        return Bottleneck(spec, before, channels, stride=step.stride, dilation=rate * factor, project=index == 0)


def _unit_strides(counts: tuple[int, ...], late: bool) -> list[int]:
    """The stride of each unit: every stage but the first starts with 2, or every stage but the last ends with it."""
    strides = []
    for index, count in enumerate(counts):
        rest = [1] * (count - 1)
        strides += [*rest, 2 if index < len(counts) - 1 else 1] if late else [2 if index else 1, *rest]
    return strides
