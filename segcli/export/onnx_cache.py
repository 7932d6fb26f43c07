"""Conversions: networks made ready once for onnxruntime, which computes on the CPU what torch does in less time.

SEGCLI_CACHE_DIR holds, below `onnx/`, for each network that was converted,

    WEIGHTS-KEY-CONTENT.onnx   the conversion, in floats or in 8 bits; WEIGHTS and CONTENT begin the sha256 of the
                               weights and of the file
    WEIGHTS-KEY.refused        or why there is none; KEY stands for all that a conversion depends on

A conversion in floats is there only if it once gave torch's labels. The ones used last stay, up to ROOM.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from huggingface_hub.utils import WeakFileLock
from torch import Tensor

from segcli.errors import SegcliError
from segcli.export import conversions, verify
from segcli.export.conversions import folder, kept, name
from segcli.export.export import Export, prepare, to_onnx
from segcli.files.atomic import write_whole
from segcli.weights import cache
from segcli.weights.facts import Int8
from segcli.weights.graph import LOGITS
from segcli.weights.model_io import LoadedModel
from segcli.weights.onnx_file import OnnxNetwork

ROOM = 1 << 30
"""The bytes that all conversions may take together."""
SIZES = ((225, 289), (321, 257))
"""The (height, width) of the two inputs on which torch and onnxruntime must agree."""


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
        folder().mkdir(parents=True, exist_ok=True)
        with WeakFileLock(folder() / "lock"):
            yield


def accelerated(model: LoadedModel, int8: Int8 | None = None) -> LoadedModel | None:
    """A model with its network under onnxruntime; None if it is not converted, or its file was damaged since."""
    data = conversions.read(model, int8)
    if data is None:
        return None
    return replace(model, network=OnnxNetwork(data, len(model.labels)).eval(), engine="onnx", int8=int8)


def store(model: LoadedModel, data: bytes, int8: Int8 | None = None) -> None:
    """Keep a conversion's bytes; those not used for longest make room."""
    path = folder() / f"{name(model, int8)}-{hashlib.sha256(data).hexdigest()[:12]}.onnx"
    with write_whole(path) as file:
        file.write(data)
    _make_room(path)


def forget(weights_sha256: str) -> int:
    """Delete the conversions of the weights with that sha256; returns the bytes freed."""
    freed = 0
    for path in folder().glob(f"{weights_sha256[:12]}-*"):
        freed += path.stat().st_size
        path.unlink()
    return freed


def _write_conversion(model: LoadedModel) -> None:
    refusal = folder() / f"{name(model)}.refused"
    if refusal.is_file():
        raise SegcliError(refusal.read_text(encoding="utf-8"))
    export = prepare(model)
    data = to_onnx(export)
    agreement = _compared(export, OnnxNetwork(data, len(model.labels)))
    if not agreement.holds:
        reason = f"onnxruntime gives {agreement.share:.2%} of torch's labels"
        with write_whole(refusal) as file:  # half a line would refuse for ever without saying why
            file.write(reason.encode())
        raise SegcliError(reason)
    store(model, data)


def _compared(export: Export, network: OnnxNetwork) -> verify.Agreement:
    """How nearly onnxruntime computes what torch does, on the inputs of `SIZES`."""

    def run(x: Tensor) -> dict[str, Tensor]:
        return {LOGITS: network(x)}

    try:
        return sum((verify.compare(export, run, x) for x in verify.noise(SIZES)), verify.Agreement())
    except MemoryError as error:
        raise SegcliError("there is not enough memory to compare it with torch") from error


def _make_room(newest: Path) -> None:
    """Delete the conversions not used for longest, up to `ROOM` in all."""
    total = 0
    for path in sorted(folder().glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True):
        total += path.stat().st_size
        if total > ROOM and path != newest:
            path.unlink()
