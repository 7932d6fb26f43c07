"""TensorFlow's DeepLab model zoo: v3+ on Xception with separable pyramid and decoder, v3 on MobileNetV2."""

import re
from collections.abc import Iterator

from torch import Tensor

from segcli.errors import UsageError
from segcli.models.networks.mobilenet import MobileNetV2
from segcli.models.networks.xception import FLOWS
from segcli.models.spec import ASPPSpec, ModelSpec
from segcli.weights.convert.names import BATCH_NORM, Names

AVERAGES = "/ExponentialMovingAverage"
"""MobileNetV2 was trained with averaged weights, which are the ones to use; statistics have none."""

SLOTS = re.compile(rf"(^|/)(global_step|Momentum|RMSProp(_1)?)$|{AVERAGES}$")
"""What training leaves in a checkpoint beside the weights."""

SLIM_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def names(spec: ModelSpec) -> Names:
    """The table for any v3+ Xception and for v3's MobileNetV2; `-nosc` variants were never published in this layout."""
    kind, head, decoder = spec.backbone.kind, spec.head, spec.decoder
    if kind in FLOWS and isinstance(head, ASPPSpec) and head.separable:
        table = _xception(kind)
    elif kind == "mobilenetv2" and isinstance(head, ASPPSpec) and not head.rates:
        table = _mobilenetv2()
    else:
        raise UsageError(
            f"TensorFlow's DeepLab published no {spec.name}",
            "It has v3plus-xception, v3plus-xception41 and -71 and v3-mobilenetv2.",
        )
    if head.image_pooling:
        table |= _conv_bn("image_pooling", "aspp.pooling")
    table |= _conv_bn("aspp0", "aspp.conv1x1")
    for i in range(len(head.rates)):
        table |= _separable(f"aspp{i + 1}", f"aspp.atrous.{i}")
    table |= _conv_bn("concat_projection", "aspp.project")
    if decoder:
        table |= _conv_bn("decoder/feature_projection0", "decoder.0.reduce")
        for i in range(len(decoder.convs)):
            table |= _separable(f"decoder/decoder_conv{i}", f"decoder.0.convs.{i}")
    return table | {"logits/semantic/weights": "classifier.weight", "logits/semantic/biases": "classifier.bias"}


def transpose(name: str, tensor: Tensor) -> Tensor:
    """(H, W, in, out) -> (out, in, H, W), and (H, W, channels, 1) -> (channels, 1, H, W) for a depthwise kernel.

    Anything but a kernel stays as it is, also one that has not four axes, whose shape is then refused like any other.
    """
    if tensor.ndim != 4:
        return tensor
    order = (2, 3, 0, 1) if name.endswith("/depthwise_weights") else (3, 2, 0, 1)
    return tensor.permute(order).contiguous()


def _xception(kind: str) -> Names:
    root = kind.replace("xception", "xception_")
    table = _conv_bn(f"{root}/entry_flow/conv1_1", "backbone.stem.0")
    table |= _conv_bn(f"{root}/entry_flow/conv1_2", "backbone.stem.1")
    for index, (block, scope) in enumerate(zip(FLOWS[kind], _scopes(kind), strict=True)):
        theirs, ours = f"{root}/{scope}/xception_module", f"backbone.blocks.{index}"
        for i in (1, 2, 3):
            table |= _separable(f"{theirs}/separable_conv{i}", f"{ours}.stack.conv{i}")
        if block.skip == "conv":
            table |= _conv_bn(f"{theirs}/shortcut", f"{ours}.shortcut")
    return table


def _scopes(kind: str) -> Iterator[str]:
    """One a block. Only the middle flow counts units of one block, the other two count blocks of one unit."""
    middle = sum(block.skip == "sum" for block in FLOWS[kind])
    yield from (f"entry_flow/block{i + 1}/unit_1" for i in range(len(FLOWS[kind]) - middle - 2))
    yield from (f"middle_flow/block1/unit_{i + 1}" for i in range(middle))
    yield from ("exit_flow/block1/unit_1", "exit_flow/block2/unit_1")


def _mobilenetv2() -> Names:
    table = _conv_bn("MobilenetV2/Conv", "backbone.stem") | dict.fromkeys(_conv_bn("MobilenetV2/Conv_1", ""))
    expansions = [row[0] for row in MobileNetV2.STAGES for _ in range(row[2])]
    for index, expansion in enumerate(expansions):
        theirs = "MobilenetV2/expanded_conv" + (f"_{index}" if index else "")
        ours = f"backbone.blocks.{index}"
        if expansion > 1:
            table |= _conv_bn(f"{theirs}/expand", f"{ours}.expand")
        table[f"{theirs}/depthwise/depthwise_weights"] = f"{ours}.depthwise.conv.weight"
        table |= _bn(f"{theirs}/depthwise", f"{ours}.depthwise.bn")
        table |= _conv_bn(f"{theirs}/project", f"{ours}.project")
    return table


def _conv_bn(theirs: str, ours: str) -> Names:
    return {f"{theirs}/weights": f"{ours}.conv.weight"} | _bn(theirs, f"{ours}.bn")


def _separable(theirs: str, ours: str) -> Names:
    return {
        f"{theirs}_depthwise/depthwise_weights": f"{ours}.conv_dw.weight",
        **_bn(f"{theirs}_depthwise", f"{ours}.bn_dw"),
        f"{theirs}_pointwise/weights": f"{ours}.conv_pw.weight",
        **_bn(f"{theirs}_pointwise", f"{ours}.bn_pw"),
    }


def _bn(theirs: str, ours: str) -> Names:
    return {f"{theirs}/BatchNorm/{a}": f"{ours}.{b}" for a, b in zip(SLIM_BATCH_NORM, BATCH_NORM, strict=True)}
