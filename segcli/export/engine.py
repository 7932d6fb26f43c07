"""Engine: whether torch or onnxruntime runs a model's network on the CPU."""

from collections.abc import Callable

import torch

from segcli.errors import SegcliError
from segcli.export import onnx_cache
from segcli.weights.model_io import LoadedModel

WORTHWHILE = 20
"""Passes through the network from which on converting it saves time: v3plus-xception was converted in 2.6 s, and a
pass then took 0.8 s of two busy cores' time instead of 1.2."""


def by_number(passes: int) -> str:
    """The engine by the number of passes alone: that of every run of the same kind, whatever is converted by now."""
    return "onnx" if passes >= WORTHWHILE else "torch"


def select_engine(
    model: LoadedModel,
    wanted: str,
    device: torch.device,
    passes: int,
    keep: str | None = None,
    *,
    tell: Callable[[str], None] = lambda remark: None,
) -> LoadedModel:
    """Put a model's network under the engine that is wanted; with "auto" under the faster one, and torch in doubt.

    Args:
        model: As loaded. One that was exported runs under onnxruntime already, and stays as it is.
        wanted: "auto", "torch" or "onnx".
        device: Where the network is to run.
        passes: How often the network will run, about; from `WORTHWHILE` on a conversion pays.
        keep: The engine that "auto" shall stay with, such as that of an earlier run; None leaves it free.
        tell: Hears of a conversion before it begins, and why "auto" did without one.

    Returns:
        The model, or the same with its network under onnxruntime.

    Raises:
        SegcliError: "onnx" was asked for, and onnxruntime cannot be used.
    """
    if model.engine == "onnx" or wanted == "torch":
        return model
    if wanted == "onnx":
        return _under_onnxruntime(model, tell)
    try:
        if _saves_time(model, device, passes, keep):
            return _under_onnxruntime(model, tell)
    except SegcliError as error:
        tell(f"the network runs under torch: {error.message}")
    return model


def _saves_time(model: LoadedModel, device: torch.device, passes: int, keep: str | None) -> bool:
    """Whether "auto" means onnxruntime; SegcliError where the model cannot be told apart from others."""
    if device.type != "cpu" or keep == "torch" or not onnx_cache.available():
        return False
    return keep == "onnx" or passes >= WORTHWHILE or onnx_cache.kept(model) is not None


def _under_onnxruntime(model: LoadedModel, tell: Callable[[str], None]) -> LoadedModel:
    if ready := onnx_cache.accelerated(model):
        return ready
    tell(f"converting {model.spec.name} for onnxruntime, once: it is faster on the CPU")
    onnx_cache.convert(model)
    if ready := onnx_cache.accelerated(model):
        return ready
    raise SegcliError("the converted network was damaged at once", "Is the disk of SEGCLI_CACHE_DIR sound?")
