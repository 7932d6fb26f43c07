"""INT8: a network whose convolutions multiply whole numbers of 8 bits, which a CPU does in a fraction of the time.

The file says so by pairs of QuantizeLinear and DequantizeLinear around each layer that `int8_layers` chooses, and any
runtime that knows ONNX can run it. Activations are uint8, one scale a tensor; weights are int8, one scale for each
channel of the output.

**Weights have 7 bits**, -64 to 64. Processors of the x86 kind without the VNNI instructions add up two products of 8
bits in 16; 255 * 127 * 2 needs 17, so that such sums are cut off, without a word, and labels depend on the processor.
With 7 bits no sum is ever cut off.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from segcli.errors import SegcliError
from segcli.export import int8_layers
from segcli.export.calibration import Calibration
from segcli.export.export import Export, prepare, to_onnx
from segcli.export.int8_layers import Layers
from segcli.export.ranges import Range, measure
from segcli.images.reading import PhotoReading
from segcli.weights import graph
from segcli.weights.model_io import LoadedModel

if TYPE_CHECKING:
    from onnx import ModelProto

_WORTH_SHARING = 1 << 10
"""Bytes of a constant below which a second copy does no harm."""


def exported(
    model: LoadedModel, calibration: Calibration, reading: PhotoReading, with_preprocessing: bool = False
) -> tuple[Export, bytes]:
    """A model's 8-bit form: what it is, and the bytes of its file.

    Args:
        model: As loaded; not one that was exported already.
        calibration: The photos to calibrate on.
        reading: How these are read.
        with_preprocessing: As for `export.prepare`.

    Raises:
        SegcliError: As `to_int8`, or torch cannot export the network.
        InputError: A photo cannot be read.
    """
    plan = prepare(model, with_preprocessing, calibration.facts)
    return plan, to_int8(to_onnx(plan), calibration.inputs(model.preprocessing, plan, reading))


def to_int8(network: bytes, inputs: Iterable[np.ndarray]) -> bytes:
    """Make the 8-bit form of a network.

    Args:
        network: The bytes of an ONNX file that `export.to_onnx` made.
        inputs: The network's inputs for the photos that it is calibrated on.

    Raises:
        SegcliError: A package is missing, no layer can compute in 8 bits, there is no photo, or onnxruntime fails.
    """
    onnx = graph.package("onnx")
    model = _unshared(onnx.load_model_from_string(network))
    layers = int8_layers.choose(model.graph)
    if not layers.nodes:
        raise SegcliError("no layer of this network can compute in 8 bits", "Leave out --precision int8.")
    ranges = measure(model.SerializeToString(), layers.tensors, inputs)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    with _quantising():
        made = _quantised(onnx.shape_inference.infer_shapes(model), layers, ranges)
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, facts)
    return made.SerializeToString()


def _unshared(model: "ModelProto") -> "ModelProto":
    """The model with weights of its own wherever torch's exporter lets several layers share equal ones by Identity."""
    weights = {entry.name: entry for entry in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type == "Identity" and node.input[0] in weights:
            copy = type(weights[node.input[0]])()
            copy.CopyFrom(weights[node.input[0]])
            copy.name = node.output[0]
            model.graph.initializer.append(copy)
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


def _quantised(model: "ModelProto", layers: Layers, ranges: Mapping[str, Range]) -> "ModelProto":
    from onnxruntime import quantization
    from onnxruntime.quantization.calibrate import TensorsData

    ranges = {**ranges, **{name: ranges[clip] for name, clip in layers.clipped.items()}}
    known = {name: tuple(np.array(end, np.float32) for end in ends) for name, ends in ranges.items()}
    quantizer = quantization.QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=True,
        weight_qType=quantization.QuantType.QInt8,
        activation_qType=quantization.QuantType.QUInt8,
        tensors_range=TensorsData(quantization.CalibrationMethod.MinMax, known),
        nodes_to_quantize=list(layers.nodes),
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv", *int8_layers.BETWEEN],
        extra_options={"WeightSymmetric": True},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    return _without_copies(_without_leftovers(quantizer.model.model))


def _without_leftovers(model: "ModelProto") -> "ModelProto":
    """The model without the constants that nothing uses, such as the limits of a Clip that a convolution took in."""
    used = {name for node in model.graph.node for name in node.input}
    for entry in [entry for entry in model.graph.initializer if entry.name not in used]:
        model.graph.initializer.remove(entry)
    for node in [
        node for node in model.graph.node if node.op_type == "Constant" and not used.intersection(node.output)
    ]:
        model.graph.node.remove(node)
    return model


def _without_copies(model: "ModelProto") -> "ModelProto":
    """The model with one copy of equal weights: layers that see several scales have the same ones."""
    first, names = {}, {}
    for entry in list(model.graph.initializer):
        if len(entry.raw_data) < _WORTH_SHARING:
            continue
        name = first.setdefault((entry.data_type, tuple(entry.dims), entry.raw_data), entry.name)
        if name != entry.name:
            names[entry.name] = name
            model.graph.initializer.remove(entry)
    for node in model.graph.node if names else ():
        node.input[:] = [names.get(name, name) for name in node.input]
    return model


@contextmanager
def _quantising() -> Iterator[None]:
    """A block for onnxruntime's quantizer, without its remarks to developers; what it raises becomes one line."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    except Exception as error:  # of every kind
        line = next(iter(str(error).splitlines()), "")
        message = f"onnxruntime cannot make this network's 8-bit form ({type(error).__name__}: {line})"
        raise SegcliError(message, "Leave out --precision int8.") from error
    finally:
        logging.disable(before)
