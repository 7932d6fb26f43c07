"""Converted: a model whose conversion for onnxruntime is kept, made ready without importing torch."""

from __future__ import annotations

from dataclasses import replace

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
    if options.precision != "float32":
        return None
    made = _segmenters(reference, options, keep_engine)
    return made[0] if made else None


def both(
    reference: ModelReference, options: ModelOptions, keep_engine: str | None
) -> tuple[GraphSegmenter, GraphSegmenter] | None:
    """What predicts in floats and in 8 bits without torch; None where not both are kept, or torch is needed."""
    return _segmenters(reference, options, keep_engine) if options.precision == "int8" else None


def _segmenters(
    reference: ModelReference, options: ModelOptions, keep_engine: str | None
) -> tuple[GraphSegmenter, ...] | None:
    """One in floats, and one of the 8-bit form where that is wanted; None where one of them is not to be had."""
    if not (_is_plain(options) and _is_meant(reference, options, keep_engine) and conversions.available()):
        return None
    try:
        facts = foresight.verified(reference, options.output_stride, "onnx")
        forms = dict.fromkeys((None, foresight.wanted_form(options)))
        found = [(replace(facts, int8=form), conversions.read(facts, form)) for form in forms] if facts else []
        if not found or not all(data for _, data in found):
            return None
        return tuple(GraphSegmenter(one, Graph(data, len(one.labels)), options.size) for one, data in found)
    except (SegcliError, OSError):
        return None


def _is_plain(options: ModelOptions) -> bool:
    """Whether there is one pass a photo and nothing to average; that is torch's work."""
    return options.scales == (1.0,) and not (options.flip or options.tile)


def _is_meant(reference: ModelReference, options: ModelOptions, keep_engine: str | None) -> bool:
    """Whether onnxruntime is asked for, or "auto" would take it: nothing but the CPU is there."""
    if options.engine == "auto" and keep_engine == "torch":
        return False
    on_cpu = options.device_name(reference) == "cpu" or (options.device == "auto" and processor.is_alone())
    return options.engine != "torch" and on_cpu and not reference.is_exported
