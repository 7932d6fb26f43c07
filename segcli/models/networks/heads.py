"""Heads: what turns a backbone's features into logits, the atrous spatial pyramid, the decoder, and v1's branches."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from segcli.models.networks.layers import ConvBN, ImagePooling, SeparableConv, conv2d, resize
from segcli.models.spec import ASPPSpec, BranchesSpec, DecoderSpec


def _conv3x3(separable: bool) -> type[ConvBN] | type[SeparableConv]:
    """The class of a 3x3 convolution, atrous separable or plain."""
    return SeparableConv if separable else ConvBN


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling with image-level features (v3 paper, section 3.3)."""

    def __init__(self, spec: ASPPSpec, in_channels: int, output_stride: int):
        super().__init__()
        self.channels = channels = spec.channels
        atrous = _conv3x3(spec.separable)
        rates = [max(1, rate * 16 // output_stride) for rate in spec.rates]
        self.conv1x1 = ConvBN(in_channels, channels, eps=spec.bn_eps)
        self.atrous = nn.ModuleList(atrous(in_channels, channels, 3, dilation=rate, eps=spec.bn_eps) for rate in rates)
        self.pooling = ImagePooling(in_channels, channels, spec.bn_eps) if spec.image_pooling else None
        self.pool_first = spec.pool_first
        branches = 1 + len(rates) + spec.image_pooling
        self.project = ConvBN(branches * channels, channels, spec.project_kernel, eps=spec.bn_eps)
        self.dropout = nn.Dropout(spec.dropout)
        self.extra = ConvBN(channels, channels, 3, eps=spec.bn_eps) if spec.extra_conv else nn.Identity()

    def forward(self, x: Tensor, image_mean: Tensor | None = None) -> Tensor:
        """(N, C, h, w) -> (N, channels, h, w); `image_mean` as in `ImagePooling`."""
        branches = [self.conv1x1(x), *(branch(x) for branch in self.atrous)]
        if self.pooling is not None:
            branches.insert(0 if self.pool_first else len(branches), self.pooling(x, image_mean))
        return self.extra(self.dropout(self.project(torch.cat(branches, 1))))


class Refinement(nn.Module):
    """A step of the decoder: reduce the low-level features, enlarge the others to them, concatenate, convolve."""

    def __init__(self, spec: DecoderSpec, in_channels: int, low_level_channels: int, align_corners: bool):
        super().__init__()
        self.low_level_first = spec.low_level_first
        self.align_corners = align_corners
        self.reduce = ConvBN(low_level_channels, spec.low_level_channels, eps=spec.bn_eps)
        channels = [in_channels + spec.low_level_channels, *(channels for _, channels in spec.convs)]
        self.convs = nn.Sequential(
            *(
                _conv3x3(spec.separable)(before, after, kernel, eps=spec.bn_eps)
                for (kernel, after), before in zip(spec.convs, channels[:-1], strict=True)
            )
        )
        self.channels = channels[-1]

    def forward(self, x: Tensor, low_level: Tensor) -> Tensor:
        """(N, C, h, w) and (N, L, H, W) -> (N, channels, H, W)."""
        maps = [resize(x, low_level, self.align_corners), self.reduce(low_level)]
        return self.convs(torch.cat(maps[::-1] if self.low_level_first else maps, 1))


class Decoder(nn.ModuleList):
    """The decoder of v3+ (section 3.1): one refinement for each tap of the backbone, the coarsest first."""

    def __init__(self, spec: DecoderSpec, in_channels: int, taps: Sequence[int], align_corners: bool):
        """`taps`: channels of the backbone's low-level features, the finest first."""
        super().__init__()
        self.channels = in_channels
        for channels in reversed(taps):
            self.append(Refinement(spec, self.channels, channels, align_corners))
            self.channels = self[-1].channels

    def forward(self, x: Tensor, low_level: Sequence[Tensor]) -> Tensor:
        """(N, C, h, w) and the taps, finest first -> (N, channels, H, W) at the finest tap's size."""
        for refinement, features in zip(self, reversed(low_level), strict=True):
            x = refinement(x, features)
        return x


class Branches(nn.ModuleList):
    """The heads of v1 and v2 (v2 paper, section 3.2 and Table 1): each branch gives logits, their sum counts."""

    def __init__(self, spec: BranchesSpec, in_channels: int, classes: int):
        super().__init__(_branch(spec, rate, in_channels, classes) for rate in spec.rates)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, classes, h, w)."""
        return sum(branch(x) for branch in self)


class MultiScaleFeatures(nn.ModuleList):
    """v1's multi-scale features (MSc; v1 paper, "Multi-scale prediction"): two layers on each tap give logits too.

    The paper joins these maps to the last features in front of the classifier, which is the same as a sum of logits,
    and so it stands in the authors' model (DeepLab-MSc-LargeFOV). The first layer strides to the last features' side.

    Args:
        spec: `multi_scale_channels` and `dropout` matter here.
        taps: (channels, stride to the last features) of each tap.
        classes: Channels of the logits.
    """

    def __init__(self, spec: BranchesSpec, taps: Iterable[tuple[int, int]], classes: int):
        super().__init__(
            nn.Sequential(
                OrderedDict(
                    conv1=conv2d(channels, spec.multi_scale_channels, 3, stride=stride, bias=True),
                    relu1=nn.ReLU(),
                    drop1=nn.Dropout(spec.dropout),
                    conv2=conv2d(spec.multi_scale_channels, spec.multi_scale_channels, bias=True),
                    relu2=nn.ReLU(),
                    drop2=nn.Dropout(spec.dropout),
                    classifier=conv2d(spec.multi_scale_channels, classes, bias=True),
                )
            )
            for channels, stride in taps
        )

    def forward(self, taps: Sequence[Tensor], like: Tensor, align_corners: bool) -> Tensor:
        """The taps, (N, C, H, W) each -> logits of the size of `like`, (N, classes, h, w).

        Where a side is not 32 n + 1 the strided layers can miss that size by a pixel, and are resized.
        """
        return sum(resize(scale(tap), like, align_corners) for scale, tap in zip(self, taps, strict=True))


def _branch(spec: BranchesSpec, rate: int, in_channels: int, classes: int) -> nn.Module:
    """One branch: fc6, fc7 and fc8 as convolutions, or the dilated classifier alone."""
    if not spec.channels:
        return conv2d(in_channels, classes, spec.kernel, dilation=rate, bias=True)
    return nn.Sequential(
        OrderedDict(
            fc6=conv2d(in_channels, spec.channels, spec.kernel, dilation=rate, bias=True),
            relu6=nn.ReLU(),
            drop6=nn.Dropout(spec.dropout),
            fc7=conv2d(spec.channels, spec.channels, bias=True),
            relu7=nn.ReLU(),
            drop7=nn.Dropout(spec.dropout),
            fc8=conv2d(spec.channels, classes, bias=True),
        )
    )
