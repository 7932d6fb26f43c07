"""Converted: a model whose conversion for onnxruntime is kept, made ready without importing torch."""

from __future__ import annotations

from segcli import processor
from segcli.errors import SegcliError
from segcli.export import conversions
from segcli.inference.graph_segmenter import GraphSegmenter
from segcli.inference.options import ModelOptions
from segcli.pipeline import foresight
from segcli.weights.graph import Graph
from segcli.weights.reference import ModelReference


def segmenter(reference: ModelReference, options: ModelOptions, keep_engine: str | None) -> GraphSegmenter | None:
    """What predicts without torch; None where torch is needed, or tells better what is wrong.

    Args:
        reference: Which model.
        options: How it is applied.
        keep_engine: The engine that "auto" shall stay with, if any.
    """
    if not (_is_plain(options) and _is_meant(reference, options, keep_engine) and conversions.available()):
        return None
    try:
        facts = foresight.verified(reference, options.output_stride, "onnx")
        data = facts and conversions.read(facts)
        return GraphSegmenter(facts, Graph(data, len(facts.labels)), options.size) if data else None
    except (SegcliError, OSError):
        return None


def _is_plain(options: ModelOptions) -> bool:
    """Whether there is one pass a photo and nothing to average; that is torch's work."""
    return options.scales == (1.0,) and not (options.flip or options.tile) and options.precision == "float32"


def _is_meant(reference: ModelReference, options: ModelOptions, keep_engine: str | None) -> bool:
    """Whether onnxruntime is asked for, or "auto" would take it: nothing but the CPU is there."""
    if options.engine == "auto" and keep_engine == "torch":
        return False
    on_cpu = options.device_name(reference) == "cpu" or (options.device == "auto" and processor.is_alone())
    return options.engine != "torch" and on_cpu and not reference.is_exported
