"""Paths: as a person reads them, and the nearest that is there."""

from pathlib import Path


def shown(path: str | Path) -> str:
    r"""The path on one line: what would not print, such as a line break, as its escape (`\n`)."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


def nearest_existing(path: Path) -> Path:
    """The path, or the nearest of its parents that is there."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())
