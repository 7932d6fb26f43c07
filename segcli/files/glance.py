"""Glance: what the first bytes of a file tell, as a number that fits a byte, so that a run looks at each file once."""

from __future__ import annotations

import os

from segcli.files import formats
from segcli.files.formats import FORMATS, Format

UNSEEN, STRANGE = 0, 1
"""The glances of a file that nobody has looked at, or could open, and of one that has no known format."""
_FIRST = 2
COUNT = _FIRST + 2 * len(FORMATS)
"""Glances are below it."""
_NUMBERS = {known.name: number for number, known in enumerate(FORMATS)}
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def at(path: str) -> int:
    """The glance of a file; OSError where it cannot be opened."""
    return of(first_bytes(path))


def of(head: bytes) -> int:
    """The glance of a file that begins with these bytes."""
    known = formats.sniff(head)
    return STRANGE if known is None else _FIRST + 2 * _NUMBERS[known.name] + _is_wide_png(known, head)


def first_bytes(path: str) -> bytes:
    """The first `formats.HEAD` bytes of a file, or all where it has fewer; OSError where it cannot be opened."""
    file, head = os.open(path, _FLAGS), b""
    try:
        while len(head) < formats.HEAD and (more := os.read(file, formats.HEAD - len(head))):
            head += more
    finally:
        os.close(file)
    return head


def format_of(glance: int) -> Format | None:
    """The format that a glance tells of; None where it tells of none."""
    return FORMATS[(glance - _FIRST) // 2] if glance >= _FIRST else None


def is_wide_png(glance: int) -> bool:
    """Whether a glance tells of a PNG with 16 bits a value."""
    return glance >= _FIRST and (glance - _FIRST) % 2 == 1


def _is_wide_png(known: Format, head: bytes) -> bool:
    return known.name == "PNG" and head[24:25] == b"\x10"
