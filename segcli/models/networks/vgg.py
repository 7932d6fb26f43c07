"""VGG16: VGG-16 made dense, the backbone of v1 and of v2's Tables 1 and 3 (1606.00915, sections 3.1 and 4.1).

Parameter names are those of torchvision's and timm's `vgg16`: `features.N`.
"""

from torch import Tensor, nn

from segcli.models.networks.layers import down_to, max_pool, run_blocks
from segcli.models.spec import BackboneSpec

GROUPS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""The (channels, convolutions) of each group; a max pooling ends it."""


class VGG16(nn.Module):
    """The thirteen convolutions and five poolings of VGG-16.

    A pooling that would exceed `output_stride` keeps the side, and the convolutions after it are dilated instead: at
    output stride 8, pool4 and pool5 have stride 1 and conv5 has rate 2.

    Args:
        spec: `pool_kernel` and `pool_ceil` matter here. DeepLab's Caffe models pool 3x3, padded, sides rounded up
            (321 -> 161 -> 81 -> 41); the ImageNet network pools 2x2.
        output_stride: 8, 16 or 32.

    Attributes:
        channels: The channels of the last features.
        tap_channels: The channels of each tap in `spec.taps`: of the input, and of the poolings.
        tap_strides: How many times as fine as the last features each of them is.
        late_stage: The pooling before the last group, and its channels; an auxiliary head reads it.
    """

    channels = 512

    def __init__(self, spec: BackboneSpec, output_stride: int):
        super().__init__()
        layers: list[nn.Module] = []
        pools: list[int] = []
        channels = 3
        for (width, count), step in zip(GROUPS, down_to(output_stride, [2] * len(GROUPS)), strict=True):
            rate = step.rate_before
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=rate, dilation=rate), nn.ReLU(inplace=True)]
                channels = width
            kernel = spec.pool_kernel if step.stride == 2 else 3  # an even kernel cannot keep the side
            pools.append(len(layers))
            layers.append(max_pool(kernel, step.stride, spec.pool_ceil))
        self.late_stage = (f"features.{pools[-2]}", GROUPS[-2][0])
        self.features = nn.Sequential(*layers)
        self._find_taps(spec, output_stride, pools)

    def _find_taps(self, spec: BackboneSpec, output_stride: int, pools: list[int]) -> None:
        """Where the taps are, `pools` being the indices of the poolings."""
        poolings = [f"pool{number}" for number in range(1, 1 + len(GROUPS))]
        widths = dict(zip(poolings, (width for width, _ in GROUPS), strict=True)) | {"input": 3}
        strides = {tap: min(2**number, output_stride) for number, tap in enumerate(("input", *poolings))}
        self.tap_channels = tuple(widths[tap] for tap in spec.taps)
        self.tap_strides = tuple(output_stride // strides[tap] for tap in spec.taps)
        self.taps_input = "input" in spec.taps
        self.tap_layers = tuple(pools[poolings.index(tap)] for tap in spec.taps if tap in poolings)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) -> the taps, finest first, and pool5 of 512 channels."""
        features = run_blocks(x, self.features, self.tap_layers)
        return (x, *features) if self.taps_input else features
