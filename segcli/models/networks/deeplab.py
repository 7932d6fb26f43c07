"""DeepLab: a whole network, put together from its spec."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segcli.errors import UsageError
from segcli.models.networks.heads import ASPP, Branches, Decoder, MultiScaleFeatures
from segcli.models.networks.layers import conv2d, resize
from segcli.models.networks.mobilenet import MobileNetV2, MobileNetV3
from segcli.models.networks.resnet import ResNet
from segcli.models.networks.vgg import VGG16
from segcli.models.networks.xception import Xception
from segcli.models.spec import ASPPSpec, BackboneSpec, Kind, ModelSpec

BACKBONES: dict[Kind, Callable[[BackboneSpec, int], nn.Module]] = {
    "vgg16": VGG16,
    "resnet50": ResNet,
    "resnet101": ResNet,
    "xception41": Xception,
    "xception65": Xception,
    "xception71": Xception,
    "mobilenetv2": MobileNetV2,
    "mobilenetv3": MobileNetV3,
}


class DeepLab(nn.Module):
    """A backbone, then the pyramid and the decoder where the spec has them, then the classifier."""

    def __init__(self, spec: ModelSpec, classes: int, output_stride: int):
        super().__init__()
        self.scales = spec.scales
        self.align_corners = spec.align_corners
        self.backbone = BACKBONES[spec.backbone.kind](spec.backbone, output_stride)
        self.aspp = self.decoder = self.multi_scale = None
        if isinstance(spec.head, ASPPSpec):
            self.aspp = ASPP(spec.head, self.backbone.channels, output_stride)
            channels = self.aspp.channels
            if spec.decoder:
                taps = self.backbone.tap_channels
                self.decoder = Decoder(spec.decoder, channels, taps, spec.align_corners)
                channels = self.decoder.channels
            self.classifier = conv2d(channels, classes, bias=True)
        else:
            self.classifier = Branches(spec.head, self.backbone.channels, classes)
            if spec.head.multi_scale_channels:
                taps = zip(self.backbone.tap_channels, self.backbone.tap_strides, strict=True)
                self.multi_scale = MultiScaleFeatures(spec.head, taps, classes)

    def forward(self, x: Tensor, image_mean: Tensor | None = None) -> Tensor | list[Tensor]:
        """An input (N, 3, H, W) -> logits (N, classes, h, w) at the network's own resolution.

        Where x is a window of a larger picture, `image_mean` is the average of the picture's `image_features`.

        With several scales (v2's MSC) the logits are those of scale 1 and of the others, enlarged to them, fused by
        maximum. In training they are a list, since v2's loss is the sum over it: [at 1, at each other scale (at its
        own size), fused].
        """
        logits = self._logits(x, image_mean)
        if not self.scales:
            return logits
        others = [self._logits(self._scaled(x, scale), image_mean) for scale in self.scales]
        fused = torch.stack([logits, *(resize(o, logits, self.align_corners) for o in others)]).amax(0)
        return [logits, *others, fused] if self.training else fused

    @property
    def pools_image(self) -> bool:
        """Whether every logit hears of the whole picture, by way of image pooling."""
        return self.aspp is not None and self.aspp.pooling is not None

    def image_features(self, x: Tensor) -> Tensor:
        """An input (N, 3, H, W) -> what image pooling averages, (N, C, h, w); for networks that have it."""
        return self.aspp.pooling.conv(self.backbone(x)[-1])

    def _logits(self, x: Tensor, image_mean: Tensor | None) -> Tensor:
        *low_level, x = self.backbone(x)
        if self.aspp is not None:
            x = self.aspp(x, image_mean)
        if self.decoder is not None:
            x = self.decoder(x, low_level)
        logits = self.classifier(x)
        return logits if self.multi_scale is None else logits + self.multi_scale(low_level, logits, self.align_corners)

    def _scaled(self, x: Tensor, scale: float) -> Tensor:
        sampling = {"mode": "bilinear", "align_corners": self.align_corners}
        if min(x.shape[2:]) * scale < 1:
            return F.interpolate(x, [max(1, int(side * scale)) for side in x.shape[2:]], **sampling)
        return F.interpolate(x, scale_factor=scale, **sampling)  # samples at 1 / scale, as the public v2 does


def build(spec: ModelSpec, classes: int, output_stride: int | None = None) -> DeepLab:
    """Build the network of a spec, with fresh weights.

    Args:
        spec: The model's layers.
        classes: How many logits a pixel has.
        output_stride: Input side over the side of the last features; None: the spec's default.

    Raises:
        UsageError: The model cannot be built at that output stride.
    """
    stride = spec.output_stride if output_stride is None else output_stride
    if stride not in spec.output_strides:
        raise UsageError(
            f"{spec.name} cannot have output stride {stride}",
            f"It can have {', '.join(map(str, spec.output_strides))}.",
        )
    return DeepLab(spec, classes, stride)
