"""Reads label files in every way that segcli does, for tests/fuzz.py."""

import shutil
from pathlib import Path

import label_files
import numpy as np
from fuzz_engine import each
from label_files import SIZE, LabelFile

from segcli.data import names
from segcli.data.folder import open_folder
from segcli.data.forms import recognise
from segcli.data.forms.shapes import draw
from segcli.data.reading import Choice
from segcli.errors import SegcliError

KINDS = ("JSON", "XML", "YAML", "TXT", "PNG", "ROI")
PHOTO = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
"""The photo that the label files are of."""


def read(folder: Path, file: LabelFile) -> None:
    """Read the label file of a folder in every way that segcli does; raises its error if one of them refuses it."""
    path = folder / file.path
    ways = [lambda: names.read(path)] if file.form == "names" else [lambda: _as_dataset(folder)]
    if file.form in recognise.FORMS:
        ways.append(lambda: _as_form(folder, file))
    each(*ways)


def _as_dataset(folder: Path) -> None:
    data = open_folder(folder, choice=Choice(fill_boxes=True, with_predictions=True))
    for sample in data.samples:
        label = data.read_label(sample)
        if label.ndim != 2 or label.dtype != np.uint8:  # of another size than the photo is said by who needs both
            raise AssertionError(f"a label of {label.shape}, {label.dtype}")


def _as_form(folder: Path, file: LabelFile) -> None:
    """Its form's reader alone, since a damaged file may not be recognised any more."""
    paths = [folder / place for place in sorted({file.path, *file.beside}) if not _belongs(place, file)]
    annotations = recognise.FORMS[file.form].load(paths)
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    refused = []
    for record in annotations.records:
        try:
            draw(record.shapes(SIZE), SIZE, numbers, annotations.order)
        except SegcliError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _belongs(place: str, file: LabelFile) -> bool:
    """Whether a file is read by way of another: the pictures of a Segments.ai release."""
    return file.form == "segments" and place.endswith(".png")


def photo_place(file: LabelFile) -> str:
    """Where the photo lies in the folder of a label file."""
    return "images/a.png" if file.form == "pictures" else "a.png"


def written(folder: Path, file: LabelFile, content: bytes) -> Path:
    """A folder with the photo, the damaged file and what belongs to it."""
    place = folder / "dataset"
    shutil.rmtree(place, ignore_errors=True)
    for name, data in {photo_place(file): label_files.png(PHOTO), **file.beside, file.path: content}.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place
