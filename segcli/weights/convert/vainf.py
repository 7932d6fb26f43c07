"""VainF's DeepLabV3Plus-Pytorch: v3 and v3+ on ResNet-50 and -101, built of torchvision's parts.

Its files lie where no stable link leads, so that the manifest has none of them: what they are stands here. Its models
on MobileNetV2 pad before the 1x1 expansion, which no network here does.
"""

from typing import Any

from segcli.errors import UsageError
from segcli.models.networks.resnet import UNITS
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ASPPSpec, DecoderSpec, ModelSpec
from segcli.weights.convert.names import Names, conv, conv_bn
from segcli.weights.convert.torchvision import head, pyramid, resnet

HEAD = "classifier"
V3: dict[str, Any] = {"head": {"dropout": 0.1}, "output_stride": 16}
V3PLUS: dict[str, Any] = {
    "head": {"separable": False, "pool_first": False},
    "decoder": {"separable": False, "low_level_first": True, "convs": [[3, 256]]},
    "align_corners": False,
}
"""What its networks do otherwise than the variants of that name; nested as a spec is."""
PREPROCESSING = Preprocessing(
    resize="short", size=513, pad="none", pad_value=0.0, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
)
"""How it scores VOC's val with `--crop_val`, but for the crop at the photo's centre."""


def names(spec: ModelSpec) -> Names:
    """The table for a v3 or v3+ with its `differences`."""
    if not _is_theirs(spec):
        raise UsageError(
            f"VainF has no {spec.name} of this shape",
            "It has v3-resnet50, v3-resnet101, v3plus-resnet50 and v3plus-resnet101.",
        )
    table = resnet(spec, "backbone")
    if spec.decoder is None:
        return table | head(spec.head, f"{HEAD}.classifier")
    table |= pyramid(spec.head, f"{HEAD}.aspp")
    for theirs, ours in (("project", "decoder.0.reduce"), ("classifier", "decoder.0.convs.0")):
        table |= conv_bn((f"{HEAD}.{theirs}.0", f"{HEAD}.{theirs}.1"), ours)
    return table | conv(f"{HEAD}.classifier.3", "classifier", bias=True)


def differences(spec: ModelSpec) -> dict[str, Any]:
    """What its network does otherwise than a variant, nested as a spec is."""
    if not isinstance(spec.head, ASPPSpec):
        return {}
    return V3PLUS if spec.decoder else V3


def _is_theirs(spec: ModelSpec) -> bool:
    pyramids = ASPPSpec(pool_first=False), ASPPSpec(pool_first=False, extra_conv=True)
    decoder = DecoderSpec(low_level_first=True, convs=((3, 256),))
    wanted = (pyramids[0], decoder) if spec.decoder else (pyramids[1], None)
    is_resnet = spec.backbone.kind in UNITS and spec.backbone.stem == "7x7" and not spec.backbone.extra_stages
    return is_resnet and (spec.head, spec.decoder) == wanted and not spec.align_corners
