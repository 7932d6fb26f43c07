"""The split of a recipe's photos: those to learn from, rare classes repeated, and those to validate on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segcli.data import layouts, names
from segcli.data.counting import Counting, uncounted
from segcli.data.dataset import Dataset, Sample
from segcli.data.names import Classes
from segcli.data.parts import Parts, key_of
from segcli.data.reading import Choice, read_void, void_text
from segcli.errors import DatasetError, UsageError, nearest
from segcli.labels import LabelSet
from segcli.training.partition import holdout
from segcli.training.partition.holdout import Held
from segcli.training.recipe import Data


@dataclass(frozen=True)
class Sides:
    """Photos that were parted already.

    Attributes:
        data: The recipe's table by which they were.
        train: Those to learn from.
        val: Those to validate on.
        how: How they were parted, in one line.
    """

    data: Data
    train: Dataset
    val: Dataset
    how: str


def sides(data: Data, dataset: Dataset, held: Held) -> Sides:
    """The photos of one folder, some of which are held out, as `choose` parts them."""
    return Sides(data, *_sides(dataset, held.samples), held.words)


def choose(
    data: Data,
    counting: Counting = uncounted,
    tell: Callable[[str], None] = lambda text: None,
    begun: Parts | None = None,
    first: Parts | None = None,
) -> tuple[Dataset, Dataset]:
    """The photos to learn from and those to validate on, as the recipe names them; none of the latter is no error.

    They are listed, not read; the masks of a folder are looked at, to know how they are to be read. Of a folder
    without photos to validate on, every n-th photo is held out, n being 1 / `holdout`, or with `holdout_by = "group"`
    or `fold` whole groups of neighbours, for which the labels are read.

    Args:
        data: The recipe's table.
        counting: As for `open_folder`.
        tell: Hears in one line which photos were held out.
        begun: The split with which the run has begun: it then decides what is held out.
        first: The photos of the run that the first weights come from, which shares of groups hold out last.

    Returns:
        (train, val).

    Raises:
        UsageError: A key is missing, or goes with another kind of dataset.
        DatasetError: The dataset is not there or not whole.
    """
    if data.dataset != "folder":
        tell(f"split: {data.train} and {data.val or 'nothing to validate on'} of {data.dataset}")
        return _published(data)
    if not data.images:
        raise UsageError("data.images is missing", "A folder needs images, and masks if the labels are elsewhere.")
    if bool(data.val_images) != bool(data.val_masks):
        raise UsageError("data.val_images and data.val_masks go together", "Give both, or none and data.holdout.")
    if data.fold and data.val_images:
        raise UsageError(
            "data.fold and data.val_images cannot be used together", "A fold holds out photos of data.images."
        )
    from segcli.data.folder import open_folder

    classes = names.parse(data.labels) if data.labels else None
    masks = _path(data.masks) if data.masks else None
    train = replace(open_folder(_path(data.images), masks, classes, _choice(data), counting), split="train")
    if data.val_images:
        tell("split: the photos to validate on are those of data.val_images")
        return _filled(train), _filled(_named_apart(data, train, counting))
    return _parted(data, train, counting, tell, begun, first)


def _choice(data: Data) -> Choice:
    """How the recipe wants its labels to be read."""
    void = None if data.void is None else read_void(data.void)
    flags = (bool(data.fill_boxes), bool(data.skip_empty), bool(data.with_predictions))
    return Choice(void, data.read_as or "", *flags)


def _named_apart(data: Data, train: Dataset, counting: Counting) -> Dataset:
    """The photos to validate on, of folders of their own, whose labels are read as those to learn from are."""
    from segcli.data.folder import PICTURE_FORMS, open_folder

    choice = replace(_choice(data), as_=train.reading.as_)
    val = open_folder(_path(data.val_images), _path(data.val_masks), Classes(train.labels), choice, counting)
    if train.reading.as_ in PICTURE_FORMS:
        val = replace(val, ids=train.ids, read_ids=train.read_ids, value_names=train.value_names)
    return replace(val, split="val")


def recorded(data: Data, train: Dataset) -> Data:
    """The recipe's data with the reading that was taken, so that it says what was learned; plain ids need no word."""
    reading = train.reading
    if reading is None or reading.is_plain or not reading.as_:
        return data
    return replace(data, read_as=reading.as_, void=void_text(reading.void))


def _path(text: str) -> Path:
    """A path from a recipe, where no shell has seen its "~"."""
    return Path(text).expanduser()


def _published(data: Data) -> tuple[Dataset, Dataset]:
    for key in ("images", "masks", "val_images", "val_masks", "labels", "fold"):
        if getattr(data, key):
            raise UsageError(f'data.{key} goes with data.dataset = "folder"', f"{data.dataset} knows its own files.")
    folder = _path(data.data_dir)
    train = layouts.load(data.dataset, folder, data.train)
    if not data.val:
        return train, replace(train, split="val", samples=(), strays=())
    val = layouts.load(data.dataset, folder, data.val)
    if val.labels != train.labels:
        raise UsageError(
            f"data.val = {data.val!r} has other classes than {data.dataset}",
            'Validate on a dataset of the same classes, or on nothing: data.val = "".',
        )
    return train, val


def _parted(
    data: Data,
    dataset: Dataset,
    counting: Counting,
    tell: Callable[[str], None],
    begun: Parts | None,
    first: Parts | None,
) -> tuple[Dataset, Dataset]:
    """The photos of one folder, some of which are held out."""
    if not (data.fold or data.holdout):
        held, words = (), "not validated: no photo is held out"
    elif begun is not None:
        held, words = _as_begun(dataset, begun), begun.how
    elif data.holdout_by == "every" and not data.fold:
        held = _every(dataset, data.holdout)
        words = f"held out: {len(held)} of {len(dataset)} photos, spread evenly in the order of their names"
    else:
        found = holdout.of_fold(dataset, *data.fold, counting) if data.fold else None
        found = found or holdout.of_share(dataset, data.holdout, counting, first)
        held, words = found.samples, found.words
    tell(words)
    return _sides(dataset, held)


def known(begun: Parts, train: Dataset, val: Dataset) -> tuple[Dataset, Dataset]:
    """Both datasets without the photos that a run does not know: it could not use them, or they came later."""
    sides = ((begun.train, train), (begun.held_out, val))
    kept = [
        replace(part, samples=tuple(sample for sample in part.samples if key_of(sample) in names))
        for names, part in sides
    ]
    return kept[0], kept[1]


def is_told(data: Data) -> bool:
    """Whether people are told how the photos were parted: where that is no plain share, nor photos of their own."""
    own = data.dataset == "folder" and not data.val_images
    return own and (data.holdout_by != "every" or data.fold is not None or not data.holdout)


def _as_begun(dataset: Dataset, begun: Parts) -> tuple[Sample, ...]:
    """The photos that a run has held out since its start; photos that it does not know are to be learned from."""
    return tuple(sample for sample in dataset.samples if key_of(sample) in begun.held_out)


def _every(dataset: Dataset, share: float) -> tuple[Sample, ...]:
    """Every n-th photo, n being 1 / `share`."""
    labelled = holdout.labelled_samples(dataset)
    count = max(1, round(share * len(labelled)))
    if len(labelled) <= count:
        raise holdout.too_few(len(labelled))
    return tuple(labelled[int((i + 0.5) * len(labelled) / count)] for i in range(count))


def _sides(dataset: Dataset, held: tuple[Sample, ...]) -> tuple[Dataset, Dataset]:
    """The dataset without the photos that are held out, and those alone."""
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
