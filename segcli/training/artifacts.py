"""What a run leaves for people to look at: metrics.csv, curve.png, overlays, and TensorBoard's file."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segcli.data.dataset import Dataset
from segcli.files.atomic import write_whole
from segcli.images import plots
from segcli.images.overlay import overlay, write_overlay
from segcli.images.read import read_rgb
from segcli.inference.segmenter import Segmenter
from segcli.training.events import Event, Step, Validation

COLUMNS = ("iteration", "loss", "rate", "miou")


def write_metrics(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """metrics.csv: a line for each row of `Training.history`; loss is the mean since the line before."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    with write_whole(folder / "metrics.csv") as file:
        file.write(text.getvalue().encode())


def write_curve(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """curve.png: the loss and the validations' mIOU over the iterations."""
    loss, miou = ({row["iteration"]: row[key] for row in history if key in row} for key in ("loss", "miou"))
    with write_whole(folder / "curve.png") as file:
        plots.training(loss, miou).save(file, "PNG")


def write_overlays(folder: Path, validation: Validation, val: Dataset, count: int) -> None:
    """overlays/ITERATION/NAME.jpg: what the model makes of the first photos to validate on."""
    segmenter: Segmenter = validation.segmenter
    for sample in val.samples[:count]:
        photo = read_rgb(sample.image)
        picture = overlay(photo, segmenter.labels(photo), val.labels)
        write_overlay(folder / "overlays" / f"{validation.iteration:06}" / f"{sample.name}.jpg", picture)


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
            self.writer = SummaryWriter(folder / "tensorboard", purge_step=iteration + 1 if iteration else None)

    def add(self, event: Event) -> None:
        """Take in a step or a validation."""
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
