"""Placing a network on a device, without moving it for others who use it, and its inputs."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn


def placed(network: nn.Module, device: torch.device, channels_last: bool = False) -> nn.Module:
    """A network on a device: itself where it lies there already, else a copy; the one given never moves.

    Args:
        network: Any. A copy shares those parameters and buffers that need not move.
        device: Where the parameters and buffers shall be.
        channels_last: Whether those of four dimensions shall have their channels last in memory.
    """
    tensors = [*network.parameters(), *network.buffers()]
    copies = {id(tensor): _placed(tensor, device, channels_last) for tensor in tensors}
    if all(copies[id(tensor)] is tensor for tensor in tensors):
        return network
    return deepcopy(network, copies)  # what is in its memo, the second argument, is not copied again


def batched(inputs: Sequence[Tensor], device: torch.device) -> Tensor:
    """A batch (N, 3, H, W) on a device, of N inputs (1, 3, H, W) of one size.

    A GPU fetches it from pinned memory, so that the processor need not wait and prepares what comes next.
    """
    batch = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs))
    return batch.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else batch.to(device)


def _placed(tensor: Tensor, device: torch.device, channels_last: bool) -> Tensor:
    """The tensor itself where it lies right; a parameter's copy is a parameter."""
    layout = torch.channels_last if channels_last and tensor.ndim == 4 else torch.preserve_format
    there = tensor.detach().to(device, memory_format=layout)
    if there.device == tensor.device and there.stride() == tensor.stride():
        return tensor
    return nn.Parameter(there, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else there
