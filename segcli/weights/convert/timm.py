"""timm's ImageNet networks: backbones only, their classifiers are dropped."""

from itertools import groupby

import torch

from segcli.errors import UsageError
from segcli.models.networks.deeplab import build
from segcli.models.networks.mobilenet import MobileNetV2, MobileNetV3
from segcli.models.networks.resnet import UNITS
from segcli.models.networks.xception import FLOWS
from segcli.models.spec import ModelSpec
from segcli.weights.convert.names import Names, conv, conv_bn, dropped
from segcli.weights.convert.torchvision import resnet

VGG_CLASSIFIERS = ("pre_logits.fc1", "pre_logits.fc2", "head.fc", "classifier.0", "classifier.3", "classifier.6")
"""timm's three, then torchvision's, whose VGG is the same but for them."""


def names(spec: ModelSpec) -> Names:
    """The table for the backbone of `spec`."""
    kind = spec.backbone.kind
    if kind in UNITS:
        return resnet(spec, "") | dropped("fc.weight", "fc.bias")
    if kind in FLOWS:
        return _same_names(spec) | dropped("head.fc.weight", "head.fc.bias")
    if kind == "vgg16":
        return _same_names(spec) | dropped(
            *(f"{layer}.{part}" for layer in VGG_CLASSIFIERS for part in ("weight", "bias"))
        )
    if kind == "mobilenetv2" and spec.backbone.width == 1:
        return _mobilenetv2()
    if kind == "mobilenetv3":
        return _mobilenetv3()
    raise UsageError(f"timm has no backbone for {spec.name}")


def _same_names(spec: ModelSpec) -> Names:
    """For a backbone whose modules are called as timm calls them."""
    with torch.device("meta"):
        names = build(spec, 1).backbone.state_dict()
    return {name: f"backbone.{name}" for name in names if not name.endswith("num_batches_tracked")}


def _mobilenetv2() -> Names:
    units = [
        (f"blocks.{stage}.{unit}", expansion > 1)
        for stage, (expansion, _, repetitions, _) in enumerate(MobileNetV2.STAGES)
        for unit in range(repetitions)
    ]
    table = conv_bn(("conv_stem", "bn1"), "backbone.stem")
    for index, (theirs, expands) in enumerate(units):
        table |= _inverted_residual(theirs, f"backbone.blocks.{index}", expands)
    return table | dropped(*conv_bn(("conv_head", "bn2"), ""), *conv("classifier", "", bias=True))


def _mobilenetv3() -> Names:
    table = conv_bn(("conv_stem", "bn1"), "backbone.stem")
    channels, index = 16, 0
    stages = [list(rows) for _, rows in groupby(MobileNetV3.ROWS, key=lambda row: row[2])]  # by their output's channels
    for stage, rows in enumerate(stages):
        for unit, (_, expanded, out, squeezes, *_) in enumerate(rows):
            theirs, ours = f"blocks.{stage}.{unit}", f"backbone.blocks.{index}"
            table |= _inverted_residual(theirs, ours, expanded != channels)
            for layer, own in (("se.conv_reduce", "fc1"), ("se.conv_expand", "fc2")) if squeezes else ():
                table |= conv(f"{theirs}.{layer}", f"{ours}.squeeze.{own}", bias=True)
            channels, index = out, index + 1
    table |= conv_bn((f"blocks.{len(stages)}.0.conv", f"blocks.{len(stages)}.0.bn1"), "backbone.last")
    return table | dropped(*conv("conv_head", "", bias=True), *conv("classifier", "", bias=True))


def _inverted_residual(theirs: str, ours: str, expands: bool) -> Names:
    """A block's convolutions, each with its normalisation; `expands` says whether a 1x1 comes first."""
    layers = ("conv_pw", "conv_dw", "conv_pwl") if expands else ("conv_dw", "conv_pw")
    own = ("expand", "depthwise", "project")[-len(layers) :]
    table: Names = {}
    for number, (layer, name) in enumerate(zip(layers, own, strict=True), 1):
        table |= conv_bn((f"{theirs}.{layer}", f"{theirs}.bn{number}"), f"{ours}.{name}")
    return table
