"""Devices and what they compute in: the one that was asked for or a clear refusal, never a silent fall back."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from segcli import processor
from segcli.errors import DeviceError, UsageError

HALF_TYPES: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The types of half precision by the names that options and recipes give them."""


def choose(name: str = "auto") -> torch.device:
    """The device that is called "auto" (the best there is), "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        UsageError: That is no device's name.
        DeviceError: The device was named and is not there; "auto" takes the CPU instead.
    """
    if name == "auto":
        return torch.device(_best())
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"no device is called {name!r}", "Use auto, cpu, cuda, cuda:N or mps.")
    if device.type == "cuda":
        _check_cuda(device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("--device mps: this PyTorch sees no Apple GPU", "Use --device cpu.")
    return device


def of_rank(device: torch.device, local_rank: int, processes: int) -> torch.device:
    """The device of one process among several on a machine: each takes a GPU of its own where "cuda" was meant."""
    if device.type != "cuda" or device.index is not None or processes == 1:
        return device
    own = torch.device("cuda", local_rank)
    _check_cuda(own)
    return own


def of_process(name: str = "auto") -> torch.device:
    """The device that `choose` gives, and under torchrun this process's own GPU where "cuda" was meant.

    A GPU with a number becomes the current one of this thread: whatever names no device, such as pinned memory and
    NCCL, would open a context on GPU 0 in every process, some hundred megabytes each.

    Raises:
        UsageError, DeviceError: Where `choose` does, or this process has no GPU of its own.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    device = of_rank(choose(name), int(os.environ.get("LOCAL_RANK", "0")), count)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return device


def autocast_type(precision: str, device: torch.device, option: str = "--precision") -> torch.dtype | None:
    """The type that `torch.autocast` shall give a network's convolutions; None for float32, which needs no autocast.

    Args:
        precision: A name of `HALF_TYPES`; any other means float32.
        device: Where the network computes.
        option: The user's word for the precision, for messages.

    Raises:
        DeviceError: The device cannot compute in that precision.
    """
    dtype = HALF_TYPES.get(precision)
    if dtype is not None and not _computes(device, dtype):
        raise DeviceError(f"{option} {precision}: {device} cannot compute in it", f"Leave {option} out.")
    return dtype


def _computes(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a convolution comes out in that type; where autocast cannot, it warns and does without."""
    try:
        with warnings.catch_warnings(action="ignore"), torch.autocast(device.type, dtype):
            one = torch.ones(1, 1, 3, 3).to(device)
            return torch.nn.functional.conv2d(one, one).dtype == dtype
    except RuntimeError:
        return False


@contextmanager
def without_tf32(device: torch.device) -> Iterator[None]:
    """A block in which float32 is float32 on an NVIDIA GPU; elsewhere it changes nothing.

    Torch lets cuDNN's convolutions round their float32 inputs to TF32, of 10 bits instead of 23, unless told otherwise.
    Networks are asked within such a block (`inference.forward`), validation included, so that a GPU's labels are the
    CPU's. A training step is outside: it takes what torch is set to, as torch's own reference trainings do, and its
    gradients are noisier than that rounding. The setting is the process's own, so that it is put back afterwards.
    """
    switches = (torch.backends.cudnn.conv, torch.backends.cuda.matmul) if device.type == "cuda" else ()
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _check_cuda(device: torch.device) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no NVIDIA GPU can be used"
        raise DeviceError(f"--device {device}: {reason}", "Use --device cpu, or run `nvidia-smi` to see the driver.")
    if device.index is not None and device.index >= count:
        raise DeviceError(f"--device {device}: only {count} GPU(s) are here", f"Use cuda:0 to cuda:{count - 1}.")


def describe(device: torch.device) -> str:
    """A device in one phrase for people: `cuda:0 (NVIDIA H200, 139 GiB)` or `cpu (2 threads)`."""
    if device.type == "cuda":
        facts = torch.cuda.get_device_properties(device)
        return f"{device} ({facts.name}, {facts.total_memory / 2**30:.0f} GiB)"
    return processor.describe() if device.type == "cpu" else str(device)
