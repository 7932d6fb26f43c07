"""timm's ImageNet networks: backbones only, their classifiers are dropped."""

import torch

from segcli.errors import UsageError
from segcli.models.networks.deeplab import build
from segcli.models.networks.mobilenet import MobileNetV2
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
    if kind in UNITS and spec.backbone.stem == "7x7":
        return resnet(spec, "") | dropped("fc.weight", "fc.bias")
    if kind in FLOWS:
        return _same_names(spec) | dropped("head.fc.weight", "head.fc.bias")
    if kind == "vgg16":
        return _same_names(spec) | dropped(
            *(f"{layer}.{part}" for layer in VGG_CLASSIFIERS for part in ("weight", "bias"))
        )
    if kind == "mobilenetv2" and spec.backbone.width == 1:
        return _mobilenetv2()
    raise UsageError(f"timm has no backbone for {spec.name}")


def _same_names(spec: ModelSpec) -> Names:
    """For a backbone whose modules are called as timm calls them."""
    with torch.device("meta"):
        names = build(spec, 1).backbone.state_dict()
    return {name: f"backbone.{name}" for name in names if not name.endswith("num_batches_tracked")}


def _mobilenetv2() -> Names:
    table = conv_bn(("conv_stem", "bn1"), "backbone.stem")
    index = 0
    for stage, (expansion, _, repetitions, _) in enumerate(MobileNetV2.STAGES):
        theirs = ("conv_pw", "conv_dw", "conv_pwl") if expansion > 1 else ("conv_dw", "conv_pw")
        ours = ("expand", "depthwise", "project")[-len(theirs) :]
        for unit in range(repetitions):
            for i, (convolution, layer) in enumerate(zip(theirs, ours, strict=True), 1):
                block = f"blocks.{stage}.{unit}"
                table |= conv_bn((f"{block}.{convolution}", f"{block}.bn{i}"), f"backbone.blocks.{index}.{layer}")
            index += 1
    return table | dropped(*conv_bn(("conv_head", "bn2"), ""), *conv("classifier", "", bias=True))
