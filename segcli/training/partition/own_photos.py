"""Own photos: those that a run was trained and validated on, found again by its recipe.toml and split.toml."""

from dataclasses import replace
from pathlib import Path

from segcli.data import parts
from segcli.data.dataset import Dataset
from segcli.data.parts import Parts
from segcli.distributed import Processes
from segcli.errors import DatasetError, SegcliError, UsageError
from segcli.files.paths import shown
from segcli.images.reading import PLAIN
from segcli.pipeline import scored
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.scored import Part
from segcli.training import recipe as recipes
from segcli.training.partition import split
from segcli.training.recipe import IMAGENET, RANDOM, Data
from segcli.weights.reference import RECIPE, checkpoint_at, resolve


def photos_of_run(run: str | Path, part: Part = "held-out", listener: Listener = SILENT) -> Dataset:
    """The photos of a part of a training run, with their labels, to be scored by `segcli.evaluate` or looked at.

        scores = segcli.evaluate("run", segcli.photos_of_run("run"))

    scores what the run held out, as `segcli eval --weights run` does.

    Args:
        run: The folder of the run, or a checkpoint in it.
        part: "held-out"; "train", those that it learned from; "new", those that were added to its folder since;
            "unseen", those held out and new; or "all". `segcli.evaluate` scores learned photos with `part="all"` only.
        listener: Hears how the labels are read, and how many photos of which kind there are.

    Raises:
        UsageError: The folder is no run's, or the part lies in two datasets.
        DatasetError: The photos are not where the run's recipe.toml says, or there are none of that part.
    """
    model = checkpoint_at(Path(run), "").path
    return scored.choose(of_run(model, part, listener), model, part, Processes(), listener)[0]


def of_run(model: Path, part: Part, listener: Listener = SILENT) -> Dataset:
    """The dataset in which the photos of a run lie, listed as it was for the run; `pipeline.scored` tells them apart.

    Args:
        model: A checkpoint in the folder of the run, or in one below.
        part: The photos that will be scored.
        listener: Hears how the labels are read.

    Raises:
        UsageError: The folder is no run's, or the part lies in two datasets.
        DatasetError: The photos are not where the recipe says, or the run has held out none.
    """
    folder = parts.home(model) or model.parent
    begun = parts.read(folder)
    if begun is None or not (folder / RECIPE).is_file():
        message = f"{shown(model)} does not lie in the folder of its run, so nothing tells which photos were held out"
        hint = "Give the folder of the run to --weights, or name photos and labels: "
        hint += f"segcli eval photos labels --weights {shown(model)}."
        raise UsageError(message, hint)
    if part == "held-out" and not begun.held_out:
        message = f"the run {shown(folder)} has held out no photo"
        raise DatasetError(
            message, "Name other photos: segcli eval photos labels. The scores of folds are in folds.json."
        )
    data = recipes.read(folder / RECIPE).data
    train, val = _listed(data, begun, folder, listener)
    if train.reading is not None:
        train.reading.tell(listener.note, listener.warn)
    return replace(_holding(part, data, train, val), photos=replace(PLAIN, alpha=data.alpha))


def of_first_weights(init: str) -> Parts | None:
    """The photos of the run that `model.init` names a checkpoint of; None where it names none.

    Raises:
        DatasetError: The run's split.toml is damaged.
    """
    if init in (RANDOM, IMAGENET):
        return None
    try:
        path = resolve(init, must_exist=False).path
    except SegcliError:  # loading them says why
        return None
    return None if path is None else parts.beside(path)


def _listed(data: Data, begun: Parts, folder: Path, listener: Listener) -> tuple[Dataset, Dataset]:
    """The datasets to learn from and to validate on; DatasetError where they are not there any more."""
    try:
        return split.choose(data, listener.counting, begun=begun)
    except DatasetError as error:
        message = f"the photos of the run {shown(folder)} are not where its {RECIPE} says: {error.message}"
        hint = "Go to the folder in which it was trained, or name them: segcli eval photos labels."
        raise DatasetError(message, hint) from error


def _holding(part: Part, data: Data, train: Dataset, val: Dataset) -> Dataset:
    """The dataset that holds a part: one folder whole, or the one of two that is meant."""
    if data.dataset == "folder" and not data.val_images:
        samples = sorted((*train.samples, *val.samples), key=lambda sample: sample.image)
        return replace(train, split=part, samples=tuple(samples))
    if part in ("all", "new"):
        message = f"part {part!r}: the run learned from one dataset and was validated on another"
        raise UsageError(message, "Score one of them, as train or held-out, or name photos.")
    return train if part == "train" else val
