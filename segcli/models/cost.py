"""What a network costs: parameters and multiply-adds, counted on meta tensors, without weights and without memory."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segcli.models.networks.deeplab import build
from segcli.models.preprocessing import scaled
from segcli.models.spec import ModelSpec


@dataclass(frozen=True)
class Cost:
    """What one prediction takes.

    Attributes:
        parameters: Learned values; running statistics are not among them.
        multiply_adds: Those of all convolutions, each output pixel once; the head's enlargements, activations and
            normalisations are left out, as everywhere.
        as_paper: The same as the v3+ paper counted it, with the padding of TensorFlow's space-to-batch.
    """

    parameters: int
    multiply_adds: int
    as_paper: int


def measure(
    spec: ModelSpec,
    size: int | tuple[int, int] = 513,
    *,
    classes: int = 21,
    output_stride: int | None = None,
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
) -> Cost:
    """The cost of one photo.

    Args:
        spec: The variant.
        size: The network's input in pixels: the side of a square, or (height, width).
        classes: Channels of the logits.
        output_stride: The variant's own if None.
        scales: The photo runs once at each; a side of d becomes int((d - 1) * scale + 1).
        flip: Whether its mirror image runs as well.
    """
    height, width = (size, size) if isinstance(size, int) else size
    with torch.device("meta"):
        network = build(spec, classes, output_stride).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = _identity  # it keeps the shape, and on meta tensors takes half of the time
    counts = [multiply_adds(network, scaled(height, scale), scaled(width, scale)) for scale in scales]
    plain, padded = (sum(column) * (1 + flip) for column in zip(*counts, strict=True))
    return Cost(sum(p.numel() for p in network.parameters()), plain, padded)


def multiply_adds(network: nn.Module, height: int, width: int) -> tuple[int, int]:
    """The multiply-adds of every convolution for one input of `height` x `width`: plain, and as the v3+ paper counted.

    `network` must be on the meta device and in eval mode.
    """
    plain = padded = 0

    def count(conv: nn.Conv2d, _: tuple[Tensor], output: Tensor) -> None:
        nonlocal plain, padded
        sides = output.shape[2:]
        plain += conv.weight.numel() * sides.numel()
        rows, columns = (
            space_to_batch_side(*side) for side in zip(sides, conv.kernel_size, conv.dilation, strict=True)
        )
        padded += conv.weight.numel() * rows * columns

    handles = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    try:
        with torch.no_grad():
            network(torch.empty(1, 3, height, width, device="meta"))
    finally:
        for handle in handles:
            handle.remove()
    return plain, padded


def space_to_batch_side(side: int, kernel: int, rate: int) -> int:
    """Outputs a side that TensorFlow computes for a convolution at `rate`, those it cuts away included.

    It pads to a multiple of the rate, deals the pixels to rate x rate small pictures and convolves each: at rate 1
    that is `side`, at rate 12 with a 3x3 kernel 36 for a side of 33.
    """
    reach = kernel - 1
    return rate * (-(-(side + reach * rate) // rate) - reach)


def _identity(x: Tensor) -> Tensor:
    return x
