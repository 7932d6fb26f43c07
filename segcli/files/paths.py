"""Paths: as a person reads them, and the nearest that is there."""

import os
import re
import unicodedata
from difflib import get_close_matches
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
    text = str(path)
    text = text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold())
    return _ENDS.sub("", text) if "/" in text or "\\" in text else text


def is_same(one: Path, other: Path) -> bool:
    """Whether the disk takes two spellings for one file or folder; False for links to it and for what is not there."""
    if folded(one) != folded(other):
        return False
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False


def nearest_hint(path: Path) -> str:
    """The hint for a path that is not there: the nearest name in the deepest folder that is."""
    absolute = path.absolute()
    missing = next(part for part in (*reversed(absolute.parents), absolute) if not os.path.exists(part))  # noqa: PTH110 - of looping links it is False
    try:
        near = get_close_matches(missing.name, [path.name for path in missing.parent.iterdir()], n=1)
    except OSError:
        near = []
    if near:
        return f"Did you mean {shown(path.parent / near[0] if missing == absolute else missing.with_name(near[0]))}?"
    return f"{shown(missing.parent)} has nothing of that name."
