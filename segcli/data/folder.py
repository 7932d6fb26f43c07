"""Folder: photos and labels of one's own as a dataset, in whatever form a tool left the labels."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from segcli.data import metadata, names, pairing, tree
from segcli.data.classes import from_shapes
from segcli.data.counting import Counting, uncounted
from segcli.data.dataset import Dataset, Sample
from segcli.data.forms import drawn, recognise
from segcli.data.names import Classes, Table
from segcli.data.pairing import Pairing
from segcli.data.pictures import decide, separate
from segcli.data.pictures.survey import survey
from segcli.data.reading import Choice
from segcli.data.tree import Tree
from segcli.errors import DatasetError, UsageError, nearest
from segcli.files.paths import shown
from segcli.labels import VOID

YAML = (".yaml", ".yml")
"""The suffixes of files that name the classes and folders of a dataset, and hold no labels."""


PICTURE_FORMS = decide.FORMS
"""The words of `--as` for masks as pictures."""
AS = (*PICTURE_FORMS, *recognise.FORMS)
"""The words that `--as` takes."""


@dataclass(frozen=True)
class _Found:
    """The files of a dataset, before it is known what the labels are.

    Attributes:
        photos: The photos' tree.
        labels: The labels' tree; the same one where no folder of labels was named.
        classes: The classes that were named.
        choice: What the user decided.
        counting: As for `open_folder`.
    """

    photos: Tree
    labels: Tree
    classes: Classes | None
    choice: Choice
    counting: Counting

    @property
    def apart(self) -> bool:
        """Whether photos and labels have roots of their own."""
        return self.photos is not self.labels


def open_folder(
    images: Path,
    labels: Path | None = None,
    classes: Classes | None = None,
    choice: Choice | None = None,
    counting: Counting = uncounted,
) -> Dataset:
    """The dataset of photos and labels of one's own.

    All label files are looked at before one is read: their form is one for the whole dataset. `Dataset.reading` says
    which it is, and what was decided where two readings fit.

    Args:
        images: The folder of the photos, or one that holds photos and labels.
        labels: The folder of the labels, or one label file; None looks for them in `images`.
        classes: The classes; None takes those that the label files name.
        choice: What the user decided.
        counting: Makes a block for work on so many things, which gives an object to `advance`.

    Raises:
        UsageError: There is no such form, nothing names the classes, or no label is called like a photo.
        DatasetError: There are no labels, or they cannot be read truly.
    """
    if images.is_file():
        hint = "Give the folder of the photos and the folder of their labels."
        raise DatasetError(f"{shown(images)} is a file, not a folder of photos", hint)
    images, labels = images.resolve(), None if labels is None else labels.resolve()
    if labels is not None and labels.suffix.lower() in YAML:
        labels = labels.parent  # which holds what the file speaks of
    if labels in (None, images):
        photos = found = tree.walk(images)
    else:
        photos, found = tree.walk(images, without=labels), tree.walk(labels, without=images)
    return of_trees(photos, found, classes, choice or Choice(), counting)


def of_trees(photos: Tree, labels: Tree, classes: Classes | None, choice: Choice, counting: Counting) -> Dataset:
    """The dataset of photos and label files that were found; see `open_folder`.

    Args:
        photos: The photos.
        labels: The labels; the same object where one tree holds both.
        classes: As for `open_folder`, like the next two.
        choice: What the user decided.
        counting: Makes a block for work on so many things.
    """
    if choice.as_ and choice.as_ not in AS:
        raise UsageError(f"--as {choice.as_}: not known", nearest(choice.as_, AS))
    return _read(_Found(photos, labels, _with_void(classes, choice), choice, counting))


def _with_void(classes: Classes | None, choice: Choice) -> Classes | None:
    """The classes, with the names that `--void` lists among their other spellings."""
    extra = {word.strip().lower(): VOID for word in choice.void or () if isinstance(word, str)}
    return classes if classes is None or not extra else replace(classes, others={**classes.others, **extra})


def _read(found: _Found) -> Dataset:
    forms = recognise.find(found.labels.others, found.labels.pictures)
    boxes = forms.pop("voc-boxes", ())
    masks = _pairing(found)
    if boxes and not forms and not any(masks.masks.values()):
        forms = {"voc-boxes": boxes}  # where there is nothing else, their reader says why they are of no use
    if key := _chosen(found, forms, masks):
        taken = {mask for entries in masks.masks.values() for _, mask in entries}
        photos = [path for path in found.photos.pictures if path not in taken]
        return _shapes(found, key, forms[key], photos)
    if masks.kind != "one":
        return _separate(found, masks)
    return _pictures(found, masks)


def _pairing(found: _Found) -> Pairing:
    """The masks of each photo; none where the labels are one file."""
    listed = () if found.classes is None else (*found.classes.labels.names, *found.classes.others)
    if not found.apart and (named := metadata.pairs(found.labels)):
        return Pairing("one", {photo: (("", mask),) for mask, photo in named.items()})
    if found.apart:
        photos = list(found.photos.pictures)
        masks = [path for path in found.labels.pictures if not tree.is_neither(path, found.labels.root)]
        masks += [path for path in found.labels.others if path.suffix.lower() == tree.MATLAB]
    else:
        photos, masks = pairing.split(found.photos, listed)
    return pairing.pair(photos, masks, found.photos.root, found.labels.root, listed)


def _chosen(found: _Found, forms: Mapping[str, Sequence[Path]], masks: Pairing) -> str:
    """The form of shapes to read, or nothing for pictures; DatasetError where the files do not tell."""
    wanted = found.choice.as_
    if wanted in recognise.FORMS:
        if wanted not in forms:
            there = ", ".join(forms) or "none"
            raise DatasetError(
                f"{shown(found.labels.root)} holds no {recognise.FORMS[wanted].title}", f"Found: {there}."
            )
        return wanted
    if wanted:
        return ""
    described = {path.with_suffix("") for files in forms.values() for path in files}
    has_masks = any(not _is_photo(mask, described) for entries in masks.masks.values() for _, mask in entries)
    has_masks = has_masks and not any(recognise.uses_pictures(form, forms[form]) for form in forms)
    there = [*forms, *(["masks"] if has_masks else [])]
    if len(there) > 1:
        listed = " and ".join(recognise.FORMS[form].title if form in forms else "masks" for form in there)
        options = ", ".join(form if form in forms else "ids" for form in there)
        message = f"{shown(found.labels.root)} holds labels of several kinds: {listed}"
        raise DatasetError(message, f"Say which with --as (such as {options}), or name a folder with one kind only.")
    if not there and masks.strays and not found.apart:
        message = f"none of the {len(masks.strays)} masks in {shown(found.labels.root)} has the name of a photo"
        raise DatasetError(message, f"{shown(masks.strays[0])} is one of them. Give each mask the name of its photo.")
    if not there and not found.apart:
        hint = "Give the labels' folder with --labels; docs/labels.md lists the forms that segcli reads."
        raise DatasetError(f"{shown(found.labels.root)} holds no labels that segcli knows", hint)
    return there[0] if there and there[0] in forms else ""


def _is_photo(picture: Path, described: Set[Path]) -> bool:
    """Whether a picture beside a label file of its name is what that describes: no mask is stored as a JPEG."""
    return picture.suffix.lower() in (".jpg", ".jpeg") and picture.with_suffix("") in described


def _shapes(found: _Found, key: str, files: Sequence[Path], pictures: Sequence[Path]) -> Dataset:
    """The dataset of the photos, among the pictures, that label files of shapes are about."""
    form = recognise.FORMS[key]
    photos = [path for path in pictures if path not in set(files)]
    load = partial(form.load, fill_boxes=True) if form.boxes and found.choice.fill_boxes else form.load
    annotations = replace(load(files), origin=(load, tuple(files)))
    if found.classes is None:
        found = replace(found, classes=_listed_beside(found.labels.root, annotations.names))
    return drawn.dataset(annotations, form.title, key, photos, found.photos.root, found.classes, found.choice)


def _listed_beside(root: Path, used: Sequence[str]) -> Classes | None:
    """The classes that a file beside the labels lists, such as LabelMe's labels.txt; None if it lacks one in use."""
    for path in names.beside(root if root.is_dir() else root.parent):
        classes = names.from_table(from_shapes(names.read_table(path)))
        if all(classes.find(name) is not None for name in used):
            return classes
    return None


