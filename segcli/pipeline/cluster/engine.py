"""Which engine runs the network on a cluster: decided once, by who gives out the work, so that all masks are alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from segcli.pipeline import converted
from segcli.pipeline.foresight import foresee
from segcli.pipeline.model import load_network
from segcli.pipeline.predict import Preparation
from segcli.pipeline.records import int8_of
from segcli.weights.facts import ModelFacts


def decided(preparation: Preparation, stations: Iterable[Mapping[str, str]]) -> ModelFacts:
    """The facts of the network that all workers run; its weights are fetched to this computer where they are not here.

    "auto" means torch where a worker has, or may have, more than a CPU; else what it means on one computer.

    Args:
        preparation: The run.
        stations: What each worker says of itself.

    Raises:
        SegcliError: The weights cannot be had, or do not fit.
    """
    asked, begun = preparation.asked, preparation.asked.begun_engine()
    options, reference = asked.options, asked.reference
    beyond_cpus = options.device not in ("auto", "cpu") or not all(station["alone"] for station in stations)
    if options.wanted_engine() == "auto" and options.device != "cpu" and beyond_cpus and not reference.is_exported:
        options = replace(options, engine="torch")
    facts = foresee(reference, options, begun, int8_of(asked.folder))
    if facts is not None:
        return facts
    options = replace(options, device="cpu")  # of this computer, whose own GPU has no say
    if ready := converted.segmenter(reference, options, begun):
        return ready.model
    import torch

    from segcli.export.engine import select_engine

    listener = preparation.listener
    model = load_network(reference, options.output_stride, listener)
    passes = options.passes(preparation.passes)
    return select_engine(model, options.wanted_engine(), torch.device("cpu"), passes, begun, tell=listener.note)
