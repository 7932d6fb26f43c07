"""Sieve: which files inside folders are pictures to read, by their content."""

# os.path's tests answer False for looping links and overlong names, where pathlib's raise.
# ruff: noqa: PTH113, PTH119

import os
from collections import Counter
from pathlib import Path

from segcli.files import formats, glance, suffixes

MASK_SUFFIX, OVERVIEWS_SUFFIX = ".msk", ".ovr"
"""What GDAL appends to a picture's whole name, NAME.tif.msk, for the files with its mask and its smaller copies."""

DAMAGED = "damaged or empty (named like a photo)"
"""What files are counted as that are named like a photo and hold none."""
MOST_NAMED = 10
"""How many of these are named."""


class Sieve:
    """Parts pictures from all other files, and counts these.

    Args:
        films: Whether video files count as pictures, where their extra is installed.

    Attributes:
        ignored: How many files have no format that segcli knows.
        damaged: The first `MOST_NAMED` paths of those that count as `DAMAGED`.
    """

    def __init__(self, films: bool):
        self.ignored = 0
        self.damaged: list[str] = []
        self._films = films
        self._unread: Counter[str] = Counter()
        self._here: dict[str, bool] = {}

    @property
    def unread(self) -> dict[str, int]:
        """Name of a format, or `DAMAGED` -> how many such files are not read; the most numerous first."""
        return dict(sorted(self._unread.items(), key=lambda item: (-item[1], item[0])))

    def passes(self, path: str, glances: bytearray) -> bool:
        """Whether a file is a picture to read; if so, what is known of it is added to the glances."""
        try:
            seen = glance.at(path)
        except OSError:  # its reader says why
            seen = glance.UNSEEN
        known = self._known(seen)
        if seen != glance.UNSEEN and (known is None or _ends_as_companion(path)):
            self._count_strange(path, is_unknown=known is None)
            return False
        if known is not None and not self._is_read(known):
            self._unread[known.name] += 1
            return False
        glances.append(seen)
        return True

    def _count_strange(self, path: str, is_unknown: bool) -> None:
        named = suffixes.taken_for(os.path.basename(path)) if is_unknown else None
        if named is not None and named.is_read_here and not formats.is_film(named):
            self._unread[DAMAGED] += 1
            if len(self.damaged) < MOST_NAMED:
                self.damaged.append(path)
        else:
            self.ignored += 1

    def _known(self, seen: int) -> formats.Format | None:
        known = glance.format_of(seen)
        return formats.FILM if self._films and known is not None and formats.is_film(known) else known

    def _is_read(self, known: formats.Format) -> bool:
        """Whether files of a format are read here, which is looked up once: a package takes longer than a file."""
        if known.name not in self._here:
            self._here[known.name] = known.is_read_here
        return self._here[known.name]


def is_companion(path: Path) -> bool:
    """Whether a file is the mask or the smaller copies of a picture beside it, and so no picture of its own."""
    return path.suffix.lower() in (MASK_SUFFIX, OVERVIEWS_SUFFIX) and os.path.isfile(path.with_suffix(""))


def _ends_as_companion(path: str) -> bool:
    return path[-4:].lower() in (MASK_SUFFIX, OVERVIEWS_SUFFIX) and is_companion(Path(path))
