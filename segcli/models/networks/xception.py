"""Xception: modified aligned Xception-41, -65 and -71, the backbone of DeepLabv3+ (1802.02611, section 3.2 and Fig. 4).

Parameter names are those of timm's `xception41/65/71`: `stem.{0,1}` and `blocks.{i}`.
"""

from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from segcli.models.networks.layers import ConvBN, SeparableConv, down_to
from segcli.models.spec import BackboneSpec


class Block(NamedTuple):
    """A line of Fig. 4: output channels of its three convolutions, stride, and what skips them."""

    widths: tuple[int, int, int]
    stride: int = 1
    skip: Literal["conv", "sum", "none"] = "conv"


ENTRY = (Block((128,) * 3, 2), Block((256,) * 3, 2), Block((728,) * 3, 2))
ENTRY_71 = (Block((128,) * 3, 2), Block((256,) * 3), Block((256,) * 3, 2), Block((728,) * 3), Block((728,) * 3, 2))
MIDDLE = (Block((728,) * 3, skip="sum"),)
EXIT = (Block((728, 1024, 1024), 2), Block((1536, 1536, 2048), skip="none"))
FLOWS: dict[str, tuple[Block, ...]] = {
    "xception41": ENTRY + MIDDLE * 8 + EXIT,
    "xception65": ENTRY + MIDDLE * 16 + EXIT,
    "xception71": ENTRY_71 + MIDDLE * 16 + EXIT,
}
"""The blocks of each depth, from the stem on."""


class XceptionBlock(nn.Module):
    """Three separable convolutions, the last one strided, and a skip around them.

    A ReLU stands before each of them; in the block without a skip, which ends the network, ReLUs stand inside instead.
    """

    def __init__(self, in_channels: int, plan: Block, *, stride: int, dilation: int, eps: float):
        super().__init__()
        self.skip = plan.skip
        self.stack = nn.ModuleDict()
        channels = in_channels
        for i, width in enumerate(plan.widths, 1):
            self.stack[f"conv{i}"] = SeparableConv(
                channels,
                width,
                stride=stride if i == 3 else 1,
                dilation=dilation,
                eps=eps,
                activated=self.skip == "none",
            )
            channels = width
        if self.skip == "conv":
            self.shortcut = ConvBN(in_channels, channels, stride=stride, eps=eps, activation=None)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) -> the block's output at its stride, and its tap: the second convolution's output at full side.

        The tap is what v3+'s decoder reads. It comes before the ReLU (`separable_conv2_pointwise` in TensorFlow's
        DeepLab), so the next ReLU must not work in place.
        """
        tap = self.stack["conv2"](self._relu(self.stack["conv1"](self._relu(x))))
        residual = self.stack["conv3"](self._relu(tap))
        if self.skip == "none":
            return residual, tap
        return residual + (self.shortcut(x) if self.skip == "conv" else x), tap

    def _relu(self, x: Tensor) -> Tensor:
        return x if self.skip == "none" else F.relu(x)


class Xception(nn.Module):
    """An Xception of entry, middle and exit flow, without the classifier.

    A stride that would exceed `output_stride` becomes 1 and dilates every later convolution instead, so that one set of
    weights serves every output stride. Taps stand inside strided blocks: "conv2" in the one that goes from stride 4 to
    8 (256 channels), "conv3" in the next (728).

    Args:
        spec: `kind`, `taps` and `bn_eps` matter here.
        output_stride: 8, 16 or 32.

    Attributes:
        channels: The channels of the last features.
        tap_channels: The channels of each tap in `spec.taps`.
        late_stage: The block that ends the middle flow, and its channels; an auxiliary head reads it.
    """

    channels = 2048

    def __init__(self, spec: BackboneSpec, output_stride: int):
        super().__init__()
        blocks = FLOWS[spec.kind]
        strided = [index for index, block in enumerate(blocks) if block.stride > 1]
        self.tap_blocks = tuple({"conv2": strided[1], "conv3": strided[2]}[tap] for tap in spec.taps)
        self.tap_channels = tuple(blocks[index].widths[1] for index in self.tap_blocks)

        late = strided[-1] - 1
        self.late_stage = (f"blocks.{late}", blocks[late].widths[-1])
        eps = spec.bn_eps
        self.stem = nn.Sequential(ConvBN(3, 32, 3, stride=2, eps=eps), ConvBN(32, 64, 3, eps=eps))
        self.blocks = nn.ModuleList()
        channels = 64
        for block, step in zip(blocks, down_to(output_stride, [b.stride for b in blocks], 2), strict=True):
            # The separable convolution whose stride was taken away still sees what comes before that stride.
            self.blocks.append(XceptionBlock(channels, block, stride=step.stride, dilation=step.rate_before, eps=eps))
            channels = block.widths[-1]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) -> the taps, finest first, and the last features, (N, 2048, H / output stride, ...)."""
        x = self.stem(x)
        taps = []
        for index, block in enumerate(self.blocks):
            x, tap = block(x)
            if index in self.tap_blocks:  # the others would hold memory to the end
                taps.append(tap)
        return *taps, x
