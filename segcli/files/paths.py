"""Paths: as a person reads them, and the nearest that is there."""

import re
import unicodedata
from pathlib import Path

_ENDS = re.compile(r"[. ]+(?=[/\\])")


def shown(path: str | Path) -> str:
    r"""The path on one line: what would not print, such as a line break, as its escape (`\n`)."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


def nearest_existing(path: Path) -> Path:
    """The path, or the nearest of its parents that is there."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def folded(path: str | Path) -> str:
    """A text that is equal for paths that some disk takes for one, such as `A/x` and `a./X`."""
    return _ENDS.sub("", unicodedata.normalize("NFC", str(path).casefold()))


def is_same(one: Path, other: Path) -> bool:
    """Whether the disk takes two spellings for one file or folder; False for links to it and for what is not there."""
    if folded(one) != folded(other):
        return False
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False
