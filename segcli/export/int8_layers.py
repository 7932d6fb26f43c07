"""Layers of an ONNX network that compute in whole numbers of 8 bits; the others stay float.

Float stay

- the first convolutions, up to `FIRST` in a row: what they round away is missing everywhere;
- the last ones, which no convolution follows: small differences decide between classes there;
- those of a map of one pixel, behind global pooling: they take no time;
- whatever else is not in `BETWEEN`, such as enlarging, and what lies before the first convolution of 8 bits or behind
  the last.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

FIRST = 3
"""The number of convolutions from the picture on that stay float: MobileNetV2's stem and its first block."""
BETWEEN = ("Relu", "Clip", "Add", "Concat", "MaxPool", "Pad")
"""The operators that compute in 8 bits where they lie between convolutions that do."""
ACTIVATIONS = ("Relu", "Clip")
"""The operators that become part of the convolution before them: its range of 8 bits ends where they clip."""
_POOLING = ("GlobalAveragePool", "ReduceMean")
_POINTWISE = ("Conv", "Relu", "Clip", "HardSigmoid", "Sigmoid")


@dataclass(frozen=True)
class Layers:
    """What of a network computes in 8 bits.

    Attributes:
        nodes: The names of the operators that do.
        tensors: The activations whose range of values must be known, in the order in which they come about.
        clipped: A convolution's output -> that of the activation behind it, whose range it has.
    """

    nodes: tuple[str, ...]
    tensors: tuple[str, ...]
    clipped: dict[str, str]


def choose(graph: "GraphProto") -> Layers:
    """The layers of a graph as torch exports it, with batch normalisation folded, that compute in 8 bits."""
    nodes = [node for node in graph.node if node.op_type != "Shape"]  # sizes go other ways than values
    chosen = _inner_convolutions(nodes)
    after, before = _behind(nodes, chosen.__contains__), _ahead(nodes, chosen.__contains__)
    chosen |= {
        node.name
        for node in nodes
        if node.op_type in BETWEEN and after.intersection(node.input) and before.intersection(node.output)
    }
    taken = [node for node in nodes if node.name in chosen]
    clipped = _clipped(nodes, taken)
    constants = {entry.name for entry in graph.initializer}
    tensors = [name for node in taken for name in _activations(node) if name not in constants and name not in clipped]
    return Layers(tuple(node.name for node in taken), tuple(dict.fromkeys(tensors)), clipped)


def _inner_convolutions(nodes: "list[NodeProto]") -> set[str]:
    """The names of the convolutions that are none of the first or last, nor of a single pixel."""
    depth, pooled = _depth(nodes), _pooled(nodes)
    followed = _ahead(nodes, {node.name for node in nodes if node.op_type == "Conv"}.__contains__)
    return {
        node.name
        for node in nodes
        if node.op_type == "Conv"
        and depth[node.output[0]] > FIRST
        and node.output[0] in followed
        and node.input[0] not in pooled
    }


def _depth(nodes: "Iterable[NodeProto]") -> dict[str, int]:
    """The number of convolutions on the longest way to each tensor."""
    depth: dict[str, int] = {}
    for node in nodes:
        reached = max((depth.get(name, 0) for name in node.input), default=0) + (node.op_type == "Conv")
        depth |= dict.fromkeys(node.output, reached)
    return depth


def _pooled(nodes: "Iterable[NodeProto]") -> set[str]:
    """The tensors of one pixel: global pooling's, and what is made of them pixel by pixel."""
    pooled: set[str] = set()
    for node in nodes:
        if node.op_type in _POOLING or (node.op_type in _POINTWISE and node.input[0] in pooled):
            pooled.update(node.output)
    return pooled


def _behind(nodes: "Iterable[NodeProto]", is_start: Callable[[str], bool]) -> set[str]:
    """The tensors that the nodes of some names give, and all that is made of them."""
    names: set[str] = set()
    for node in nodes:
        if is_start(node.name) or names.intersection(node.input):
            names.update(node.output)
    return names


def _ahead(nodes: "list[NodeProto]", is_end: Callable[[str], bool]) -> set[str]:
    """The tensors that the nodes of some names take, and all that those are made of."""
    names: set[str] = set()
    for node in reversed(nodes):
        if is_end(node.name) or names.intersection(node.output):
            names.update(node.input)
    return names


def _clipped(nodes: "Iterable[NodeProto]", taken: "Iterable[NodeProto]") -> dict[str, str]:
    """The output of each chosen convolution that an activation alone takes -> the activation's."""
    users: dict[str, list[NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            users.setdefault(name, []).append(node)
    chosen = {node.name for node in taken}
    result = {}
    for node in taken:
        following = users.get(node.output[0], [])
        if node.op_type == "Conv" and len(following) == 1:
            (user,) = following
            if user.op_type in ACTIVATIONS and user.name in chosen:
                result[node.output[0]] = user.output[0]
    return result


def _activations(node: "NodeProto") -> list[str]:
    """What of a node's inputs and outputs are maps of features."""
    inputs = node.input if node.op_type in ("Add", "Concat") else node.input[:1]
    return [*inputs, *node.output]
