"""Drawn: a dataset whose labels are shapes, which become label maps when they are read."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np

from segcli.data.classes import Classes, Named, from_shapes, from_table, tidied
from segcli.data.dataset import Dataset, Sample
from segcli.data.forms import shapes
from segcli.data.forms.annotations import Annotations, Record
from segcli.data.pairing import Photos
from segcli.data.reading import Choice, Reading
from segcli.errors import DatasetError
from segcli.files.paths import shown
from segcli.images.read import upright_size
from segcli.labels import VOID

NOTHING = 0
"""The raw number of pixels that no shape covers; the classes of the files follow."""


@dataclass(frozen=True)
class Drawn:
    """The label maps of photos whose shapes were read.

    Attributes:
        records: Sample name -> the shapes of that photo; several where several files describe it.
        numbers: Class, as the files call it -> its raw number, from 1 on.
        order: Which shape lies on top.
        source: The annotations that the records are of.
    """

    records: Mapping[str, Sequence[Record]]
    numbers: Mapping[str, int]
    order: shapes.Order
    source: Annotations

    def __reduce__(self) -> tuple:
        """Pickle the files' names alone: the processes that load photos read them anew."""
        if self.source.origin is None:
            return Drawn, (self.records, self.numbers, self.order, self.source)
        place = {id(record): index for index, record in enumerate(self.source.records)}
        places = {name: [place[id(record)] for record in found] for name, found in self.records.items()}
        return _read_anew, (self.source.origin, places, self.numbers, self.order)

    def read_ids(self, sample: Sample) -> np.ndarray:
        """Draw the raw numbers of a sample's classes, uint16 (H, W); DatasetError where its shapes are broken."""
        records = self.records[sample.name]
        size = next((record.size for record in records if record.size), None) or upright_size(sample.image)
        found = []
        for record in records:
            try:
                found += record.shapes(size)
            except DatasetError as error:
                raise _named(record.file, error) from error
        try:
            return shapes.draw(found, size, self.numbers, self.order)
        except DatasetError as error:
            raise _named(records[0].file, error) from error


def _read_anew(
    origin: tuple[Callable[[Sequence[Path]], Annotations], tuple[Path, ...]],
    places: Mapping[str, Sequence[int]],
    numbers: Mapping[str, int],
    order: shapes.Order,
) -> Drawn:
    """The label maps of the same files, read in another process; `places` are those of the records by sample name."""
    load, files = origin
    source = replace(load(files), origin=origin)
    records = {name: [source.records[index] for index in found] for name, found in places.items()}
    return Drawn(records, numbers, order, source)


def _named(file: Path, error: DatasetError) -> DatasetError:
    """The error with the file's name before it, unless it stands there already."""
    if shown(file) in error.message:
        return error
    return DatasetError(f"{shown(file)}: {error.message}", error.hint)


def dataset(
    annotations: Annotations,
    title: str,
    key: str,
    photos: Sequence[Path],
    root: Path,
    classes: Classes | None,
    choice: Choice,
) -> Dataset:
    """The dataset of the photos that shapes were drawn on; photos without any are left out, with a note.

    Args:
        annotations: The shapes.
        title: The form's name in sentences.
        key: The form's word for `--as`.
        photos: The photos that were found.
        root: Their folder.
        classes: The classes; None takes those that the files name, after a background.
        choice: What the user decided.

    Raises:
        DatasetError: Nothing can be drawn: boxes only, predictions only, no photo.
    """
    notes = list(annotations.notes)
    records = _corrected(annotations.records, choice, notes)
    _check_drawable(records, choice, notes)
    records = _filled(records, choice, notes)
    known = Photos(photos, root)
    by_photo, unknown = _paired(records, photos, known)
    if not by_photo:
        message = f"none of the {len(records)} photos that the labels name is in {shown(root)}"
        raise DatasetError(
            message,
            f"They name {shown(records[0].photo)}, for example. Give the folder of these photos, then the labels.",
        )
    told = {known.recorded(record.photo, record.file) for record in annotations.records}  # those left out among them
    if missing := len(set(photos) - told):
        notes.append(f"{missing} of {len(photos)} photos have no labels and are left out")
    classes = classes or _classes(annotations.names)
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    ids = _ids(numbers, classes, notes)
    samples, found = _samples(by_photo, unknown, root)
    return Dataset(
        *("folder", root.name, classes.labels, samples, ids),
        Drawn(found, numbers, annotations.order, annotations).read_ids,
        value_names={number: name for name, number in numbers.items()} | {NOTHING: "no shape"},
        reading=Reading(title, key, (), tuple(notes)),
    )


def _corrected(records: Sequence[Record], choice: Choice, notes: list[str]) -> Sequence[Record]:
    """The records less those that are predictions nobody has corrected."""
    guessed = [record for record in records if not record.corrected]
    if not guessed or choice.with_predictions:
        return records
    hint = "Correct them first; --with-predictions takes them as they are."
    if len(guessed) == len(records):
        raise DatasetError(f"all {len(records)} labels are predictions that nobody has corrected", hint)
    notes.append(
        f"{len(guessed)} of {len(records)} labels are predictions that nobody has corrected; they are left out "
        "(--with-predictions takes them)"
    )
    return [record for record in records if record.corrected]


