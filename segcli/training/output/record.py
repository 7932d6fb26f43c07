"""Record: the split.toml that a run keeps in its folder, from its start to its end."""

from pathlib import Path

from segcli.data import parts
from segcli.data.dataset import Dataset
from segcli.data.parts import Parts
from segcli.errors import SegcliError, UsageError
from segcli.labels import some_of
from segcli.pipeline.listener import Listener
from segcli.training.recipe import IMAGENET, RANDOM, Recipe
from segcli.weights.reference import resolve


def write(folder: Path, recipe: Recipe, train: Dataset, val: Dataset, how: str, listener: Listener) -> None:
    """Write split.toml into the folder of a new run, or of one that an earlier version has begun.

    Args:
        folder: Of the run.
        recipe: Of the run; `model.init` may be a run itself, whose photos its weights have learned from.
        train: The photos to learn from.
        val: The photos to validate on.
        how: How they were parted, in one line.
        listener: Hears of photos to validate on that were learned from all the same.

    Raises:
        DatasetError: The split.toml of the run that the first weights come from is damaged.
        SegcliError: The folder cannot be written to.
    """
    found = Parts.of(train, val, how, _parts_of_first(recipe.model.init), listener.counting)
    if seen := found.seen_before:
        listener.warn(
            f"{len(seen)} of {len(val)} photos to validate on were learned from too, as copies or by the first "
            f"weights, so that their scores are too good: {some_of(seen, 3)}"
        )
    parts.write(folder, found)


def check(begun: Parts, train: Dataset, val: Dataset) -> None:
    """UsageError where the split.toml of a run that is resumed names other photos than the run has."""
    if not begun.has_names_of(train, val):
        raise UsageError(
            f"{parts.SPLIT} names other photos than this run learns from and holds out",
            "Copy the run's own back, or remove it: it is then written anew.",
        )


def _parts_of_first(init: str) -> Parts | None:
    """The photos of the run that the first weights come from; None where they come from no run."""
    if init in (RANDOM, IMAGENET):
        return None
    try:
        path = resolve(init, must_exist=False).path
    except SegcliError:  # loading them has said why
        return None
    return None if path is None else parts.beside(path)
