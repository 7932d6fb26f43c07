"""A GPU that is the CPU in truth: tensors stay where they are, and what a GPU would have been asked is recorded."""

from dataclasses import dataclass, field

import torch

CUDA = torch.device("cuda")


@dataclass
class Asked:
    """What was asked of the pretended GPU.

    Attributes:
        pinned: The tensors whose memory was pinned.
        copies: Of each copy to it: the tensor's shape, whether it was pinned, the memory format, and whether the
            processor need not wait.
        autocasts: The device type and the type of each `torch.autocast`.
    """

    pinned: list[int] = field(default_factory=list)
    copies: list[tuple[tuple[int, ...], bool, torch.memory_format, bool]] = field(default_factory=list)
    autocasts: list[tuple[str, torch.dtype]] = field(default_factory=list)


def pretend(monkeypatch) -> Asked:
    """From here to the end of the test `cuda` is the CPU under another name."""
    asked = Asked()
    to, autocast = torch.Tensor.to, torch.autocast

    def copied(tensor, *arguments, non_blocking=False, memory_format=torch.preserve_format, **options):
        if CUDA in arguments:
            asked.copies.append((tuple(tensor.shape), id(tensor) in asked.pinned, memory_format, non_blocking))
            arguments = tuple(torch.device("cpu") if argument == CUDA else argument for argument in arguments)
        return to(tensor, *arguments, non_blocking=non_blocking, memory_format=memory_format, **options)

    def pinned(tensor):
        asked.pinned.append(id(tensor))
        return tensor

    def cast(device, dtype):
        asked.autocasts.append((device, dtype))
        return autocast("cpu", dtype)

    monkeypatch.setattr(torch.Tensor, "to", copied)
    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(torch, "autocast", cast)
    return asked
