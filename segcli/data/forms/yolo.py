"""YOLO's polygons: a text file for each photo, an outline a line in fractions of it, and data.yaml with the names."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from segcli.data.forms.annotations import Annotations, Record, broken
from segcli.data.forms.documents import MAX_YAML_BYTES, names_in_order, read_bytes, read_yaml
from segcli.data.forms.shapes import Shape, box, foreground, is_box
from segcli.errors import DatasetError
from segcli.files.paths import shown
from segcli.images import polygons
from segcli.labels import LabelSet

MARKS = ".marks"
"""The folder beside `labels` that holds the marks of single files while a run of segcli writes them."""
UNCORRECTED = "segcli_uncorrected"
"""The key in data.yaml of predictions: text file below `labels`, without suffix -> its SHA-256 when it was written."""
FARTHEST = 2
"""How far outside the photo a point may lie, in sizes of the photo; larger numbers are pixels, not fractions."""
MOST_CLASSES = 1 << 16
"""The number that no class reaches."""
DIGITS = 6
"""The digits behind the point that are written, as is usual; more for photos for which they do not do."""

MAX_TEXT_BYTES = 1 << 28
"""The most bytes of a text file; outlines along all pixels of the largest photo have fewer."""

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_LISTS = ("classes.txt", "obj.names")
_NAMES = "Write names: [leaf, spot], or names: {0: leaf, 1: spot}."
_LINE = "A line is the number of a class, then x y x y ... of the corners, as fractions of the photo."
_LEVELS = 4
"""The number of folders, from that of the text files upwards, in which names are looked for."""


_NAMELESS = (
    "neither data.yaml nor classes.txt names the classes, so their names are their numbers; "
    "to name them, put a classes.txt with one name in each line beside the labels"
)


@dataclass(frozen=True)
class _Table:
    """What the numbers of classes mean.

    Attributes:
        path: The file that says so; None where there is none.
        names: Number -> class.
        keypoints: Whether lines are boxes with keypoints, which can look like outlines.
        marks: Text file -> the SHA-256 of predictions that were written to it.
    """

    path: Path | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    keypoints: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)

    def name(self, number: int) -> str:
        """The class of a number; DatasetError where it has none."""
        if self.path is None:
            return str(number)
        if not self.names.get(number):
            raise DatasetError(f"the class {number}, which {shown(self.path)} does not name", "Add its name there.")
        return self.names[number]


@dataclass
class _Content:
    """What one text file holds; an outline is its class, and float64 (n, 2) of x, y in fractions of the photo."""

    outlines: list[tuple[str, np.ndarray]] = field(default_factory=list)
    boxes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    corrected: bool = True


def load(files: Sequence[Path], fill_boxes: bool = False) -> Annotations:
    """The outlines of YOLO's text files; one that cannot be read raises when it is drawn.

    Names come from a data.yaml beside or above the text files or among `files`, else from a classes.txt. Of outlines
    that overlap the smaller lies on top, as in Ultralytics' training. The four corners of a turned box are an outline.

    Args:
        files: The text files, and any data.yaml.
        fill_boxes: Draw the boxes of detection files.

    Raises:
        DatasetError: The names cannot be read, are not as many as `nc` says, or several files give them.
    """
    tables = _Tables([path for path in files if path.name.lower() in _YAML])
    texts = [path for path in files if path.name.lower() not in (*_YAML, *_LISTS)]
    contents = [_read(path, tables.of(path.parent), fill_boxes) for path in texts]
    records = tuple(_record(path, content) for path, content in zip(texts, contents, strict=True))
    found = [name for content in contents if isinstance(content, _Content) for name, _ in content.outlines]
    used = sorted(set(found), key=lambda name: (len(name), name))  # numbers by their size
    listed = [name for table in tables.used for _, name in sorted(table.names.items()) if name]
    notes = (_NAMELESS,) if any(table.path is None for table in tables.used) else ()
    return Annotations(names_in_order(listed, used), records, "area", notes)


class _Tables:
    """The names of classes for each folder of text files.

    Args:
        given: The data.yaml files among the label files.

    Attributes:
        used: The tables that were asked for.
    """

    def __init__(self, given: Sequence[Path]):
        self.used: list[_Table] = []
        self._given = given
        self._read = cache(_table)
        self._of_folder: dict[Path, _Table] = {}

    def of(self, folder: Path) -> _Table:
        """The table for text files in a folder."""
        if folder not in self._of_folder:
            table = self._of_folder[folder] = self._find(folder)
            if table not in self.used:
                self.used.append(table)
        return self._of_folder[folder]

    def _find(self, folder: Path) -> _Table:
        places = (folder, *folder.parents)[:_LEVELS]
        for path in (place / name for names in (_YAML, _LISTS) for place in places for name in names):
            if path.is_file() and (table := self._read(path)):
                return table
        if any((place / MARKS).is_dir() for place in places):
            message = f"{shown(folder)} is of a segcli run that was stopped before it marked its labels as predictions"
            raise DatasetError(message, "Give the same command again and let it end.")
        found = [table for path in self._given if (table := self._read(path))]
        for other in found[1:]:
            if other.names != found[0].names:
                message = (
                    f"{shown(found[0].path)} and {shown(other.path)} have different names for the same class numbers"
                )
                raise DatasetError(message, f"Put the right file beside {shown(folder)}.")
        return found[0] if found else _Table()


def _table(path: Path) -> _Table | None:
    """The classes that a file names; None if it names none."""
    if path.name in _LISTS:
        lines = read_bytes(path, MAX_YAML_BYTES).decode(errors="replace").split("\n")
        names = {number: line.strip() for number, line in enumerate(lines) if line.strip()}
        return _Table(path, names) if names else None
    content = read_yaml(path)
    if not isinstance(content, dict):
        return None
    marks = content.get(UNCORRECTED)
    try:
        names = _names(content.get("names"), content.get("nc"))
    except (ValueError, TypeError) as error:
        raise broken(path, DatasetError(f"its names cannot be read: {error}", _NAMES)) from error
    return _Table(path, names, "kpt_shape" in content, marks if isinstance(marks, dict) else {}) if names else None


def _names(names: Any, count: str | None) -> dict[int, str]:
    """Number -> class of a list or a table; ValueError or TypeError where it is none."""
    if names in (None, "", [], {}):
        return {number: f"class_{number}" for number in range(min(int(count or 0), MOST_CLASSES))}
    if isinstance(names, str):
        raise TypeError(f"{shown(names)!r} is neither a list nor a table")
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    found = {int(number): str(name).strip() for number, name in pairs if isinstance(name, str)}
    if len(found) != len(names):
        raise TypeError("a name is not text, or two names have the same number")
    if count not in (None, "") and int(count) != len(found):
        raise ValueError(f"nc says that there are {int(count)} classes, but {len(found)} are named")
    return found


def _record(path: Path, content: _Content | DatasetError) -> Record:
    def shapes(size: tuple[int, int]) -> list[Shape]:
        if isinstance(content, DatasetError):
            raise content
        return [Shape(name, (points * size[::-1],)) for name, points in content.outlines]

    place, _ = _divided(path)
    if isinstance(content, DatasetError):
        return Record(place, path, shapes)
    counts = (len(content.outlines), content.boxes, dict(content.skipped))
    return Record(place, path, shapes, None, *counts, content.corrected)


def _divided(path: Path) -> tuple[str, str]:
    """The photo of a text file, without a suffix, and the part of its path below the last folder called labels."""
    parts = [*path.parent.parts, path.stem]
    labels = [index for index, part in enumerate(parts[:-1]) if part.lower() == "labels"]
    if not labels:
        return Path(*parts).as_posix(), path.stem
    photo = (*parts[: labels[-1]], "images", *parts[labels[-1] + 1 :])
    return Path(*photo).as_posix(), "/".join(parts[labels[-1] + 1 :])


def _read(path: Path, table: _Table, fill_boxes: bool) -> _Content | DatasetError:
    """The content of a text file, or what is wrong with it."""
    content = _Content()
    try:
        data = read_bytes(path, MAX_TEXT_BYTES)
    except DatasetError as error:
        return error
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        try:
            _add(line.split(), table, content, fill_boxes)
        except DatasetError as error:
            return broken(path, DatasetError(f"line {number} has {error.message}", error.hint))
    content.corrected = table.marks.get(_text(_divided(path)[1])) != hashlib.sha256(data).hexdigest()
    return content


def _add(words: Sequence[str], table: _Table, content: _Content, fill_boxes: bool) -> None:
    """Sort a line in; DatasetError with what it has where it is no outline and no box."""
    if not words:
        return
    try:
        label, values = float(words[0]), np.array(words[1:], np.float64)
    except ValueError:
        raise DatasetError(f"something that is not a number: {shown(' '.join(words)[:40])}", _LINE) from None
    if not (label.is_integer() and 0 <= label < MOST_CLASSES):
        raise DatasetError(f"{words[0]} as the number of a class", _LINE)
    name = table.name(int(label))
    if len(values) in (4, 5) and fill_boxes and not table.keypoints and np.all(np.abs(values) <= FARTHEST):
        (x, y), half = values[:2], values[2:4] / 2
        values = box(x - half[0], y - half[1], x + half[0], y + half[1]).ravel()
    if len(values) in (4, 5) or table.keypoints:  # with the confidence of a detector, or with keypoints
        content.skipped["box"] += 1
        return
    if len(values) < 6 or len(values) % 2:
        raise DatasetError(f"{len(values)} numbers after its class, which are not pairs of x and y", _LINE)
    if not np.all(np.abs(values) <= FARTHEST):
        raise DatasetError(f"{values[~(np.abs(values) <= FARTHEST)][0]:g}, which is not a fraction of a photo", _LINE)
    points = values.reshape(-1, 2)
    content.outlines.append((name, points))
    content.boxes += is_box(points)


def lines(label_map: np.ndarray, labels: LabelSet) -> str:
    """The text file of a photo's predictions: a line for each connected region, along the edges of its pixels.

    Args:
        label_map: Ids (H, W) of the upright photo; background, void and ids without a name are left out.
        labels: The classes; their numbers in the file count from 0, without background and void.
    """
    height, width = label_map.shape
    digits = max(DIGITS, len(str(max(height, width))) + 2)
    numbers = {label: number for number, label in enumerate(foreground(labels))}
    return "".join(
        f"{numbers[label]}{_fractions(polygon.points / (width, height), digits)}\n"
        for label, polygon in polygons.regions(label_map, numbers)
    )


def _fractions(points: np.ndarray, digits: int) -> str:
    values = points.ravel().tolist()
    return f" %.{digits}f" * len(values) % tuple(values)


def data_yaml(labels: LabelSet, marks: Mapping[str, str]) -> str:
    """The data.yaml of predictions, beside the folders `images` and `labels`.

    Args:
        labels: The classes.
        marks: Text file below `labels`, without suffix -> the SHA-256 of its content, which nobody has corrected.
    """
    import yaml

    names = dict(enumerate(foreground(labels).values()))
    content = {
        "path": ".",
        "train": "images",
        "val": "images",
        "names": names,
        UNCORRECTED: {_text(k): v for k, v in marks.items()},
    }
    return yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True)


def _text(name: str) -> str:
    """A name as YAML holds it: bytes that are no text as escapes."""
    return name.encode(errors="backslashreplace").decode()