def _separate(found: _Found, masks: Pairing) -> Dataset:
    """The dataset of photos with a mask for each class, or for each object."""
    annotations = separate.annotations(masks, found.classes)
    photos = [photo for photo, entries in masks.masks.items() if entries]
    title = "a mask for each class" if masks.kind == "class" else "a mask for each object"
    data = drawn.dataset(annotations, title, "", photos, found.photos.root, found.classes, found.choice)
    return replace(data, strays=masks.strays)


def _pictures(found: _Found, masks: Pairing) -> Dataset:
    """The dataset of photos with one mask each."""
    table = _table(found, masks)
    paths = [entries[0][1] for entries in masks.masks.values() if entries]
    if not paths and found.classes is None:
        raise UsageError(
            f"{shown(found.labels.root)} has no labels of these photos",
            "Labels are matched with photos by their names.",
        )
    with found.counting(len(paths), "looking at masks") as counter:
        seen = survey(paths, counter.advance)
    pictures = decide.decide(seen, found.classes, table, found.choice, masks.words)
    samples, notes = _samples(found, masks, frozenset(seen.predictions))
    return Dataset(
        *("folder", found.photos.root.name, pictures.labels, samples, pictures.ids),
        _Labels(pictures.read),
        strays=masks.strays,
        value_names=pictures.value_names,
        reading=pictures.reading.with_notes(*notes),
    )


