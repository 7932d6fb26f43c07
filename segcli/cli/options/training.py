"""What `segcli train` learns from and for how long: options that plan a recipe, or change one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from typer import Option

from segcli.cli.options import completion
from segcli.cli.options.dataset import LabelsPlace, PhotosPlace
from segcli.cli.options.panels import MODEL
from segcli.data.reading import Choice, void_text
from segcli.errors import UsageError
from segcli.training import packaged
from segcli.training.recipe import FOLD_LIMIT
from segcli.weights.reference import checkpoint_at

PANEL = "Plan"


@dataclass(frozen=True)
class Source:
    """Photos, labels and what is said of them: what a recipe is planned from, or what one is changed to."""

    photos: PhotosPlace = None
    labels: LabelsPlace = None
    names: Annotated[
        str | None,
        Option(
            "--names",
            metavar="A,B,...|FILE|SET",
            help="The classes in the order of their ids, a file that names them, or a known set. Not "
            "needed if the labels name their classes.",
            rich_help_panel="Folder",
        ),
    ] = None
    minutes: Annotated[
        float | None,
        Option(
            "--minutes",
            min=0.01,
            metavar="N",
            help="How long to train; more minutes make a better model.",
            show_default="10",
            rich_help_panel=PANEL,
        ),
    ] = None
    model: Annotated[
        str | None,
        Option(
            "--model",
            "-m",
            metavar="NAME[@LABELS]",
            help="The first weights; see `segcli models`.",
            rich_help_panel=MODEL,
            autocompletion=completion.models,
        ),
    ] = None
    weights: Annotated[
        Path | None,
        Option(
            "--weights",
            "-w",
            metavar="FILE|RUN",
            help="The first weights, instead of --model: a checkpoint, or the folder of a run.",
            rich_help_panel=MODEL,
        ),
    ] = None
    up: Annotated[
        bool | None,
        Option(
            "--up/--no-up",
            help="Say whether the photos have a top and a bottom. Photos without, such as cells and fields from "
            "above, are turned every way. Without it segcli finds out.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None
    folds: Annotated[
        int,
        Option(
            "--folds",
            metavar="K",
            help="For few photos: K runs that each hold out other photos, then one run on all. They share the time.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = 0

    def __post_init__(self):
        if self.model is not None and self.weights is not None:
            raise UsageError("--model and --weights cannot be used together", "A checkpoint knows its own model.")
        if self.folds and not 2 <= self.folds <= FOLD_LIMIT:
            raise UsageError(f"--folds {self.folds}: no number of folds", f"Give 2 to {FOLD_LIMIT}; 5 is common.")

    @property
    def start(self) -> str | Path | None:
        """The first weights that are named; None where none are."""
        return self.model if self.weights is None else self.weights

    def changes(self, config: str, reading: Choice) -> tuple[str, ...]:
        """What these options change in a recipe, as `--set` would say it.

        Args:
            config: The recipe as it was named; one that comes with segcli knows no class of one's own.
            reading: How the labels are read.
        """
        return tuple(f"{key}={_toml(value)}" for key, value in self._keys(config, reading))

    def _keys(self, config: str, reading: Choice) -> Iterator[tuple[str, Any]]:
        if self.photos is not None:
            yield from {"data.dataset": "folder", "data.images": str(self.photos), "data.masks": ""}.items()
            if packaged.is_packaged(config):
                yield from {"data.labels": "", "data.val_images": "", "data.val_masks": ""}.items()
        if self.labels is not None:
            yield "data.masks", str(self.labels)
        if self.names is not None:
            yield "data.labels", self.names
        if self.minutes is not None:
            yield "schedule.minutes", self.minutes
        if self.start is not None:
            first = self.model or str(checkpoint_at(self.weights).path)
            yield from {"model.name": "", "model.init": first}.items()
        if self.up is not None:
            yield from {"augment.flip_vertical": not self.up, "augment.quarter_turns": not self.up}.items()
        yield from _reading_keys(reading)


def _reading_keys(reading: Choice) -> Iterator[tuple[str, Any]]:
    if reading.as_:
        yield "data.read_as", reading.as_
    if reading.void is not None:
        yield "data.void", void_text(reading.void)
    for key in ("fill_boxes", "skip_empty", "with_predictions"):
        if getattr(reading, key):
            yield f"data.{key}", True


def _toml(value: Any) -> str:
    return tomli_w.dumps({"value": value}).partition("=")[2].strip()
