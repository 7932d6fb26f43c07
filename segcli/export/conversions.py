"""Conversions: the files of networks that were converted for onnxruntime; found and read without torch.

`onnx_cache` makes them, and says what the folder holds.
"""

import hashlib
import importlib.util
import os
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from segcli import __version__
from segcli.errors import SegcliError
from segcli.files.encoding import to_json
from segcli.weights import cache
from segcli.weights.facts import Int8, ModelFacts
from segcli.weights.graph import OPSET


def available() -> bool:
    """Whether onnx and onnxruntime are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def kept(model: ModelFacts, int8: Int8 | None = None) -> Path | None:
    """The file of a model's conversion, if there is one; SegcliError where the weights cannot be told apart.

    Args:
        model: What is known of it.
        int8: What its 8-bit form is made with; None means the conversion that computes in floats.
    """
    return max(folder().glob(f"{name(model, int8)}-*.onnx"), default=None)


def read(model: ModelFacts, int8: Int8 | None = None) -> bytes | None:
    """A model's conversion; None if it is not converted, or its file was damaged since: then it is deleted.

    Raises:
        SegcliError: The weights cannot be told apart.
    """
    path = kept(model, int8)
    if path is None:
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:12] != path.stem.rpartition("-")[2]:
        path.unlink(missing_ok=True)
        return None
    with suppress(OSError):  # the folder may be another user's
        os.utime(path)
    return data


def name(model: ModelFacts, int8: Int8 | None = None) -> str:
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


def folder() -> Path:
    """Where conversions are kept."""
    return cache.folder() / "onnx"