@dataclass(frozen=True)
class _Labels:
    """Reads a sample's mask; no lambda, since the processes that load photos for training are given it."""

    read: Callable[[Path], np.ndarray]

    def __call__(self, sample: Sample) -> np.ndarray:
        """The values of the sample's mask (H, W)."""
        return self.read(sample.label)


def _samples(found: _Found, masks: Pairing, guessed: frozenset[Path]) -> tuple[tuple[Sample, ...], list[str]]:
    """A sample for each photo, and notes on those that are left out.

    Where photos and masks have folders of their own, a photo without a mask is a sample that lacks its label.
    """
    root, notes, samples = found.photos.root, [], {}
    labelled = [photo for photo, entries in masks.masks.items() if entries]
    names = tree.sample_names(labelled if not found.apart else list(masks.masks), root, flat=not found.apart)
    for photo, name in names.items():
        entries = masks.masks[photo]
        mask = entries[0][1] if entries else found.labels.root / f"{name}.png"
        if mask in guessed and not found.choice.with_predictions:
            continue
        samples[name] = Sample(name, photo, mask)
    if (left := len(names) - len(samples)) and not any(masks.masks[sample.image] for sample in samples.values()):
        message = f"all {left} masks are predictions of a network that nobody has corrected"
        raise DatasetError(message, "Correct them first; --with-predictions takes them as they are.")
    if left:
        notes.append(f"{left} masks are predictions that nobody has corrected; --with-predictions takes them")
    if missing := len(masks.masks) - len(names):
        notes.append(f"{missing} of {len(masks.masks)} photos have no labels and are left out")
    return tuple(samples.values()), notes


def _table(found: _Found, masks: Pairing) -> Table | None:
    """What a file beside the masks says of their values; DatasetError where two such files disagree."""
    root = found.labels.root
    folders = {entries[0][1].parent for entries in masks.masks.values() if entries}
    places = {place for folder in folders for place in (folder, *folder.parents) if place.is_relative_to(root)}
    if found.apart:
        places.add(root.parent)
    tables: dict[Table, Path] = {}
    for place in sorted(places, key=lambda place: -len(place.parts)):
        for path in names.beside(place)[:1]:
            tables.setdefault(names.read_table(path), path)
    if len(tables) > 1:
        one, two = list(tables.values())[:2]
        raise DatasetError(f"{shown(one)} and {shown(two)} name the classes differently", "Keep only the right file.")
    return next(iter(tables), None)
