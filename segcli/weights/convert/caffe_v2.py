"""The public v2 ResNet-101 (kazuto1011/deeplab-pytorch), which keeps Caffe's layout and names."""

from segcli.errors import UsageError
from segcli.models.networks.resnet import UNITS
from segcli.models.spec import BranchesSpec, ModelSpec
from segcli.weights.convert.names import Names, bn, conv

UNIT = {"reduce": ("conv1", "bn1"), "conv3x3": ("conv2", "bn2"), "increase": ("conv3", "bn3")}
SHORTCUT = ("downsample.0", "downsample.1")


def names(spec: ModelSpec) -> Names:
    """The table for a v2 ResNet, with or without the wrapper for several scales, which has no tensors."""
    if spec.backbone.kind not in UNITS or not isinstance(spec.head, BranchesSpec):
        raise UsageError(f"deeplab-pytorch has no {spec.name}", "It has v2-resnet101.")
    table = _layer("layer1.conv1", ("conv1", "bn1"))
    for stage, units in enumerate(UNITS[spec.backbone.kind], 1):
        for unit in range(units):
            theirs, ours = f"layer{stage + 1}.block{unit + 1}", f"layer{stage}.{unit}"
            layers = UNIT | ({"shortcut": SHORTCUT} if unit == 0 else {})
            for layer, pair in layers.items():
                table |= _layer(f"{theirs}.{layer}", tuple(f"{ours}.{module}" for module in pair))
    for branch in range(len(spec.head.rates)):
        table |= conv(f"base.aspp.c{branch}", f"classifier.{branch}", bias=True)
    return table


def _layer(theirs: str, ours: tuple[str, str]) -> Names:
    return conv(f"base.{theirs}.conv", f"backbone.{ours[0]}") | bn(f"base.{theirs}.bn", f"backbone.{ours[1]}")
