"""Graph: a network that onnxruntime runs on the CPU, from arrays to arrays; no torch is needed."""

import importlib
from typing import Any

import numpy as np

from segcli import processor
from segcli.errors import SegcliError, WeightsError
from segcli.models.preprocessing import Preprocessing

IMAGE, PHOTO, LABELS, LOGITS = "image", "photo", "labels", "logits"
"""Names of inputs (without and with preprocessing inside) and outputs."""
OPSET = 17
"""The version of ONNX's operators: the first with all that the networks need is long behind every runtime in use."""


class Graph:
    """A network under onnxruntime.

    It uses as many threads as torch does, which do not spin between photos: reading and writing want the cores then.

    Args:
        model: The ONNX file's bytes.
        classes: Channels of the logits.
        inside: The preprocessing that is part of the graph: it is undone before; None where it is not.

    Raises:
        SegcliError: onnxruntime is not installed.
        WeightsError: It cannot make a session of them, or inputs and outputs are not those of `segcli export`.
    """

    def __init__(self, model: bytes, classes: int, inside: Preprocessing | None = None):
        self.classes = classes
        self.inside = inside
        try:
            self._session = session(model)
        except Exception as error:  # onnxruntime has an exception for every kind of damage
            if isinstance(error, SegcliError):
                raise
            raise WeightsError(f"onnxruntime cannot run the network ({line(error)})") from error
        inputs = [(entry.name, entry.type) for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        wanted = (IMAGE, "tensor(float)") if inside is None else (PHOTO, "tensor(uint8)")
        if inputs != [wanted] or LOGITS not in outputs:
            raise WeightsError(f"the network takes {inputs} and gives {outputs}, unlike those of `segcli export`")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Float32 (N, 3, H, W), normalised -> logits, float32 (N, classes, h, w).

        Raises:
            MemoryError: The machine's does not suffice.
            WeightsError: The network cannot take this input, or does not give logits.
        """
        name, array = (IMAGE, x) if self.inside is None else (PHOTO, _as_photo(x, self.inside))
        try:
            (logits,) = self._session.run([LOGITS], {name: np.ascontiguousarray(array)})
        except Exception as error:
            if "alloc" in str(error).lower():
                raise MemoryError(str(error)) from error
            raise WeightsError(f"the network cannot take {x.shape} ({line(error)})") from error
        if logits.ndim != 4 or logits.shape[:2] != (len(x), self.classes) or logits.dtype != np.float32:
            raise WeightsError(f"the network gives {logits.dtype} {logits.shape}, which are no {self.classes} classes")
        return logits


def package(name: str) -> Any:
    """The package `onnx` or `onnxruntime`; SegcliError with the line that installs it where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SegcliError(f"this needs {name} ({error})", f"pip install {name}") from error


def session(model: bytes) -> Any:
    """An onnxruntime session on the CPU, with as many threads as torch, which sleep between runs.

    Raises:
        SegcliError: onnxruntime is not installed.
        Exception: One of onnxruntime's own, where it cannot understand the model.
    """
    onnxruntime = package("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processor.threads()
    options.log_severity_level = 4  # what matters is raised
    options.enable_mem_pattern = False  # one would be kept for every size of photo
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without the fallback, which is the CPU again: it would print of an error, to stdout, before it raises it.
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def line(error: Exception) -> str:
    """The first line of what a library says of an error."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _as_photo(x: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """The uint8 (N, H, W, 3) RGB pictures that a normalised input was made of."""
    x = x[:, ::-1] if preprocessing.channels == "BGR" else x
    mean, std = (np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
    picture = x.transpose(0, 2, 3, 1) * std + mean
    return picture.round().clip(0, 255).astype(np.uint8)
