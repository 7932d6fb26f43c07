"""torchvision's v3 (`deeplabv3_resnet50_coco-*.pth` and its kin)."""

from segcli.errors import UsageError
from segcli.models.networks.mobilenet import MobileNetV3
from segcli.models.networks.resnet import UNITS
from segcli.models.spec import ASPPSpec, ModelSpec
from segcli.weights.convert.names import Names, bn, conv, conv_bn, dropped

STEM, DEEP_STEM = {"conv1": "bn1"}, {"conv1.0": "conv1.1", "conv1.3": "conv1.4", "conv1.6": "bn1"}
"""The convolutions before ResNet's first unit, with their normalisations: one 7x7, or three 3x3."""
AUXILIARY = ("0.weight", *bn("1", ""), "4.weight", "4.bias")


def names(spec: ModelSpec) -> Names:
    """The table for a v3 with a torchvision backbone; the auxiliary classifier, where there is one, is dropped."""
    has_its_head = isinstance(spec.head, ASPPSpec) and spec.head.extra_conv
    if not has_its_head or spec.backbone.kind not in (*UNITS, "mobilenetv3"):
        raise UsageError(f"torchvision has no {spec.name}", "It has v3-resnet50, v3-resnet101 and v3-mobilenetv3.")
    table = resnet(spec, "backbone") if spec.backbone.kind in UNITS else _mobilenetv3()
    table |= dropped(*(f"aux_classifier.{part}" for part in AUXILIARY))
    return table | head(spec.head, "classifier")


def head(spec: ASPPSpec, prefix: str) -> Names:
    """v3's head behind the backbone: the pyramid, a 3x3 and the classifier; `prefix` is theirs."""
    table = pyramid(spec, f"{prefix}.0") | conv_bn((f"{prefix}.1", f"{prefix}.2"), "aspp.extra")
    return table | conv(f"{prefix}.4", "classifier", bias=True)


def pyramid(spec: ASPPSpec, prefix: str) -> Names:
    """The pyramid of torchvision, whose branches are not separable; `prefix` is theirs."""
    branches = {"aspp.conv1x1": "convs.0", **{f"aspp.atrous.{i}": f"convs.{i + 1}" for i in range(len(spec.rates))}}
    table: Names = {}
    for ours, theirs in (branches | {"aspp.project": "project"}).items():
        table |= conv_bn((f"{prefix}.{theirs}.0", f"{prefix}.{theirs}.1"), ours)
    pool = f"{prefix}.convs.{len(spec.rates) + 1}"
    return table | conv_bn((f"{pool}.1", f"{pool}.2"), "aspp.pooling")


def resnet(spec: ModelSpec, prefix: str) -> Names:
    """The ResNet of torchvision, timm and SegmenTron, whose names are also ours; `prefix` is theirs.

    Only timm has one that begins with three convolutions. The extra stages of the cascade are in no foreign file.
    """
    pairs = dict(STEM if spec.backbone.stem == "7x7" else DEEP_STEM)
    for stage, units in enumerate(UNITS[spec.backbone.kind], 1):
        for unit in (f"layer{stage}.{i}" for i in range(units)):
            pairs |= {f"{unit}.conv{i}": f"{unit}.bn{i}" for i in (1, 2, 3)}
        pairs[f"layer{stage}.0.downsample.0"] = f"layer{stage}.0.downsample.1"
    dot = f"{prefix}." if prefix else ""
    table: Names = {}
    for convolution, norm in pairs.items():
        table |= conv(f"{dot}{convolution}", f"backbone.{convolution}") | bn(f"{dot}{norm}", f"backbone.{norm}")
    return table


def _mobilenetv3() -> Names:
    table = conv_bn(("backbone.0.0", "backbone.0.1"), "backbone.stem")
    channels = 16
    for i, (_, expanded, out, squeeze, *_) in enumerate(MobileNetV3.ROWS):
        layers = ["expand"] * (expanded != channels) + ["depthwise"] + ["squeeze"] * squeeze + ["project"]
        for j, layer in enumerate(layers):
            theirs, ours = f"backbone.{i + 1}.block.{j}", f"backbone.blocks.{i}.{layer}"
            if layer == "squeeze":
                table |= conv(f"{theirs}.fc1", f"{ours}.fc1", bias=True) | conv(
                    f"{theirs}.fc2", f"{ours}.fc2", bias=True
                )
            else:
                table |= conv_bn((f"{theirs}.0", f"{theirs}.1"), ours)
        channels = out
    last = f"backbone.{len(MobileNetV3.ROWS) + 1}"
    return table | conv_bn((f"{last}.0", f"{last}.1"), "backbone.last")
