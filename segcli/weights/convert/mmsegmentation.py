"""mmsegmentation's DeepLabv3 and v3+ on ResNet-50 and -101, with its deep stem ("v1c") or the plain one ("r50b")."""

from segcli.errors import UsageError
from segcli.models.networks.resnet import UNITS
from segcli.models.spec import ASPPSpec, DecoderSpec, ModelSpec
from segcli.weights.convert.names import Names, bn, conv, conv_bn, dropped, separable
from segcli.weights.convert.torchvision import resnet

DEEP_STEM = "3x3x3-32"
STEM = {0: "conv1.0", 1: "conv1.1", 3: "conv1.3", 4: "conv1.4", 6: "conv1.6", 7: "bn1"}
"""The modules of the deep stem by their index in mmsegmentation's sequence; the rest are ReLUs."""
HEAD = "decode_head"
PYRAMID = {"aspp.pooling": "image_pool.1", "aspp.conv1x1": "aspp_modules.0", "aspp.project": "bottleneck"}
AUXILIARY = "auxiliary_head"


def names(spec: ModelSpec) -> Names:
    """The table for a v3 or v3+ with a 3x3 behind the pyramid; the auxiliary head, where there is one, is dropped."""
    head, decoder = spec.head, spec.decoder
    is_theirs = isinstance(head, ASPPSpec) and head.project_kernel == 3 and head.image_pooling and not head.extra_conv
    if not is_theirs or spec.backbone.kind not in UNITS or spec.backbone.stem not in ("7x7", DEEP_STEM):
        raise UsageError(
            f"mmsegmentation has no {spec.name} of this shape",
            "It has v3-resnet50, v3-resnet101, v3plus-resnet50 and v3plus-resnet101.",
        )
    table = _backbone(spec) | _auxiliary()
    for ours, theirs in PYRAMID.items():
        table |= _conv_module(f"{HEAD}.{theirs}", ours)
    layer = _separable if head.separable else _conv_module
    for i in range(len(head.rates)):
        table |= layer(f"{HEAD}.aspp_modules.{i + 1}", f"aspp.atrous.{i}")
    return table | (_decoder(decoder) if decoder else {}) | conv(f"{HEAD}.conv_seg", "classifier", bias=True)


def _backbone(spec: ModelSpec) -> Names:
    table = resnet(spec, "backbone")
    if spec.backbone.stem != DEEP_STEM:
        return table
    stages = {theirs: ours for theirs, ours in table.items() if theirs.startswith("backbone.layer")}
    for index, module in STEM.items():
        layer = bn if index % 3 == 1 else conv
        stages |= layer(f"backbone.stem.{index}", f"backbone.{module}")
    return stages


def _decoder(spec: DecoderSpec) -> Names:
    table = _conv_module(f"{HEAD}.c1_bottleneck", "decoder.0.reduce")
    for i in range(len(spec.convs)):
        table |= _separable(f"{HEAD}.sep_bottleneck.{i}", f"decoder.0.convs.{i}")
    return table


def _auxiliary() -> Names:
    return dropped(*_conv_module(f"{AUXILIARY}.convs.0", ""), *conv(f"{AUXILIARY}.conv_seg", "", bias=True))


def _conv_module(theirs: str, ours: str) -> Names:
    return conv_bn((f"{theirs}.conv", f"{theirs}.bn"), ours)


def _separable(theirs: str, ours: str) -> Names:
    depthwise, pointwise = (f"{theirs}.{part}_conv" for part in ("depthwise", "pointwise"))
    return separable((f"{depthwise}.conv", f"{depthwise}.bn"), (f"{pointwise}.conv", f"{pointwise}.bn"), ours)
