"""DeepLabv3 and v3+ as mmsegmentation's configs and classes describe them, with its names in the state dict.

Written for the tests alone, from those sources and without a line of segcli, around torchvision's bottleneck units.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import Bottleneck

DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}


class ConvModule(nn.Module):
    """mmcv's: a convolution without bias, batch normalisation, ReLU."""

    def __init__(self, before, after, kernel=1, rate=1, stride=1, groups=1):
        super().__init__()
        margin = rate * (kernel // 2)
        self.conv = nn.Conv2d(before, after, kernel, stride, margin, rate, groups, bias=False)
        self.bn = nn.BatchNorm2d(after)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


class SeparableModule(nn.Module):
    """mmcv's DepthwiseSeparableConvModule: both halves are normalised and rectified."""

    def __init__(self, before, after, kernel=3, rate=1):
        super().__init__()
        self.depthwise_conv = ConvModule(before, before, kernel, rate, groups=before)
        self.pointwise_conv = ConvModule(before, after)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


class Backbone(nn.Module):
    """ResNetV1c (a stem of 32, 32 and 64 channels) or ResNet, with contract_dilation."""

    def __init__(self, kind, deep_stem, strides, rates, multi_grid):
        super().__init__()
        if deep_stem:
            layers = (ConvModule(3, 32, 3, stride=2), ConvModule(32, 32, 3), ConvModule(32, 64, 3))
            self.stem = nn.Sequential(*(part for m in layers for part in (m.conv, m.bn, nn.ReLU())))
        else:
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.deep_stem = deep_stem
        before = 64
        for index, (count, stride, rate) in enumerate(zip(DEPTHS[kind], strides, rates, strict=True)):
            grid = [rate // 2 if rate > 1 else 1, *[rate] * (count - 1)]
            if multi_grid and index == 3:
                grid = multi_grid
            planes, units = 64 * 2**index, []
            for unit, dilation in enumerate(grid):
                step = stride if unit == 0 else 1
                shortcut = None
                if unit == 0:
                    shortcut = nn.Sequential(
                        nn.Conv2d(before, 4 * planes, 1, step, bias=False), nn.BatchNorm2d(4 * planes)
                    )
                units.append(Bottleneck(before, planes, step, shortcut, dilation=dilation))
                before = 4 * planes
            setattr(self, f"layer{index + 1}", nn.Sequential(*units))

    def forward(self, x):
        x = self.stem(x) if self.deep_stem else self.bn1(self.conv1(x)).relu()
        first = self.layer1(F.max_pool2d(x, 3, 2, 1))
        return first, self.layer4(self.layer3(self.layer2(first)))


class Head(nn.Module):
    """ASPPHead, or with a decoder DepthwiseSeparableASPPHead."""

    def __init__(self, classes, rates, decoder, align_corners, channels):
        super().__init__()
        self.align_corners = align_corners
        branch = SeparableModule if decoder else ConvModule
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvModule(2048, channels))
        branches = (branch(2048, channels, 3, rate) for rate in rates)
        self.aspp_modules = nn.ModuleList([ConvModule(2048, channels), *branches])
        self.bottleneck = ConvModule(channels * (2 + len(rates)), channels, 3)
        if decoder:
            self.c1_bottleneck = ConvModule(256, 48)
            self.sep_bottleneck = nn.Sequential(
                SeparableModule(channels + 48, channels), SeparableModule(channels, channels)
            )
        self.decoder = decoder
        self.conv_seg = nn.Conv2d(channels, classes, 1)

    def forward(self, first, last):
        resize = partial(F.interpolate, mode="bilinear", align_corners=self.align_corners)
        pooled = resize(self.image_pool(last), size=last.shape[2:])
        x = self.bottleneck(torch.cat([pooled, *(module(last) for module in self.aspp_modules)], 1))
        if self.decoder:
            low = self.c1_bottleneck(first)
            x = self.sep_bottleneck(torch.cat([resize(x, size=low.shape[2:]), low], 1))
        return self.conv_seg(x)


class EncoderDecoder(nn.Module):
    """A whole model; its logits are those before they are enlarged to the photo."""

    def __init__(
        self,
        kind="resnet50",
        classes=21,
        *,
        decoder=True,
        deep_stem=True,
        align_corners=False,
        strides=(1, 2, 1, 1),
        rates=(1, 1, 2, 4),
        pyramid=(12, 24, 36),
        multi_grid=None,
        channels=512,
    ):
        super().__init__()
        self.backbone = Backbone(kind, deep_stem, strides, rates, multi_grid)
        self.decode_head = Head(classes, pyramid, decoder, align_corners, channels)
        self.auxiliary_head = nn.Module()
        self.auxiliary_head.conv_seg = nn.Conv2d(256, classes, 1)
        self.auxiliary_head.convs = nn.Sequential(ConvModule(1024, 256, 3))

    def forward(self, x):
        return self.decode_head(*self.backbone(x))
