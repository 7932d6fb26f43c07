"""What runs a network: torch, or onnxruntime on the CPU, converted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from segcli.errors import SegcliError
from segcli.export import onnx_cache

if TYPE_CHECKING:
    import torch

    from segcli.weights.model_io import LoadedModel

Engine = Literal["auto", "torch", "onnx"]


def by_number(passes: int) -> Engine:
    """The engine by the number of passes alone: that of every run of the same kind, whatever is converted by now."""
    return "onnx" if passes >= onnx_cache.WORTHWHILE else "torch"


def select_engine(
    model: LoadedModel,
    wanted: Engine,
    device: torch.device,
    passes: int,
    keep: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> LoadedModel:
    """The model under the engine that is wanted.

    With "auto" that is, on the CPU, onnxruntime: if `keep` says so; else if the network is converted already or the
    passes ahead are worth it. Where that does not work out, torch.

    Args:
        model: As loaded.
        wanted: "auto", "torch" or "onnx".
        device: Where the network is to run.
        passes: How often the network will run, about.
        keep: The engine that "auto" shall stay with, or None.
        tell: Hears of a conversion before it begins, and why onnxruntime is not used.

    Raises:
        SegcliError: onnxruntime was asked for, and cannot be used.
    """
    if model.engine == "onnx" or wanted == "torch":
        return model
    if wanted == "onnx":
        return _converted(model, tell)
    if device.type != "cpu" or keep == "torch" or not onnx_cache.available():
        return model
    try:
        if keep is None and passes < onnx_cache.WORTHWHILE and not onnx_cache.kept(model):
            return model
        return _converted(model, tell)
    except SegcliError as error:
        tell(f"the network runs under torch: {error.message}")
        return model


def _converted(model: LoadedModel, tell: Callable[[str], None]) -> LoadedModel:
    """The model under onnxruntime, converted now unless it is already."""
    if ready := onnx_cache.accelerated(model):
        return ready
    tell(f"converting {model.spec.name} for onnxruntime, once: it is faster on the CPU")
    onnx_cache.convert(model)
    if ready := onnx_cache.accelerated(model):
        return ready
    raise SegcliError("the converted network was damaged at once", "Is the disk of SEGCLI_CACHE_DIR sound?")
