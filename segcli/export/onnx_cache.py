"""Conversions: networks made ready once for onnxruntime, which computes on the CPU what torch does in less time.

SEGCLI_CACHE_DIR holds, below `onnx/`, for each network that was converted,

    WEIGHTS-KEY-CONTENT.onnx   the conversion, in floats or in 8 bits; WEIGHTS and CONTENT begin the sha256 of the
                               weights and of the file
    WEIGHTS-KEY.refused        or why there is none; KEY stands for all that a conversion depends on

A conversion in floats is there only if it once gave torch's labels. The ones used last stay, up to ROOM.
"""

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

from huggingface_hub.utils import WeakFileLock
from torch import Tensor

from segcli import __version__
from segcli.errors import SegcliError
from segcli.export import verify
from segcli.export.export import OPSET, Export, prepare, to_onnx
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.weights import cache
from segcli.weights.facts import Int8
from segcli.weights.model_io import LoadedModel
from segcli.weights.onnx_file import LOGITS, OnnxNetwork

ROOM = 1 << 30
"""The bytes that all conversions may take together."""
SIZES = ((225, 289), (321, 257))
"""The (height, width) of the two inputs on which torch and onnxruntime must agree."""


def available() -> bool:
    """Whether onnx and onnxruntime are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def kept(model: LoadedModel, int8: Int8 | None = None) -> Path | None:
    """The file of a model's conversion, if there is one; SegcliError where the weights cannot be told apart.

    Args:
        model: As loaded.
        int8: What its 8-bit form is made with; None means the conversion that computes in floats.
    """
    return max(_folder().glob(f"{_name(model, int8)}-*.onnx"), default=None)


def convert(model: LoadedModel) -> None:
    """Convert a network, compare it with torch's, and keep it; a few seconds. Other processes wait meanwhile.

    Raises:
        SegcliError: It cannot be converted, does not give the same labels, or the cache cannot be written to.
    """
    with alone():
        if not kept(model):
            _write_conversion(model)


@contextmanager
def alone() -> Iterator[None]:
    """A block in which no other process converts; SegcliError where the cache cannot be written to."""
    with cache.explained():
        _folder().mkdir(parents=True, exist_ok=True)
        with WeakFileLock(_folder() / "lock"):
            yield


def accelerated(model: LoadedModel, int8: Int8 | None = None) -> LoadedModel | None:
    """A model with its network under onnxruntime; None if it is not converted, or its file was damaged since."""
    path = kept(model, int8)
    if path is None:
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:12] != path.stem.rpartition("-")[2]:
        path.unlink(missing_ok=True)
        return None
    with suppress(OSError):  # the folder may be another user's
        os.utime(path)
    return replace(model, network=OnnxNetwork(data, len(model.labels)).eval(), engine="onnx", int8=int8)


def store(model: LoadedModel, data: bytes, int8: Int8 | None = None) -> None:
    """Keep a conversion's bytes; those not used for longest make room."""
    path = _folder() / f"{_name(model, int8)}-{hashlib.sha256(data).hexdigest()[:12]}.onnx"
    with write_whole(path) as file:
        file.write(data)
    _make_room(path)


def forget(weights_sha256: str) -> int:
    """Delete the conversions of the weights with that sha256; returns the bytes freed."""
    freed = 0
    for path in _folder().glob(f"{weights_sha256[:12]}-*"):
        freed += path.stat().st_size
        path.unlink()
    return freed


def _write_conversion(model: LoadedModel) -> None:
    refusal = _folder() / f"{_name(model)}.refused"
    if refusal.is_file():
        raise SegcliError(refusal.read_text(encoding="utf-8"))
    export = prepare(model)
    data = to_onnx(export)
    agreement = _compared(export, OnnxNetwork(data, len(model.labels)))
    if not agreement.holds:
        reason = f"onnxruntime gives {agreement.share:.2%} of torch's labels"
        refusal.write_text(reason, encoding="utf-8")
        raise SegcliError(reason)
    store(model, data)


def _compared(export: Export, network: OnnxNetwork) -> verify.Agreement:
    """How nearly onnxruntime computes what torch does, on the inputs of `SIZES`."""

    def run(x: Tensor) -> dict[str, Tensor]:
        return {LOGITS: network(x)}

    try:
        return sum((verify.compare(export, run, x) for x in verify.noise(SIZES)), verify.Agreement())
    except MemoryError as error:
        raise SegcliError("memory does not suffice to compare it with torch") from error


def _make_room(newest: Path) -> None:
    """Delete the conversions not used for longest, up to `ROOM` in all."""
    total = 0
    for path in sorted(_folder().glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True):
        total += path.stat().st_size
        if total > ROOM and path != newest:
            path.unlink()


def _name(model: LoadedModel, int8: Int8 | None = None) -> str:
    """The beginning of a conversion's file name: all that it depends on, but its content."""
    weights = model.provenance.get("sha256")
    if not weights:
        raise SegcliError("weights without a sha256 cannot be told apart", "Save them as a checkpoint first.")
    facts = [
        cache.CONVERSION_REVISION,
        model.spec.to_dict(),
        len(model.labels),
        model.output_stride,
        OPSET,
        __version__,
    ]
    facts += [asdict(int8), asdict(model.preprocessing), model.photos.to_dict()] if int8 else []
    versions = [metadata.version(name) for name in ("torch", "onnx", "onnxruntime")]
    key = hashlib.sha256(to_json([weights, facts, versions]).encode()).hexdigest()
    return f"{weights[:12]}-{key[:12]}"


def _folder() -> Path:
    return cache.folder() / "onnx"
