"""SegmenTron's v3+ on Xception-65 and ResNet-101: TensorFlow's structure under names of its own."""

from segcli.errors import UsageError
from segcli.models.networks.xception import FLOWS
from segcli.models.spec import ModelSpec
from segcli.models.variants import VARIANTS
from segcli.weights.convert.names import Names, conv, conv_bn, dropped, separable
from segcli.weights.convert.torchvision import resnet

PYRAMID = {
    "aspp.pooling": ("image_pooling.conv", "image_pooling.bn"),
    "aspp.conv1x1": ("aspp0.conv", "aspp0.bn"),
    "aspp.project": ("conv", "bn"),
}


def names(spec: ModelSpec) -> Names:
    """The table for v3plus-xception and v3plus-resnet101."""
    whole = VARIANTS["v3plus-xception"]
    kind = spec.backbone.kind
    if (spec.head, spec.decoder) != (whole.head, whole.decoder) or kind not in ("xception65", "resnet101"):
        raise UsageError(f"SegmenTron has no {spec.name}", "It has v3plus-xception and v3plus-resnet101.")
    if kind == "resnet101":
        table = resnet(spec, "encoder") | dropped("encoder.fc.weight", "encoder.fc.bias")
    else:
        table = _xception65()
    for ours, theirs in PYRAMID.items():
        table |= conv_bn((f"head.aspp.{theirs[0]}", f"head.aspp.{theirs[1]}"), ours)
    for i in (1, 2, 3):
        table |= _separable(f"head.aspp.aspp{i}", f"aspp.atrous.{i - 1}")
    table |= conv_bn(("head.c1_block.conv", "head.c1_block.bn"), "decoder.0.reduce")
    for i in (0, 1):
        table |= _separable(f"head.block.{i}", f"decoder.0.convs.{i}")
    return table | conv("head.block.2", "classifier", bias=True)


def _xception65() -> Names:
    table: Names = {}
    for i in (1, 2):
        table |= conv_bn((f"encoder.conv{i}", f"encoder.bn{i}"), f"backbone.stem.{i - 1}")
    for index, block in enumerate(FLOWS["xception65"]):
        theirs, ours = f"encoder.block{index + 1}", f"backbone.blocks.{index}"
        for i in (1, 2, 3):
            table |= _separable(f"{theirs}.sep_conv{i}", f"{ours}.stack.conv{i}")
        if block.skip == "conv":
            table |= conv_bn((f"{theirs}.conv", f"{theirs}.bn"), f"{ours}.shortcut")
    return table


def _separable(theirs: str, ours: str) -> Names:
    block = f"{theirs}.block"
    halves = (f"{block}.depthwise", f"{block}.bn_depth"), (f"{block}.pointwise", f"{block}.bn_point")
    return separable(*halves, ours)
