"""timm's ImageNet networks: backbones only, their classifiers are dropped."""

from segcli.convert.names import Names, conv, conv_bn, dropped
from segcli.convert.torchvision import resnet
from segcli.errors import UsageError
from segcli.models.mobilenet import MobileNetV2
from segcli.models.resnet import UNITS
from segcli.variants import ModelSpec


def names(spec: ModelSpec) -> Names:
    """The table for the backbone of `spec`."""
    kind = spec.backbone.kind
    if kind in UNITS and spec.backbone.stem == "7x7":
        return resnet(spec, "") | dropped("fc.weight", "fc.bias")
    if kind == "mobilenetv2" and spec.backbone.width == 1:
        return _mobilenetv2()
    raise UsageError(f"timm has no backbone for {spec.name}")


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
