"""The options that say which model runs, where, and by which protocol, the same for every command."""

# os.path's tests answer False for names that no disk takes, where pathlib's raise.
# ruff: noqa: PTH112, PTH113

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated

from typer import Option

from segcli.cli.options import completion
from segcli.cli.options.panels import MODEL, PROTOCOL
from segcli.cli.options.parsing import Parsed, choice, scale_list, working_size
from segcli.errors import UsageError
from segcli.files.paths import shown
from segcli.inference.options import ENGINES, PRECISIONS, SMALLEST_SIZE, ModelOptions
from segcli.inference.options import Precision as ModelPrecision
from segcli.labels import LabelSet
from segcli.models.variants import PAPER_SCALES
from segcli.weights.reference import (
    CHECKPOINT_SUFFIX,
    DEFAULT_MODEL,
    ONNX_SUFFIX,
    PT2_SUFFIX,
    ModelReference,
    checkpoint_at,
    named,
    names_for,
    what_fits,
)

Model = Annotated[
    str | None,
    Option(
        "--model",
        "-m",
        metavar="NAME[@LABELS]",
        help="See `segcli models`.",
        rich_help_panel=MODEL,
        autocompletion=completion.models,
    ),
]
Weights = Annotated[
    Path | None,
    Option(
        "--weights",
        "-w",
        metavar="FILE|RUN",
        help="Instead of --model: a segcli checkpoint, an exported .onnx, or the folder of a training run.",
        rich_help_panel=MODEL,
    ),
]
Device = Annotated[
    str,
    Option("--device", metavar="auto|cpu|cuda[:N]|mps", help="Where the network runs.", rich_help_panel=MODEL),
]
Engine = Annotated[
    str,
    Option(
        "--engine",
        parser=choice("--engine", ENGINES),
        metavar="|".join(ENGINES),
        help="What computes on the CPU; auto takes onnxruntime if that saves time.",
        rich_help_panel=MODEL,
    ),
]
OutputStride = Annotated[
    int | None,
    Option(
        "--output-stride",
        metavar="8|16|32",
        help="Pixels for each cell of the network: 8 is finer and slower than 16.",
        rich_help_panel=PROTOCOL,
    ),
]
Size = Annotated[
    int | None,
    Option(
        "--size",
        parser=working_size("--size", SMALLEST_SIZE),
        metavar="N|full",
        help="Working size in pixels, instead of that of the model; full: the size of the photo.",
        rich_help_panel=PROTOCOL,
    ),
]
MultiScale = Annotated[
    bool,
    Option(
        "--ms", help="Predict at six scales, 0.5 to 1.75, and average (about 9 times slower).", rich_help_panel=PROTOCOL
    ),
]
Flip = Annotated[
    bool,
    Option("--flip", help="Predict the mirrored photo too, and average (2 times slower).", rich_help_panel=PROTOCOL),
]
Scales = Annotated[
    tuple | None,
    Option(
        "--scales",
        parser=Parsed(scale_list, "--scales"),
        metavar="S,S,...",
        help="Predict at these scales instead of those of --ms, and average.",
        rich_help_panel=PROTOCOL,
    ),
]
Tile = Annotated[
    int | None,
    Option(
        "--tile",
        min=64,
        metavar="N",
        help="Cut photos into windows of N pixels if the working size is larger; needs less memory.",
        rich_help_panel=PROTOCOL,
    ),
]
Precision = Annotated[
    ModelPrecision,
    Option(
        "--precision",
        metavar="|".join(PRECISIONS),
        help="The kind of numbers in which the network computes; all but float32 may change labels "
        "slightly. int8: on the CPU.",
        rich_help_panel=PROTOCOL,
    ),
]
Calibrate = Annotated[
    Path | None,
    Option(
        "--calibrate",
        metavar="PHOTOS",
        help="A folder of photos like yours, from which int8 finds its ranges; six street scenes if left out.",
        rich_help_panel=PROTOCOL,
    ),
]
Batch = Annotated[
    int,
    Option(
        "--batch", min=1, max=1024, help="Photos per step on a GPU; this never changes a mask.", rich_help_panel=MODEL
    ),
]


def averaged_scales(scales: tuple[float, ...] | None, multi_scale: bool) -> tuple[float, ...]:
    """What `--scales` and `--ms` come to; (1.0,) without either."""
    if scales and multi_scale:
        raise UsageError("--ms and --scales cannot be used together", "--ms is --scales 0.5,0.75,1,1.25,1.5,1.75.")
    return scales or (PAPER_SCALES if multi_scale else (1.0,))


def reference(model: str | None, weights: Path | None, default: str = DEFAULT_MODEL) -> ModelReference:
    """The model that --model or --weights mean; no torch is needed to tell that there is none."""
    if weights is None:
        return _named(model or default)
    if model is not None:
        raise UsageError("--model and --weights cannot be used together", "A checkpoint knows its own model.")
    return checkpoint_at(weights)


def _named(model: str) -> ModelReference:
    """The model of a name; UsageError where it is that of a file, which another option takes."""
    try:
        return named(model)
    except UsageError as error:
        if not _holds_weights(model):
            raise
        message = f"--model takes the name of a model, and {shown(model)} is a file or folder"
        raise UsageError(message, f"Write --weights {quote(shown(model))} for it.") from error


def _holds_weights(text: str) -> bool:
    """Whether a text is the path of a file that may hold weights, or of a folder."""
    known = (CHECKPOINT_SUFFIX, ONNX_SUFFIX, PT2_SUFFIX, ".pt", ".pth", ".ckpt", ".bin")
    return os.path.isdir(text) or (text.lower().endswith(known) and os.path.isfile(text))


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

    model: Model = None
    weights: Weights = None
    device: Device = "auto"
    engine: Engine = "auto"
    batch: Batch = 1
    output_stride: OutputStride = None
    size: Size = None
    multi_scale: MultiScale = False
    scales: Scales = None
    flip: Flip = False
    tile: Tile = None
    precision: Precision = "float32"
    calibrate: Calibrate = None

    def __post_init__(self):
        averaged_scales(self.scales, self.multi_scale)

    @property
    def names_none(self) -> bool:
        """Whether the model is left to the command."""
        return self.model is None and self.weights is None

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
            averaged_scales(self.scales, self.multi_scale),
            self.flip,
            self.tile,
            self.precision,
            self.device,
            self.engine,
            self.calibrate,
        )
