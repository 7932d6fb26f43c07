"""`--engine`: whether torch or onnxruntime runs the network."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.cli.display import Display
from segcli.errors import SegcliError, UsageError

if TYPE_CHECKING:
    import torch

    from segcli.weights.model_io import LoadedModel

ENGINES = ("auto", "torch", "onnx")
EXPORTED = ".onnx"


def check(engine: str, weights: Path | None, tile: int | None, precision: str) -> None:
    """Refuse what cannot be, before anything heavy is imported."""
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: not known", f"Choose among {', '.join(ENGINES)}.")
    if tile is not None and (engine == "onnx" or _is_exported(weights)):
        raise UsageError(
            "--tile needs torch: windows share what the whole picture looks like, and an exported graph takes no more "
            "than a picture",
            "Leave out --tile, or use the checkpoint with --engine torch.",
        )
    if precision != "float32" and (engine == "onnx" or _is_exported(weights)):
        raise UsageError(f"--precision {precision} needs torch: an exported graph computes in float32", "Leave it out.")
    if engine == "torch" and _is_exported(weights):
        raise UsageError(f"--engine torch cannot run {weights}", "Leave it out: onnxruntime runs such files.")


def device(name: str, engine: str, source: str | Path) -> str:
    """The device's name once the engine is considered: onnxruntime uses the CPU here.

    Raises:
        UsageError: Another one was named.
    """
    if engine != "onnx" and not _is_exported(source):
        return name
    if name not in ("auto", "cpu"):
        raise UsageError(f"onnxruntime runs on the CPU, not on {name}", "Leave out --device, or use --engine torch.")
    return "cpu"


def _is_exported(source: str | Path | None) -> bool:
    return isinstance(source, Path) and source.suffix == EXPORTED


def begun(folder: Path) -> str | None:
    """The engine that an output folder was begun with; a run goes on with it, so that what is done stays done."""
    try:
        return tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))["model"]["engine"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def by_number(passes: int) -> str:
    """The engine by the number of passes alone: that of every run of the same kind, whatever is converted by now."""
    from segcli.export import onnx_cache

    return "onnx" if passes >= onnx_cache.WORTHWHILE else "torch"


def chosen(
    model: LoadedModel, wanted: str, device: torch.device, passes: int, firm: str | None, display: Display
) -> LoadedModel:
    """The model under the engine that is wanted.

    With "auto" that is, on the CPU, onnxruntime: if `firm` says so; else if the network is converted already or the
    passes ahead are worth it. Where that does not work out, torch.

    Args:
        model: As loaded.
        wanted: One of ENGINES.
        device: Where the network is to run.
        passes: Through the network, about.
        firm: The engine that "auto" shall stay with, or None.
        display: Hears of a conversion before it begins.

    Raises:
        SegcliError: onnxruntime was asked for, and cannot be used.
    """
    if model.engine == "onnx" or wanted == "torch":
        return model
    from segcli.export import onnx_cache

    if wanted == "onnx":
        return _under_onnxruntime(model, display)
    if device.type != "cpu" or firm == "torch" or not onnx_cache.available():
        return model
    try:
        if firm is None and passes < onnx_cache.WORTHWHILE and not onnx_cache.kept(model):
            return model
        return _under_onnxruntime(model, display)
    except SegcliError as error:
        display.say(f"the network runs under torch: {error.message}", "dim")
        return model


def _under_onnxruntime(model: LoadedModel, display: Display) -> LoadedModel:
    from segcli.export import onnx_cache

    if ready := onnx_cache.accelerated(model):
        return ready
    display.say(f"converting {model.spec.name} for onnxruntime, once: it is faster on the CPU", "dim")
    onnx_cache.convert(model)
    if ready := onnx_cache.accelerated(model):
        return ready
    raise SegcliError("the converted network was damaged at once", "Is the disk of SEGCLI_CACHE_DIR sound?")
