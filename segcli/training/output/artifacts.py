"""The files that a run leaves for people to look at: metrics.csv, curve.png, pictures, and TensorBoard's file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segcli.data.dataset import Dataset, Sample
from segcli.evaluation.metrics import dice_of
from segcli.evaluation.scoring import worst
from segcli.files.atomic import write_whole, writing
from segcli.files.paths import shown
from segcli.images import plots
from segcli.images.overlay import overlay, write_overlay
from segcli.labels import LabelSet
from segcli.pipeline.tables import table
from segcli.pipeline.tally import predicted
from segcli.training.events import Event, Step, Validation
from segcli.training.output import gallery
from segcli.training.output.history import History
from segcli.training.output.run_folder import CURVE, GALLERY, METRICS, OVERLAYS, TENSORBOARD
from segcli.training.recipe import Run

COLUMNS = ("iteration", "loss", "rate", "miou")


class Artifacts:
    """Writes these files while a run goes on; to be closed at its end.

    Args:
        folder: Of the run.
        settings: [run] of the recipe: how often the metrics are written, and how many overlays.
        val: Photos to validate on; the first of them, and those that fail most, are shown.
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
                write_metrics(self.folder, self.history.rows, self.labels)
                write_curve(self.folder, self.history.rows, self.labels)
                write_pictures(self.folder, event, self.val, self.settings.overlays)
            elif event.iteration % self.settings.log_every == 0:
                write_metrics(self.folder, self.history.rows, self.labels)

    @property
    def labels(self) -> LabelSet | None:
        """The classes that are scored; None where no photo is."""
        return self.val.labels if self.val.samples else None

    def close(self) -> None:
        """Write what no validation has written, and what TensorBoard's writer still holds; raises as `add`."""
        with writing(self.folder):
            if self.history.rows and not self.val.samples:
                write_metrics(self.folder, self.history.rows)
                write_curve(self.folder, self.history.rows)
            self.board.close()


def write_metrics(folder: Path, rows: Sequence[Mapping[str, Any]], labels: LabelSet | None = None) -> None:
    """Write metrics.csv: a line for each row of `History.rows`; loss is the mean since the line before.

    With labels there are two columns more for each class, "iou NAME" and "dice NAME": so no heading is a formula, and
    none is that of another column, whatever the classes are called.
    """
    names = _scored(labels) if labels else []
    headings = [*COLUMNS, *(f"iou {shown(name)}" for name in names), *(f"dice {shown(name)}" for name in names)]
    lines = []
    for row in rows:
        ious = [row.get("iou", {}).get(name) for name in names]
        lines.append([*(row.get(key) for key in COLUMNS), *ious, *map(dice_of, ious)])
    with write_whole(folder / METRICS) as file:
        file.write(table(headings, lines))


def write_curve(folder: Path, rows: Sequence[Mapping[str, Any]], labels: LabelSet | None = None) -> None:
    """Write curve.png: the loss and the validations' mIOU over the iterations, with labels each class's IOU too."""
    loss, miou = ({row["iteration"]: row[key] for row in rows if key in row} for key in ("loss", "miou"))
    scored = [row for row in rows if "iou" in row]
    colours = dict(zip(labels.names, labels.palette, strict=True)) if labels else {}
    classes = {
        name: (colour, {row["iteration"]: row["iou"].get(name) for row in scored}) for name, colour in colours.items()
    }
    with write_whole(folder / CURVE) as file:
        plots.training(loss, miou, classes).save(file, "PNG")


def write_pictures(folder: Path, validation: Validation, val: Dataset, count: int) -> None:
    """Write what the model makes of photos to validate on.

    overlays/ITERATION/NAME.jpg shows the first `count` photos; validation.html shows those and as many of the worst
    beside their truth, and is replaced by the next validation with a higher mIOU: it shows the model that is kept.
    """
    first = val.samples[:count]
    is_shown = validation.best or not (folder / GALLERY).exists()
    ranked = [image.name for image in worst(validation.images, len(validation.images))]
    entries = []
    wanted = _chosen(val, first, ranked[:count]) if is_shown else list(first)
    for sample, photo, prediction in predicted(val, wanted, validation.segmenter):
        found = prediction.labels()
        if sample in first:
            picture = overlay(photo, found, val.labels)
            write_overlay(folder / OVERLAYS / f"{validation.iteration:06}" / f"{sample.name}.jpg", picture)
        if not is_shown:
            continue
        rank = ranked.index(sample.name) + 1 if sample.name in ranked else 0
        entries.append(gallery.Entry.of(sample.name, rank, photo, val.read_truth(sample), found, val.labels))
    if entries:
        miou = validation.scores.miou
        score = "" if miou is None else f": mIOU {100 * miou:.1f}"
        title = f"Validation after {validation.iteration} iterations{score}"
        gallery.write(folder / GALLERY, title, entries, len(ranked), val.labels)


def _chosen(val: Dataset, first: Sequence[Sample], names: Sequence[str]) -> list[Sample]:
    """The first samples and those of these names, each once, in the dataset's order."""
    return [sample for sample in val.samples if sample in first or sample.name in names]


def _scored(labels: LabelSet) -> list[str]:
    """The names of the classes; a channel that stands for void is none."""
    return [name for index, name in enumerate(labels.names) if index != labels.ignore]


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
