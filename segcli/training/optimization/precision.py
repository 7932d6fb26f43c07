"""MixedPrecision: the types in which a training step computes, and the loss scaling that fp16 needs."""

from contextlib import AbstractContextManager, nullcontext

import torch

from segcli import devices


class MixedPrecision:
    """Autocast for the forward pass, and a GradScaler that keeps fp16's small gradients from becoming 0.

    Args:
        amp: `run.amp` of the recipe: "off" (float32), "bf16", which has float32's range and needs no scaling, or
            "fp16".
        device: Where the network is.

    Raises:
        DeviceError: The device cannot compute in that type: autocast would warn and go on in float32.
    """

    def __init__(self, amp: str, device: torch.device):
        self.device_type = device.type
        self.dtype = devices.autocast_type(amp, device, "run.amp")
        self.scaler = torch.amp.GradScaler(device.type, enabled=amp == "fp16")

    def autocast(self) -> AbstractContextManager:
        """The context of the forward pass."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device_type, self.dtype)
