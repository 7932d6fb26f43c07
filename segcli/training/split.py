"""The split of a recipe's photos: those to learn from, rare classes repeated, and those to validate on."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from segcli import labels
from segcli.data import layouts
from segcli.data.dataset import Dataset
from segcli.errors import DatasetError, UsageError, nearest
from segcli.labels import LabelSet
from segcli.training.recipe import Data


def choose(data: Data) -> tuple[Dataset, Dataset]:
    """The photos to learn from and those to validate on, as the recipe names them; they are listed, not read.

    Of a folder without photos to validate on, every n-th photo is held out, n being 1 / `holdout`.

    Returns:
        (train, val).

    Raises:
        UsageError: A key is missing, or goes with another kind of dataset.
        DatasetError: The dataset is not there or not whole.
    """
    if data.dataset != "folder":
        return _published(data)
    if not (data.images and data.masks and data.labels):
        missing = next(name for name in ("images", "masks", "labels") if not getattr(data, name))
        raise UsageError(f"data.{missing} is missing", 'A folder needs images, masks and labels = ["background", ...].')
    classes = labels.parse(data.labels)
    train = replace(layouts.folder(_path(data.images), _path(data.masks), classes), split="train")
    if bool(data.val_images) != bool(data.val_masks):
        raise UsageError("data.val_images and data.val_masks go together", "Give both, or none and data.holdout.")
    if data.val_images:
        held = layouts.folder(_path(data.val_images), _path(data.val_masks), classes)
        return _filled(train), _filled(replace(held, split="val"))
    return _held_out(train, data.holdout)


def _path(text: str) -> Path:
    """A path from a recipe, where no shell has seen its "~"."""
    return Path(text).expanduser()


def _published(data: Data) -> tuple[Dataset, Dataset]:
    for key in ("images", "masks", "val_images", "val_masks", "labels"):
        if getattr(data, key):
            raise UsageError(f'data.{key} goes with data.dataset = "folder"', f"{data.dataset} knows its own files.")
    train, val = (layouts.load(data.dataset, _path(data.data_dir), split) for split in (data.train, data.val))
    return train, val


def _held_out(dataset: Dataset, share: float) -> tuple[Dataset, Dataset]:
    labelled = [sample for sample in dataset.samples if sample.label.is_file()] or dataset.samples
    if not share:
        raise UsageError("data.holdout is 0 and no photos to validate on are named", "Give data.val_images.")
    count = max(1, round(share * len(labelled)))
    if len(labelled) <= count:
        raise DatasetError(f"{len(labelled)} photos are too few to learn from", "Label at least two.")
    held = tuple(labelled[int((i + 0.5) * len(labelled) / count)] for i in range(count))
    aside = set(held)
    kept = tuple(sample for sample in dataset.samples if sample not in aside)
    return replace(dataset, samples=kept), replace(dataset, split="val", samples=held, strays=())


def _filled(dataset: Dataset) -> Dataset:
    if not dataset.samples:
        raise DatasetError(f"the folder of the {dataset.split} photos has none", "See data.images in the recipe.")
    return dataset


def repeated(dataset: Dataset, rare: tuple[str, ...], times: int) -> Dataset:
    """The dataset with every photo that holds a rare class `times` times (v3 paper, appendix "bootstrapping").

    Args:
        dataset: With labels, each of which is read.
        rare: Names of classes.
        times: How often such a photo stands in the result.

    Raises:
        UsageError: There is no such class.
        DatasetError: A label cannot be used.
    """
    ids = rare_ids(rare, dataset.labels)
    if not ids or times == 1:
        return dataset
    samples = []
    for sample in dataset.samples:
        holds = np.isin(ids, np.unique(dataset.read_label(sample))).any()
        samples += [sample] * (times if holds else 1)
    return replace(dataset, samples=tuple(samples))


def rare_ids(rare: tuple[str, ...], classes: LabelSet) -> list[int]:
    """The ids of the classes that `data.repeat` names; UsageError where there is no such class."""
    return [_class_id(name, classes) for name in rare]


def _class_id(name: str, classes: LabelSet) -> int:
    if name not in classes.names:
        hint = nearest(name, classes.names, f"The classes are {', '.join(classes.names)}.")
        raise UsageError(f"data.repeat: no class is called {name!r}", hint)
    return classes.names.index(name)
