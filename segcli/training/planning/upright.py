"""Upright: whether photos have an up, as scenes have and cells or fields from above have not.

What has no up may be turned and mirrored in training. So that nothing is turned which has an up, only two signs count:
files that say what they are (maps, microscopes), and labels that lie the same every way round in many photos.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segcli.errors import SegcliError
from segcli.images.decoders import stacks
from segcli.images.geo.place import read_place

GRID = 64
"""The points a side at which a label is looked at, within its largest square in the middle."""
FEWEST = 20
"""Fewer photos prove nothing of how labels lie."""
FEWEST_OF_CLASS = 6
"""Fewer photos that hold a class prove nothing of how it lies."""
LEANS, LEVEL = 3.0, 2.5
"""A mean that is so many standard errors from 0 shows an up; one below so many shows none."""
ENOUGH = 0.005
"""Means below this share of a photo show nothing, however small their standard error is."""
SAID = "you said so"
"""What tells of an up where the user does."""
LOOKED_AT = 20
"""The number of files of which it is asked what they are."""


@dataclass(frozen=True)
class Upright:
    """Whether photos have an up, and what tells so.

    Attributes:
        has_up: False only where that is known.
        why: What tells so, a few words in brackets after "the photos have a top and a bottom".
    """

    has_up: bool
    why: str


class _Lies(NamedTuple):
    """How a class lies in a photo; each number is 0 on average where pictures have no up.

    Attributes:
        height: The mean row of its pixels less the middle, as a share of the height.
        edges: Its share of the top quarter less that of the bottom quarter.
        stripes: The deviation of its shares by row less that of its shares by column.
    """

    height: float
    edges: float
    stripes: float


class Leaning:
    """Gathers from label after label how each class lies."""

    def __init__(self) -> None:
        self.photos = 0
        self._lies: dict[int, list[_Lies]] = defaultdict(list)

    def add(self, label: np.ndarray, classes: int) -> None:
        """Look at one label, uint8 (H, W); ids from `classes` on are void."""
        self.photos += 1
        square = _square(label)
        for index in np.unique(square[square < classes]).tolist():
            self._lies[index].append(_lies(square == index))

    def has_up(self) -> bool | None:
        """Whether the classes lie otherwise upside down or on their side; None where too few photos tell."""
        scores = [_scores(lies) for lies in self._lies.values() if len(lies) >= FEWEST_OF_CLASS]
        if not scores or self.photos < FEWEST:
            return None
        most = max(max(score) for score in scores)
        return True if most > LEANS else False if most < LEVEL else None


def _square(label: np.ndarray) -> np.ndarray:
    """The classes at GRID x GRID points of the largest square in the middle of a label."""
    side = min(label.shape)
    rows, columns = (
        (length - side) // 2 + ((np.arange(GRID) + 0.5) * side / GRID).astype(int) for length in label.shape
    )
    return label[np.ix_(rows, columns)]


def _lies(mask: np.ndarray) -> _Lies:
    rows, columns, quarter = mask.mean(axis=1), mask.mean(axis=0), GRID // 4
    places = (np.arange(GRID) + 0.5) / GRID - 0.5
    height = float(rows @ places / rows.sum())
    edges = float(rows[:quarter].mean() - rows[-quarter:].mean())
    return _Lies(height, edges, float(rows.std() - columns.std()))


def _scores(lies: list[_Lies]) -> tuple[float, ...]:
    """The mean of each number in standard errors of its mean, without its sign; 0 where the mean is next to nothing."""
    values = np.array(lies)
    means, errors = abs(values.mean(axis=0)), values.std(axis=0, ddof=1) / math.sqrt(len(values))
    return tuple(
        0.0 if mean < ENOUGH else float(mean / max(error, 1e-12)) for mean, error in zip(means, errors, strict=True)
    )


def judged(leaning: Leaning, photos: Iterable[Path], said: bool | None = None) -> Upright:
    """Whether photos have an up: as the user says, else as their files say, else as their labels lie, else yes.

    Args:
        leaning: How the labels lie.
        photos: The files, of which the first few are looked at.
        said: What the user says; None for nothing.
    """
    if said is not None:
        return Upright(said, SAID)
    if kind := _of_files(list(photos)[:LOOKED_AT]):
        return Upright(False, f"their files are {kind}")
    found = leaning.has_up()
    if found is None:
        return Upright(True, "nothing in the files or labels says otherwise")
    if found:
        return Upright(True, "some classes are mostly higher up than others")
    return Upright(False, f"the labels of {leaning.photos} photos show none")


def _of_files(photos: list[Path]) -> str:
    """What most of the files are that have no up: "maps", "of a microscope"; "" for other files."""
    kinds = [_kind(path) for path in photos]
    return next((kind for kind in ("maps", "of a microscope") if 2 * kinds.count(kind) > len(kinds)), "")


def _kind(path: Path) -> str:
    if read_place(path)[0] is not None:
        return "maps"
    try:
        seen = path.suffix.lower() in (".tif", ".tiff") and (stacks.pixel_size(path) or stacks.plane_name(path, None))
    except (SegcliError, OSError):  # reading the photo says what is wrong with it
        return ""
    return "of a microscope" if seen else ""
