"""Machine: what a training runs on, as far as a plan follows from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Machine:
    """A device and what is around it.

    Attributes:
        device: Where the network will be.
        name: The device in a few words.
        cores: The processor's cores that this process may use.
        memory: Bytes that are free for the network, of the GPU's memory or of the computer's; None: not known.
    """

    device: torch.device
    name: str
    cores: int
    memory: int | None

    @property
    def has_gpu(self) -> bool:
        """Whether the network is not on the processor."""
        return self.device.type != "cpu"


def look(device: str = "auto") -> Machine:
    """This machine as it is now, with the device of that name.

    Raises:
        UsageError: That is no device's name.
        DeviceError: The device is not there.
    """
    from segcli import devices
    from segcli.training.planning import memory

    chosen = devices.choose(device)
    return Machine(chosen, devices.describe(chosen), cores(), memory.available(chosen))


def cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
