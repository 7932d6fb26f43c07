"""Engine: whether torch or onnxruntime runs a model's network on the CPU."""

from collections.abc import Callable

import torch

from segcli.errors import SegcliError
from segcli.export import conversions, onnx_cache
from segcli.weights.model_io import LoadedModel

WORTHWHILE = 1
"""Passes through the network from which on "auto" converts it: already the first, for whoever labels a photo at a time.

A process that finds a conversion imports no torch, which alone takes longer than most photos. In processor time one
photo's process is so 2.8 s (v3plus-mobilenetv2), 3.9 s (v3plus-xception) and 3.3 s (v3plus-resnet101) shorter, and
converting them takes 1.7, 8.0 and 8.4 s, once: it is earned back by the first to the third photo that follows. Later is
too late, since an output folder stays with the engine that it was begun with.
"""
ALWAYS = 20
"""Passes from which on label maps that are stored between runs are onnxruntime's, however they were begun."""


def by_number(passes: int) -> str:
    """The engine by the number of passes alone: that of every run of the same kind, whatever is converted by now."""
    return "onnx" if passes >= ALWAYS else "torch"


def select_engine(
    model: LoadedModel,
    wanted: str,
    device: torch.device,
    passes: int,
    keep: str | None = None,
    *,
    tell: Callable[[str], None] = lambda remark: None,
    dry: bool = False,
) -> LoadedModel:
    """Put a model's network under the engine that is wanted; with "auto" under the faster one, and torch in doubt.

    Args:
        model: As loaded. One that was exported runs under onnxruntime already, and stays as it is.
        wanted: "auto", "torch" or "onnx".
        device: Where the network is to run.
        passes: How often the network will run, about; from `WORTHWHILE` on a conversion pays.
        keep: The engine that "auto" shall stay with, such as that of an earlier run; None leaves it free.
        tell: Hears of a conversion before it begins, and why "auto" did without one.
        dry: Convert nothing: `tell` hears what would be converted, and the network stays under torch.

    Returns:
        The model, or the same with its network under onnxruntime.

    Raises:
        SegcliError: "onnx" was asked for, and onnxruntime cannot be used.
    """
    if model.engine == "onnx" or wanted == "torch":
        return model
    if wanted == "onnx":
        return _under_onnxruntime(model, tell, dry)
    try:
        if _saves_time(model, device, passes, keep):
            return _under_onnxruntime(model, tell, dry)
    except SegcliError as error:
        tell(f"the network runs under torch: {error.message}")
    return model


def _saves_time(model: LoadedModel, device: torch.device, passes: int, keep: str | None) -> bool:
    """Whether "auto" means onnxruntime; SegcliError where the model cannot be told apart from others."""
    if device.type != "cpu" or keep == "torch" or not conversions.available():
        return False
    return keep == "onnx" or passes >= WORTHWHILE or conversions.kept(model) is not None


def _under_onnxruntime(model: LoadedModel, tell: Callable[[str], None], dry: bool) -> LoadedModel:
    if ready := onnx_cache.accelerated(model):
        return ready
    if dry:
        tell(f"would convert {model.spec.name} for onnxruntime, once; a photo then takes less time than shown here")
        return model
    tell(f"converting {model.spec.name} for onnxruntime, once: it is faster on the CPU")
    onnx_cache.convert(model)
    if ready := onnx_cache.accelerated(model):
        return ready
    raise SegcliError("the converted network was damaged at once", "Is the disk of SEGCLI_CACHE_DIR damaged?")
