"""Files of `segcli export`: what one says of itself, and its network under onnxruntime.

An ONNX file holds arithmetic and no program. What is refused nevertheless: tensors kept in other files, whose paths
could lead anywhere; subgraphs, with which a graph could loop for ever; weights that are no numbers; files that say
nothing of themselves. A .pt2 is never read here, since torch.export.load trusts what it loads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from segcli import decoding
from segcli.errors import WeightsError
from segcli.files.paths import shown
from segcli.models.preprocessing import Preprocessing
from segcli.weights import metadata
from segcli.weights.facts import Int8
from segcli.weights.graph import Graph, line, package
from segcli.weights.metadata import Metadata

if TYPE_CHECKING:
    from google.protobuf.message import Message

KEY = "segcli.export"
"""The name of the metadata that tell how a file was made; those under `metadata.KEY` are a checkpoint's."""
LARGEST_INT8 = 64
"""The largest of weights of 7 bits, up or down: 2 * 255 * 64 is a number of 16 bits, 2 * 255 * 127 is none."""
MAX_FILE_BYTES = 2 << 30
"""The most bytes of a file; protobuf, of which ONNX files are made, allows no more."""


@dataclass(frozen=True)
class Making:
    """How a file was exported.

    Attributes:
        output_stride: The network's.
        with_preprocessing: Whether it takes `photo`, uint8 (N, H, W, 3) red-green-blue, and gives `labels`, integers
            (N, H, W), beside `logits`; else it takes `image`, float32 (N, 3, H, W), normalised, and gives `logits`,
            float32 (N, K, h, w), alone. Resizing and padding are outside in either case.
        int8: What it was made with, if it is a network's 8-bit form.
    """

    output_stride: int
    with_preprocessing: bool
    int8: Int8 | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain values, as the file holds them."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Making":
        """The inverse of `to_dict`, from a file's metadata; ValueError where they are not of that form."""
        return decoding.decode(cls, data, ignore_unknown=True)


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was read.

    Attributes:
        facts: What it says of its model; no tensors.
        making: How it was made.
        network: Ready to run.
    """

    facts: Metadata
    making: Making
    network: "OnnxNetwork"


class OnnxNetwork(nn.Module):
    """A `Graph` called like the torch network that it was made of; its arguments and errors are the Graph's."""

    def __init__(self, model: bytes, classes: int, inside: Preprocessing | None = None):
        super().__init__()
        self.graph = Graph(model, classes, inside)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (N, 3, H, W), normalised -> logits (N, classes, h, w), on the input's device."""
        return torch.from_numpy(self.graph(x.cpu().numpy())).to(x.device)


def read(path: Path) -> Exported:
    """Read an ONNX file that `segcli export` wrote, with suspicion.

    Raises:
        SegcliError: onnx or onnxruntime is not installed.
        WeightsError: It is damaged, too large, says nothing of itself, or holds what no export of ours does.
    """
    data, facts, making = _described(path)
    inside = facts.preprocessing if making.with_preprocessing else None
    return Exported(facts, making, OnnxNetwork(data, len(facts.labels), inside))


def facts(path: Path) -> Metadata:
    """What an ONNX file that `segcli export` wrote says of its model; it needs no onnxruntime, else as `read`."""
    return _described(path)[1]


def _described(path: Path) -> tuple[bytes, Metadata, Making]:
    """The file's bytes, once its graph is known to be harmless, and what it says of itself."""
    name = shown(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WeightsError(f"{name} is too large for an ONNX file ({path.stat().st_size / 1e9:.1f} GB)")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{name} cannot be read ({error.strerror or error})") from error
    model = _parsed(data, name)
    _check_graph(model, name)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    about = metadata.understand(texts.get(metadata.KEY, ""), name)
    try:
        making = Making.from_dict(decoding.parse_json(texts.get(KEY, "")))
        if making.output_stride not in about.spec.output_strides or not len(about.labels):
            raise ValueError(f"output stride {making.output_stride}, {len(about.labels)} classes")
    except ValueError as error:
        raise WeightsError(f"{name} has damaged metadata ({error})") from error
    if making.int8 is None and any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise WeightsError(f"{name} computes in 8 bits and does not say so", "Export it again with --precision int8.")
    return data, about, making


def _parsed(data: bytes, name: str) -> Any:
    onnx = package("onnx")
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's DecodeError, which onnx does not name
        raise WeightsError(f"{name} is no ONNX file, or it is cut short") from error


def _check_graph(model: Any, name: str) -> None:
    onnx = package("onnx")
    graphs = 0
    for part in _parts(model):
        if isinstance(part, onnx.TensorProto) and (part.external_data or part.data_location):
            raise WeightsError(f"{name} keeps tensors in other files", "`segcli export` writes everything into one.")
        graphs += isinstance(part, onnx.GraphProto)
    if graphs != 1:
        raise WeightsError(f"{name} has graphs within its graph, which no export of ours does")
    for part in model.graph.initializer:
        _check_weights(part, name)


def _check_weights(part: Any, name: str) -> None:
    try:
        values = package("onnx").numpy_helper.to_array(part)
    except Exception as error:  # a shape or a type that does not fit the bytes
        raise WeightsError(f"{name} has weights that cannot be read ({line(error)})") from error
    ends = np.array([values.min(), values.max()]) if values.size else np.zeros(2)
    if values.dtype.kind == "f" and not np.isfinite(ends).all():
        raise WeightsError(f"the weights {name} hold NaN or infinite values in {part.name}", "Export it again.")
    if values.dtype == np.int8 and (ends[0] < -LARGEST_INT8 or ends[1] > LARGEST_INT8):
        message = f"{name} has weights of more than 7 bits in {part.name}, of which some processors make other labels"
        raise WeightsError(message, "Export the checkpoint with --precision int8.")


def _parts(message: "Message") -> Iterator["Message"]:
    """A protobuf message and all that are in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in (value,) if hasattr(value, "ListFields") else value:
                yield from _parts(part)
