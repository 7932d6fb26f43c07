"""The Hub's `google/deeplabv3_mobilenet_v2_*` (transformers' MobileNetV2ForSemanticSegmentation)."""

from segcli.errors import UsageError
from segcli.models.spec import ModelSpec
from segcli.weights.convert.names import Names, conv, conv_bn, dropped

BLOCKS = 17
LAYER = {"expand": "expand_1x1", "depthwise": "conv_3x3", "project": "reduce_1x1"}
HEAD = {"conv1x1": "conv_aspp", "pooling": "conv_pool", "project": "conv_projection"}


def names(spec: ModelSpec) -> Names:
    """The table for a v3 MobileNetV2 of any width."""
    if spec.backbone.kind != "mobilenetv2" or spec.decoder or spec.head.rates:
        raise UsageError(f"transformers has no {spec.name}", "It has v3-mobilenetv2.")
    table = dropped(*_layer("mobilenet_v2.conv_1x1", ""))
    table |= _layer("mobilenet_v2.conv_stem.first_conv", "backbone.stem")
    table |= _layer("mobilenet_v2.conv_stem.conv_3x3", "backbone.blocks.0.depthwise")
    table |= _layer("mobilenet_v2.conv_stem.reduce_1x1", "backbone.blocks.0.project")
    for block in range(1, BLOCKS):
        for ours, theirs in LAYER.items():
            table |= _layer(f"mobilenet_v2.layer.{block - 1}.{theirs}", f"backbone.blocks.{block}.{ours}")
    for ours, theirs in HEAD.items():
        table |= _layer(f"segmentation_head.{theirs}", f"aspp.{ours}")
    return table | conv("segmentation_head.classifier.convolution", "classifier", bias=True)


def _layer(theirs: str, ours: str) -> Names:
    return conv_bn((f"{theirs}.convolution", f"{theirs}.normalization"), ours)
