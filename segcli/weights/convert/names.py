"""The building stones of a rename table: a convolution, a normalisation, both at once."""

Names = dict[str, str | None]
"""{foreign name: our name, or None where the tensor is dropped on purpose}."""

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def conv(theirs: str, ours: str, *, bias: bool = False) -> Names:
    """A convolution's tensors; `theirs` and `ours` are module names."""
    parts = ("weight", "bias") if bias else ("weight",)
    return {f"{theirs}.{part}": f"{ours}.{part}" for part in parts}


def bn(theirs: str, ours: str) -> Names:
    """A batch normalisation's four tensors, in a torch checkpoint."""
    return {f"{theirs}.{part}": f"{ours}.{part}" for part in BATCH_NORM}


def dropped(*names: str) -> Names:
    """Tensors that we have no use for."""
    return dict.fromkeys(names)


def conv_bn(theirs: tuple[str, str], ours: str) -> Names:
    """The modules of a convolution and its normalisation, to our ConvBN `ours`."""
    return conv(theirs[0], f"{ours}.conv") | bn(theirs[1], f"{ours}.bn")


def separable(depthwise: tuple[str, str], pointwise: tuple[str, str], ours: str) -> Names:
    """The modules of both halves, each a convolution and its normalisation, to our SeparableConv `ours`."""
    return {
        **conv(depthwise[0], f"{ours}.conv_dw"),
        **bn(depthwise[1], f"{ours}.bn_dw"),
        **conv(pointwise[0], f"{ours}.conv_pw"),
        **bn(pointwise[1], f"{ours}.bn_pw"),
    }
