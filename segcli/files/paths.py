"""Paths as a person reads them."""

from pathlib import Path


def shown(path: str | Path) -> str:
    r"""The path on one line: what would not print, such as a line break, as its escape (`\n`)."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
