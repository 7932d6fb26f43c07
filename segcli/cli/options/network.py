"""From --model, --weights, --device and the protocol options to a Segmenter, the same way for every command."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.cli.display import Display
from segcli.cli.options import common
from segcli.cli.options import engine as engines
from segcli.errors import UsageError
from segcli.labels import LabelSet
from segcli.weights import manifest

if TYPE_CHECKING:
    from segcli.inference.segmenter import Segmenter
    from segcli.weights.model_io import LoadedModel

DEFAULT_MODEL = "v3-mobilenetv2"


def reference(
    model: str | None, weights: Path | None, output_stride: int | None = None, default: str = DEFAULT_MODEL
) -> str | Path:
    """What `weights.load` shall load; fails before torch is imported where the manifest has no such weights."""
    if weights is not None:
        if model is not None:
            raise UsageError("--model and --weights exclude each other", "A checkpoint knows its own model.")
        if not weights.is_file():
            raise UsageError(
                f"--weights {weights}: no such file",
                "Give the path of a .safetensors checkpoint, or of an exported .onnx.",
            )
        return weights
    entry = manifest.resolve(model or default)
    strides = entry.model_spec().output_strides
    if output_stride is not None and output_stride not in strides:
        known = ", ".join(map(str, strides))
        raise UsageError(f"{entry.variant} cannot have output stride {output_stride}", f"It can have {known}.")
    return entry.name


def for_dataset(
    model: str | None, weights: Path | None, output_stride: int | None, wanted: LabelSet, default: str
) -> str | Path:
    """Likewise for a dataset: without either, the weights of the variant `default` that have its labels.

    Raises:
        UsageError: The weights are known to have other labels, or none of the default's have the dataset's.
    """
    if model is None and weights is None:
        fitting = [name for name in _fitting(wanted) if name.startswith(f"{default}@")]
        if not fitting:
            raise UsageError(f"no default model has the labels of {wanted.name}", _what_fits(wanted))
        return reference(fitting[0], None, output_stride)
    source = reference(model, weights, output_stride)
    if isinstance(source, str) and (labels := manifest.resolve(source).labels) != wanted.name:
        raise UsageError(f"{source} has the labels of {labels}, the dataset those of {wanted.name}", _what_fits(wanted))
    return source


def check_labels(have: LabelSet, wanted: LabelSet) -> None:
    """Refuse a model with other classes than the dataset's; a checkpoint tells its own only once it is read."""
    if have.names != wanted.names:
        raise UsageError(
            f"the model has {len(have)} classes ({have.name}), the dataset {len(wanted)} others ({wanted.name})",
            _what_fits(wanted),
        )


def _fitting(labels: LabelSet) -> list[str]:
    """The known weights that have these labels."""
    return [entry.name for entry in manifest.entries() if entry.labels == labels.name]


def _what_fits(labels: LabelSet) -> str:
    names = ", ".join(_fitting(labels))
    return f"These fit: {names}." if names else "Give a checkpoint that was trained for it with --weights."


def load(source: str | Path, output_stride: int | None, display: Display) -> LoadedModel:
    """Load a model, fetching its weights with a progress bar where need be."""
    from segcli.weights import model_io

    with display.downloading() as progress:
        model = model_io.load(source, output_stride, progress=progress)
    for note in model.notes:
        display.say(note, "dim")
    return model


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
        common.working_size(self.size)
        common.scale_list(self.scales, self.multi_scale)
        engines.check(self.engine, self.weights, self.tile, self.precision)

    def source(self) -> str | Path:
        """What to load; see `reference`."""
        return reference(self.model, self.weights, self.output_stride)

    def source_for(self, labels: LabelSet, default: str) -> str | Path:
        """What to load for a dataset; see `for_dataset`."""
        return for_dataset(self.model, self.weights, self.output_stride, labels, default)

    def passes(self, photos: int) -> int:
        """Passes through the network for so many photos, tiles apart."""
        return photos * len(common.scale_list(self.scales, self.multi_scale)) * (1 + self.flip)

    def segmenter(self, source: str | Path, display: Display, photos: int, engine: str | None = None) -> Segmenter:
        """A Segmenter of what `source` gave; the device is announced before anything is downloaded.

        Args:
            source: What to load.
            display: Hears what is going on.
            photos: How many there will be, about.
            engine: The one that `--engine auto` shall stay with, if any.
        """
        from segcli import devices
        from segcli.inference.segmenter import Segmenter

        device = devices.of_process(engines.device(self.device, self.engine, source))
        display.say(f"device {devices.describe(device)}", "dim")
        model = load(source, self.output_stride, display)
        wanted = "torch" if self.tile or self.precision != "float32" else self.engine
        model = engines.chosen(model, wanted, device, self.passes(photos), engine, display)
        runtime = ", under onnxruntime" if model.engine == "onnx" else ""
        display.say(f"model {model.spec.name}, {len(model.labels)} classes of {model.labels.name}{runtime}", "dim")
        return Segmenter(
            model,
            device,
            scales=common.scale_list(self.scales, self.multi_scale),
            flip=self.flip,
            size=common.working_size(self.size),
            tile=self.tile,
            precision=self.precision,
        )


def recipe(segmenter: Segmenter) -> dict:
    """The model and the protocol as TOML-plain values: with them the same masks can be made again."""
    model = segmenter.model
    return {
        "model": {
            "name": model.spec.name,
            "labels": model.labels.name,
            "output_stride": model.output_stride,
            "engine": model.engine,
            "weights": model.provenance,
        },
        "protocol": {
            "scales": list(segmenter.scales),
            "flip": segmenter.flip,
            "tile": segmenter.tile,
            "precision": segmenter.precision,
        },
        "preprocessing": asdict(segmenter.preprocessing),
    }


def provenance(segmenter: Segmenter) -> dict[str, str]:
    """What every mask says about its origin, in its text chunks."""
    model = segmenter.model
    return {"model": model.spec.name, "weights": json.dumps(model.provenance)}
