"""DilatedDepthwise: a dilated depthwise convolution whose gradients are computed fast on a CPU.

oneDNN, by which torch convolves on a CPU, has fast code for the gradients of depthwise convolutions without dilation
only. With dilation they took 70 % of the time of a training step of DeepLabv3 MobileNetV2 at output stride 8.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

CACHED = 2**20
"""Bytes of products that exist at a time while a kernel's gradient is summed: what the processor's caches hold."""


class DilatedDepthwise(nn.Conv2d):
    """A depthwise convolution of stride 1 that keeps the side: torch's own, but for its gradients in training on a CPU.

    The outputs are torch's to the bit, the gradients up to the order of their sums.

    Args:
        channels: Of the input and of the output.
        kernel: Side of the kernel, odd.
        dilation: Pixels from one of the kernel's values to the next.
    """

    def __init__(self, channels: int, kernel: int, dilation: int):
        margin = dilation * (kernel - 1) // 2
        super().__init__(channels, channels, kernel, 1, margin, dilation, channels, bias=False)

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What torch's `forward` calls: (N, C, H, W) -> the same shape; a bias (C,) is a constant."""
        learns = self.training and torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
        if learns and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            return _Convolution.apply(x, weight, bias, self.dilation[0])
        return super()._conv_forward(x, weight, bias)


class _Convolution(torch.autograd.Function):
    """Convolves x (N, C, H, W) with a kernel (C, 1, k, k) at a dilation; the side stays."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, kernel: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        ctx.save_for_backward(x, kernel)
        ctx.dilation = dilation
        return _convolved(x, kernel, dilation, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, kernel = ctx.saved_tensors
        of_input, of_kernel = ctx.needs_input_grad[:2]
        return (
            # What went to a pixel by a value of the kernel comes back by the same: the kernel turned by half.
            _convolved(gradient, kernel.flip(2, 3), ctx.dilation) if of_input else None,
            kernel_gradient(x, gradient, kernel.shape[-1], ctx.dilation) if of_kernel else None,
            None,
            None,
        )


def _convolved(x: Tensor, kernel: Tensor, dilation: int, bias: Tensor | None = None) -> Tensor:
    margin = dilation * (kernel.shape[-1] - 1) // 2
    return F.conv2d(x, kernel, bias, 1, margin, dilation, kernel.shape[0])


def kernel_gradient(x: Tensor, gradient: Tensor, side: int, dilation: int) -> Tensor:
    """The gradient (C, 1, side, side) of a depthwise kernel: of each value the sum of outputs' gradients times inputs.

    Args:
        x: The input (N, C, H, W).
        gradient: Of the output, of the same shape.
        side: Of the kernel, odd.
        dilation: Pixels from one of the kernel's values to the next.
    """
    result = x.new_zeros(x.shape[1], 1, side, side)
    step = max(1, CACHED // (x.element_size() * x[:, 0].numel()))
    for start in range(0, x.shape[1], step):
        inputs, slopes = (values[:, start : start + step] for values in (x, gradient))
        for row, of_rows, to_rows in _overlaps(x.shape[2], side, dilation):
            for column, of_columns, to_columns in _overlaps(x.shape[3], side, dilation):
                products = inputs[:, :, of_rows, of_columns] * slopes[:, :, to_rows, to_columns]
                result[start : start + step, 0, row, column] = products.sum((0, 2, 3))
    return result


def _overlaps(length: int, side: int, dilation: int) -> Iterator[tuple[int, slice, slice]]:
    """Along an axis: each index of the kernel that meets the picture, the inputs it meets, and their outputs."""
    for index in range(side):
        shift = (index - side // 2) * dilation
        if abs(shift) < length:
            yield index, slice(max(0, shift), length + min(0, shift)), slice(max(0, -shift), length - max(0, shift))
