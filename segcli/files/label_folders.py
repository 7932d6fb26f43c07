"""Label folders: pictures among the photos of a run that look like labels of these photos, by their names alone."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from segcli.files.paths import shown
from segcli.files.trees import stem

FOLDER_NAMES = frozenset(
    "annotation annotations groundtruth gt label labelmap labelmaps labels mask masks segmentation segmentationclass "
    "segmentations".split()
)
"""What folders of labels are called, in small letters and without "-" and "_"."""
_BEHIND = re.compile(r"(?P<photo>.+)(?P<ending>[_-](?:masks?|labels?|gt|seg))(?=\.[^.]*$)", re.I)
"""The name of a picture that is called as a photo is, with something behind it that names labels."""

Walked = Sequence[tuple[Path, Iterable[str]]]
"""Folders, each with the names of the pictures in it."""


def remarks(walked: Walked) -> Iterator[str]:
    """A line for each folder with such pictures: how many there are, and the pattern that leaves them out.

    What lies in its sub-folders counts as its own.

    A folder counts if it is called as folders of labels are, and at least half of its pictures have the name of one in
    the same place beside it: `photos/masks/a.png` with `photos/a.jpg` or `photos/images/a.jpg`, `masks/day/a.png` with
    `images/day/a.jpg`. So does one in which most of the pictures called `a_mask` and the like have a photo `a`.
    """
    counts: Counter[tuple[Path, str]] = Counter()
    for folder, pattern, count in [*_folders(walked), *_behind_names(walked)]:
        counts[folder, pattern] += count
    for (folder, pattern), count in counts.items():
        one = count == 1
        those = "1 picture looks like a label of a photo" if one else f"{count} pictures look like labels of photos"
        way = f"To leave {'it' if one else 'them'} out, add: --exclude {shown(pattern)}"
        yield f"{shown(folder)}: by {'its name' if one else 'their names'}, {those}. {way}"


def _folders(walked: Walked) -> Iterator[tuple[Path, str, int]]:
    """Folders that are called as folders of labels are: the folder, the pattern and how many pictures it has."""
    called = {folder: number for folder, _ in walked for number in _numbers_of_labels(folder)}
    photos: dict[tuple[str, ...], set[str]] = {_without(folder, number): set() for folder, number in called.items()}
    for folder, names in walked if called else ():
        for place in () if folder in called else _places(folder).intersection(photos):
            photos[place].update(map(stem, names))
    for folder, names in walked if called else ():
        if folder in called:
            number = called[folder]
            alike, total = _count_alike(map(_photo_of, names), photos[_without(folder, number)])
            if 2 * alike >= total:
                yield Path(*folder.parts[: number + 1]), folder.parts[number], alike


def _numbers_of_labels(folder: Path) -> list[int]:
    """The number of the last part of a path that is called as folders of labels are; none where no part is."""
    parts = [part.lower().replace("-", "").replace("_", "") for part in folder.parts]
    return [number for number, part in enumerate(parts) if part in FOLDER_NAMES][-1:]


def _without(folder: Path, number: int) -> tuple[str, ...]:
    """A folder's path without one of its parts."""
    return folder.parts[:number] + folder.parts[number + 1 :]


def _places(folder: Path) -> set[tuple[str, ...]]:
    """A folder's path, and that without each of its parts."""
    return {folder.parts, *(_without(folder, number) for number in range(len(folder.parts)))}


def _photo_of(name: str) -> str:
    """The name of the photo that a picture's name is made of, without suffix."""
    match = _BEHIND.match(name)
    return match["photo"] if match else stem(name)


def _count_alike(names: Iterable[str], known: set[str]) -> tuple[int, int]:
    """How many of the names are known, and how many there are."""
    listed = [name in known for name in names]
    return sum(listed), len(listed)


def _behind_names(walked: Walked) -> Iterator[tuple[Path, str, int]]:
    """Folders in which photos and their labels lie together: the folder, the pattern and how many labels it has."""
    for folder, names in walked:
        matches = list(filter(None, map(_BEHIND.match, names)))
        known = set(map(stem, names)) if matches else set()
        for ending in sorted({match["ending"] for match in matches}):
            alike, total = _count_alike((match["photo"] for match in matches if match["ending"] == ending), known)
            if 2 * alike >= total:
                yield folder, f"'*{ending}.*'", alike