def _check_drawable(records: Sequence[Record], choice: Choice, notes: list[str]) -> None:
    """Refuse boxes where there is nothing else, and note what is left out."""
    drawn, boxes = sum(record.drawn for record in records), sum(record.boxes for record in records)
    skipped = Counter()
    for record in records:
        skipped.update(record.skipped)
    lone = skipped["box"] + boxes
    hint = "Draw outlines or masks in the tool, or use a tool that makes masks from boxes."
    if lone and drawn == boxes and not (boxes and choice.fill_boxes):
        message = f"the labels are {lone} boxes, and a box does not say which of its pixels are the object"
        raise DatasetError(message, hint + (" If the boxes are the objects, --fill-boxes fills them." if boxes else ""))
    if boxes and not choice.fill_boxes:
        notes.append(f"{boxes} of {drawn} shapes are rectangles; they are filled")
    if left := [f"{count} {_plural(kind, count)}" for kind, count in skipped.items() if count]:
        notes.append(f"{', '.join(left)} left out: they give no pixels of a class")


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return f"{kind}es" if kind.endswith("x") else kind if " " in kind else f"{kind}s"


def _filled(records: Sequence[Record], choice: Choice, notes: list[str]) -> Sequence[Record]:
    """The records that say what every pixel of their photo is; notes say how many others there are."""
    undrawn = [record for record in records if not record.drawn and any(record.skipped.values())]
    if undrawn:
        notes.append(f"{len(undrawn)} of {len(records)} photos have no shape that encloses pixels and are left out")
        records = [record for record in records if record.drawn or not any(record.skipped.values())]
    empty = [record for record in records if _is_empty(record)]
    if len(empty) == len(records):
        raise DatasetError(f"none of the {len(records)} labels holds a shape", "Export again, with the annotations.")
    if empty and choice.skip_empty:
        notes.append(f"{len(empty)} of {len(records)} labels hold no shape and are left out")
        gone = set(map(id, empty))
        return [record for record in records if id(record) not in gone]
    if empty:
        notes.append(
            f"{len(empty)} of {len(records)} labels hold no shape: their photos are background "
            "(--skip-empty leaves them out)"
        )
    return records


def _is_empty(record: Record) -> bool:
    """Whether a record holds no shape; a file that cannot be read is no empty one."""
    try:
        return not record.drawn and not record.shapes((1, 1))
    except DatasetError:
        return False


def _paired(
    records: Iterable[Record], photos: Sequence[Path], known: Photos
) -> tuple[dict[Path, list[Record]], list[Record]]:
    """The records by photo, in the photos' order, and the records whose photo is not there."""
    found: dict[Path, list[Record]] = {}
    unknown = []
    for record in records:
        photo = known.recorded(record.photo, record.file)
        if photo is None:
            unknown.append(record)
        else:
            found.setdefault(photo, []).append(record)
    for photo, several in found.items():
        if len({record.size for record in several} - {None}) > 1:
            files = ", ".join(shown(record.file.name) for record in several[:3])
            raise DatasetError(
                f"{shown(photo)} has labels for several sizes, in {files}", "Keep only the right labels."
            )
    return {photo: found[photo] for photo in photos if photo in found}, unknown


def _samples(
    by_photo: Mapping[Path, Sequence[Record]], unknown: Sequence[Record], root: Path
) -> tuple[tuple[Sample, ...], dict[str, Sequence[Record]]]:
    """A sample for each photo with labels, those that are not there last."""
    entries = [(photo.relative_to(root).with_suffix("").as_posix(), photo, found) for photo, found in by_photo.items()]
    for _, same in groupby(sorted(entries), key=lambda entry: entry[0]):
        if len(several := list(same)) > 1:
            raise DatasetError(
                f"{shown(several[0][1])} and {shown(several[1][1])} have the same name",
                "Keep only one of them, or rename one.",
            )
    taken = {name for name, _, _ in entries}
    for record in unknown:
        name = PurePosixPath(record.photo).name or "photo"
        if name not in taken:  # of the same name in another folder: one is enough to say what is missing
            taken.add(name)
            entries.append((name, root / name, [record]))
    samples = tuple(Sample(name, photo, *_files(found)) for name, photo, found in entries)
    return samples, {name: found for name, _, found in entries}


def _files(records: Sequence[Record]) -> tuple[Path, tuple[Path, ...]]:
    """The first file that the records are in, and the others."""
    first, *others = dict.fromkeys(file for record in records for file in record.files)
    return first, tuple(others)


def _classes(listed: Sequence[str]) -> Classes:
    """The classes that files name, after a background where they name none; upper and lower case are one name."""
    unlike = {name.strip().lower(): Named(tidied(name)) for name in reversed(listed)}
    return from_table(from_shapes(tuple(reversed(unlike.values()))))


def _ids(numbers: Mapping[str, int], classes: Classes, notes: list[str]) -> dict[int, int]:
    """Raw number -> class or VOID; names that no class has are left out, so that reading one is a problem."""
    background = classes.find("background")
    if background is None:
        background = VOID
        notes.append(
            "no class is called background, so pixels without a shape are void; "
            "add the class background if they should have one"
        )
    found = {number: classes.find(name) for name, number in numbers.items()}
    return {NOTHING: background} | {number: label for number, label in found.items() if label is not None}
