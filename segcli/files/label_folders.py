"""Label folders: pictures among the photos of a run that look like labels of these photos, by their names alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from segcli.files.paths import shown
from segcli.files.trees import stem

FOLDER_NAMES = frozenset(
    "anndir annot annotation annotations groundtruth gt label labelmap labelmaps labels mask masks segmentation "
    "segmentationclass segmentationobject segmentations testannot trainannot valannot".split()
)
"""What folders of labels are called, or a word of it as in `train_masks`, in small letters and without "-" and "_"."""
_PLAIN = re.compile(r"[\w-]+")
"""A name that a pattern can have as it is."""
_JPEG = (".jpg", ".jpeg")
"""What photos mostly are and labels seldom, in small letters: there more than a name must speak for labels."""
_BEHIND = re.compile(r"(?P<photo>.+)(?P<ending>[_-](?:masks?|labels?|gt|seg))(?=\.[^.]*$)", re.I)
"""The name of a picture that is called as a photo is, with something behind it that names labels."""

Walked = Sequence[tuple[Path, Iterable[str]]]
"""Folders, each with the names of the pictures in it."""


def remarks(walked: Walked) -> Iterator[str]:
    """A line for each pattern that leaves out such pictures: the first of their folders, and how many there are.

    What lies in its sub-folders counts as its own.

    A folder counts if it is called as folders of labels are, and at least half of its pictures have the name of one in
    the same place beside it: `photos/masks/a.png` with `photos/a.jpg` or `photos/images/a.jpg`, `masks/day/a.png` with
    `images/day/a.jpg`. So does one in which most of the pictures called `a_mask` and the like have a photo `a`.
    """
    counts: defaultdict[str, Counter[Path]] = defaultdict(Counter)
    for folder, pattern, count in [*_folders(walked), *_behind_names(walked)]:
        counts[pattern][folder] += count
    for pattern, folders in counts.items():
        count, others = folders.total(), len(folders) - 1
        one = count == 1
        where = shown(next(iter(folders))) + (f" and {others} other folder{'s' * (others > 1)}" if others else "")
        those = "1 picture looks like a label of a photo" if one else f"{count} pictures look like labels of photos"
        way = f"To leave {'it' if one else 'them'} out, add: --exclude {shown(pattern)}"
        yield f"{where}: by {'its name' if one else 'their names'}, {those}. {way}"


def _folders(walked: Walked) -> Iterator[tuple[Path, str, int]]:
    """Folders that are called as folders of labels are: the folder, the pattern and how many pictures it has."""
    called = {folder: number for folder, _ in walked for number in _numbers_of_labels(folder)}
    photos: dict[tuple[str, ...], dict[str, bool]]
    photos = {place: {} for folder, number in called.items() for place in _photos_of(folder, number)}
    for folder, names in walked if called else ():
        for place in () if folder in called else _places(folder):
            if (known := photos.get(place)) is not None:
                known.update({name: name in known for name in map(stem, names)})  # whether it was there before
    for folder, names in walked if called else ():
        if folder in called:
            number = called[folder]
            alike, total = max(_count_alike(names, photos[place]) for place in _photos_of(folder, number))
            if 2 * alike >= total:
                yield Path(*folder.parts[: number + 1]), folder.parts[number], alike


def _numbers_of_labels(folder: Path) -> list[int]:
    """The number of the last part of a path that is called as folders of labels are; none where no part is."""
    return [number for number, part in enumerate(folder.parts) if _PLAIN.fullmatch(part) and _is_of_labels(part)][-1:]


def _is_of_labels(part: str) -> bool:
    words = part.lower().replace("-", "_").split("_")
    return not FOLDER_NAMES.isdisjoint(("".join(words), *words))


def _without(folder: Path, number: int) -> tuple[str, ...]:
    """A folder's path without one of its parts."""
    return folder.parts[:number] + folder.parts[number + 1 :]


def _photos_of(folder: Path, number: int) -> set[tuple[str, ...]]:
    """Where the photos of a folder of labels are: beside it, or in a tree like its own; `number` is its part's."""
    return {folder.parts[:number], _without(folder, number)}


def _places(folder: Path) -> set[tuple[str, ...]]:
    """A folder's path, and that without each of its parts."""
    return {folder.parts, *(_without(folder, number) for number in range(len(folder.parts)))}


def _photo_of(name: str) -> str:
    """The name of the photo that a picture's name is made of, without suffix."""
    match = _BEHIND.match(name)
    return match["photo"] if match else stem(name)


def _count_alike(names: Iterable[str], known: Mapping[str, bool]) -> tuple[int, int]:
    """How many of the names are those of photos, and how many there are.

    Args:
        names: Names of pictures.
        known: Photo -> whether several folders have one of that name, as cameras number them: a JPEG is no label then.
    """
    found = [(_is_jpeg(name), known.get(_photo_of(name))) for name in names]
    return sum(several is not None and not (jpeg and several) for jpeg, several in found), len(found)


def _is_jpeg(name: str) -> bool:
    return name.lower().endswith(_JPEG)


def _behind_names(walked: Walked) -> Iterator[tuple[Path, str, int]]:
    """Folders in which photos and their labels lie together: the folder, the pattern and how many labels it has.

    JPEGs are labels only where half of the photos have one: a portrait with a mask may be called so.
    """
    for folder, names in walked:
        matches = list(filter(None, map(_BEHIND.match, names)))
        known = set(map(stem, names)) if matches else set()
        for ending in sorted({match["ending"] for match in matches}):
            listed = [match for match in matches if match["ending"] == ending]
            alike = [match for match in listed if match["photo"] in known]
            few = 3 * len(alike) < len(names) and all(_is_jpeg(match.string) for match in alike)
            if 2 * len(alike) >= len(listed) and not few:
                yield folder, f"'*{ending}.*'", len(alike)
