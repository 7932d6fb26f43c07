"""The options that say which model runs, where, and by which protocol, the same for every command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segcli.cli.options import common
from segcli.errors import UsageError
from segcli.inference.options import ModelOptions
from segcli.labels import LabelSet
from segcli.pipeline.model import DEFAULT_MODEL
from segcli.weights.reference import ModelReference, checkpoint_at, named, names_for, what_fits


def reference(model: str | None, weights: Path | None, default: str = DEFAULT_MODEL) -> ModelReference:
    """The model that --model or --weights mean; no torch is needed to tell that there is none."""
    if weights is None:
        return named(model or default)
    if model is not None:
        raise UsageError("--model and --weights exclude each other", "A checkpoint knows its own model.")
    return checkpoint_at(weights)


def reference_for(model: str | None, weights: Path | None, wanted: LabelSet, default: str) -> ModelReference:
    """The model for a dataset: without --model and --weights, the variant `default` with the dataset's labels.

    Raises:
        UsageError: The weights are known to have other labels, or none of the default's have the dataset's.
    """
    if model is None and weights is None:
        fitting = [name for name in names_for(wanted) if name.startswith(f"{default}@")]
        if not fitting:
            raise UsageError(f"no default model has the labels of {wanted.name}", what_fits(wanted))
        return named(fitting[0])
    found = reference(model, weights)
    if found.labels is not None and found.labels.name != wanted.name:
        message = f"{found} has the labels of {found.labels.name}, the dataset those of {wanted.name}"
        raise UsageError(message, what_fits(wanted))
    return found


@dataclass(frozen=True)
class Network:
    """Which model, where it runs, and the protocol to apply it by: the options that predict and eval share."""

    model: common.Model = None
    weights: common.Weights = None
    device: common.Device = "auto"
    engine: common.Engine = "auto"
    batch: common.Batch = 1
    output_stride: common.OutputStride = None
    size: common.Size = None
    multi_scale: common.MultiScale = False
    scales: common.Scales = None
    flip: common.Flip = False
    tile: common.Tile = None
    precision: common.Precision = "float32"

    def __post_init__(self):
        common.averaged_scales(self.scales, self.multi_scale)

    def reference(self) -> ModelReference:
        """The model that is meant."""
        return reference(self.model, self.weights)

    def reference_for(self, labels: LabelSet, default: str) -> ModelReference:
        """The model for a dataset; see `reference_for`."""
        return reference_for(self.model, self.weights, labels, default)

    def options(self) -> ModelOptions:
        """How to load and apply it."""
        return ModelOptions(
            self.output_stride,
            self.size,
            common.averaged_scales(self.scales, self.multi_scale),
            self.flip,
            self.tile,
            self.precision,
            self.device,
            self.engine,
        )
