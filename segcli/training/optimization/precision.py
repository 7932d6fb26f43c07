"""MixedPrecision: the types in which a training step computes, and the loss scaling that fp16 needs."""

from contextlib import AbstractContextManager, nullcontext

import torch

from segcli.devices import HALF_TYPES


class MixedPrecision:
    """Autocast for the forward pass, and a GradScaler that keeps fp16's small gradients from becoming 0.

    Args:
        amp: `run.amp` of the recipe: "off" (float32), "bf16", which has float32's range and needs no scaling, or
            "fp16".
        device: Where the network is.
    """

    def __init__(self, amp: str, device: torch.device):
        self.device_type = device.type
        self.dtype = HALF_TYPES.get(amp)
        self.scaler = torch.amp.GradScaler(device.type, enabled=amp == "fp16")

    def autocast(self) -> AbstractContextManager:
        """The context of the forward pass."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device_type, self.dtype)
