"""Ranges of activations: between which values the features of photos lie, the most extreme ones left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from segcli.errors import SegcliError
from segcli.weights import graph

PERCENTILE = 99.999
"""The percentage of a tensor's values that end within its range, counted from the other end."""
STEP = 13
"""Of so many values of a tensor one is looked at; a prime, so that it falls into step with no row and no channel."""
KEPT = 1024
"""The number of extreme values that are kept at each end: enough for a hundred million at that percentile."""

Range = tuple[float, float]
"""The least and the greatest value of a tensor."""


@dataclass
class Extremes:
    """The most extreme of the values seen so far, of which the percentile follows, however many are seen."""

    seen: int = 0
    lowest: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    highest: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    def add(self, values: np.ndarray) -> None:
        """See values, float32 of any shape."""
        self.seen += values.size
        self.highest = _largest(np.concatenate([self.highest, values.reshape(-1)]))
        self.lowest = -_largest(-np.concatenate([self.lowest, values.reshape(-1)]))

    @property
    def range(self) -> Range:
        """The least and the greatest value but for those beyond the percentile, at either end."""
        beyond = min(int(self.seen * (1 - PERCENTILE / 100) + 1e-6), KEPT - 1)
        return float(np.sort(self.lowest)[beyond]), float(np.sort(self.highest)[-1 - beyond])


def measure(network: bytes, tensors: Sequence[str], inputs: Iterable[np.ndarray]) -> dict[str, Range]:
    """Measure between which values activations lie.

    A sample of each is taken inside the graph, so that no more features than ever are held at a time.

    Args:
        network: An ONNX file's bytes.
        tensors: The activations' names.
        inputs: The network's inputs, one after the other.

    Returns:
        The range of each tensor, by name.

    Raises:
        SegcliError: There is no input, or the network gives NaN or infinite values for one.
    """
    session = graph.session(_sampling(network, tensors))
    (taken,) = session.get_inputs()
    extremes = {name: Extremes() for name in tensors}
    samples = [_sample(name) for name in tensors]
    for given in inputs:
        for name, values in zip(tensors, session.run(samples, {taken.name: given}), strict=True):
            if not np.isfinite(values).all():
                raise SegcliError(
                    "the network gives NaN or infinite values for a photo that it is calibrated on", "Leave it out."
                )
            extremes[name].add(values)
    if not all(found.seen for found in extremes.values()):
        raise SegcliError("there is no photo to calibrate on", "Name photos with --calibrate.")
    return {name: found.range for name, found in extremes.items()}


def _largest(values: np.ndarray) -> np.ndarray:
    return values if values.size <= KEPT else np.partition(values, -KEPT)[-KEPT:]


def _sampling(network: bytes, tensors: Iterable[str]) -> bytes:
    """The network with a sample of each tensor among its outputs."""
    onnx = graph.package("onnx")
    model = onnx.load_model_from_string(network)
    numbers = {"flat": [-1], "first": [0], "last": [np.iinfo(np.int64).max], "axis": [0], "step": [STEP]}
    for name, value in numbers.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.int64), _sample(name)))
    parts = [_sample(name) for name in ("first", "last", "axis", "step")]
    for name in tensors:
        flat = f"{_sample(name)}/flat"
        model.graph.node.append(onnx.helper.make_node("Reshape", [name, _sample("flat")], [flat]))
        model.graph.node.append(onnx.helper.make_node("Slice", [flat, *parts], [_sample(name)]))
        model.graph.output.append(onnx.helper.make_tensor_value_info(_sample(name), onnx.TensorProto.FLOAT, ["values"]))
    return model.SerializeToString()


def _sample(name: str) -> str:
    """The name of a tensor's sample, which no tensor of the network has."""
    return f"segcli/sample/{name}"
