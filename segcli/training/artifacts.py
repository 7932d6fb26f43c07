"""The files that a run leaves for people to look at: metrics.csv, curve.png, overlays, and TensorBoard's file."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segcli.data.dataset import Dataset
from segcli.files.atomic import write_whole, writing
from segcli.images import plots
from segcli.images.overlay import overlay, write_overlay
from segcli.training.events import Event, Step, Validation
from segcli.training.history import History
from segcli.training.recipe import Run
from segcli.training.run_folder import CURVE, METRICS, OVERLAYS, TENSORBOARD

COLUMNS = ("iteration", "loss", "rate", "miou")


class Artifacts:
    """Writes these files while a run goes on; to be closed at its end.

    Args:
        folder: Of the run.
        settings: [run] of the recipe: how often the metrics are written, and how many overlays.
        val: Photos to validate on; the first of them become overlays.
        history: Of the run, which goes on changing.
    """

    def __init__(self, folder: Path, settings: Run, val: Dataset, history: History):
        self.folder = folder
        self.settings = settings
        self.val = val
        self.history = history
        with writing(folder):
            self.board = TensorBoard(folder, history.iteration)

    def add(self, event: Event) -> None:
        """Write what a step or a validation adds; SegcliError where the folder cannot be written to."""
        with writing(self.folder):
            self.board.add(event)
            if isinstance(event, Validation):
                write_metrics(self.folder, self.history.rows)
                write_curve(self.folder, self.history.rows)
                write_overlays(self.folder, event, self.val, self.settings.overlays)
            elif event.iteration % self.settings.log_every == 0:
                write_metrics(self.folder, self.history.rows)

    def close(self) -> None:
        """Write what TensorBoard's writer still holds; SegcliError where the folder cannot be written to."""
        with writing(self.folder):
            self.board.close()


def write_metrics(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write metrics.csv: a line for each row of `History.rows`; loss is the mean since the line before."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    with write_whole(folder / METRICS) as file:
        file.write(text.getvalue().encode())


def write_curve(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write curve.png: the loss and the validations' mIOU over the iterations."""
    loss, miou = ({row["iteration"]: row[key] for row in rows if key in row} for key in ("loss", "miou"))
    with write_whole(folder / CURVE) as file:
        plots.training(loss, miou).save(file, "PNG")


def write_overlays(folder: Path, validation: Validation, val: Dataset, count: int) -> None:
    """Write overlays/ITERATION/NAME.jpg: what the model makes of the first `count` photos to validate on."""
    for sample in val.samples[:count]:
        photo = val.read_photo(sample).rgb
        picture = overlay(photo, validation.segmenter.labels(photo), val.labels)
        write_overlay(folder / OVERLAYS / f"{validation.iteration:06}" / f"{sample.name}.jpg", picture)


class TensorBoard:
    """TensorBoard's file, where its package is installed; without it nothing happens.

    Args:
        folder: Of the run.
        iteration: From where it goes on: what a killed run has noted beyond is not shown.
    """

    def __init__(self, folder: Path, iteration: int = 0):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.writer = None
        else:
            self.writer = SummaryWriter(folder / TENSORBOARD, purge_step=iteration + 1 if iteration else None)

    def add(self, event: Event) -> None:
        """Write the scalars of a step or a validation."""
        if self.writer is None:
            return
        if isinstance(event, Step):
            self.writer.add_scalar("loss", event.loss, event.iteration)
            self.writer.add_scalar("rate", event.rate, event.iteration)
        elif event.scores.miou is not None:
            self.writer.add_scalar("miou", event.scores.miou, event.iteration)

    def close(self) -> None:
        """Write what is left."""
        if self.writer is not None:
            self.writer.close()
