"""Headers: what the first bytes of the commonest pictures say, told without a library that decodes them."""

from pathlib import Path
from typing import BinaryIO

from segcli.files import formats, glance

DEEP = ("TIFF", "PNG", "PNM", "JPEG 2000", "JPEG XL")
"""The formats whose pictures may have more than 8 bits."""
_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of a JPEG's segments that hold its size."""
_PASSED = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE})
"""Those of other segments before its pixels."""
_SCAN = 0xDA
"""The marker that a JPEG's pixels begin with."""


def may_be_deep(path: Path) -> bool:
    """Whether a file may hold more than 8 bits a value, by its first bytes; False where it cannot be opened."""
    try:
        return path.is_file() and is_deep(glance.at(str(path)))  # opening a pipe would wait for ever
    except OSError:
        return False


def is_deep(seen: int) -> bool:
    """Whether a file of that `files.glance` may hold more than 8 bits a value."""
    known = glance.format_of(seen)
    return known is not None and known.name in DEEP and (known.name != "PNG" or glance.is_wide_png(seen))


def pixels(path: Path) -> int | None:
    """The pixels of a JPEG or PNG; None of another format, and where its header is not as nearly all are."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(formats.HEAD)
            known = formats.sniff(head)
            name = known and known.name
            return _of_png(head) if name == "PNG" else _of_jpeg(file) if name == "JPEG" else None
    except OSError:
        return None


def _of_png(head: bytes) -> int | None:
    if head[8:16] != b"\0\0\0\rIHDR":
        return None
    return int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big")


def _of_jpeg(file: BinaryIO) -> int | None:
    """The pixels that the last of its sizes before the first scan comes to, as decoders take them."""
    found = None
    file.seek(2)
    while len(start := file.read(9)) == 9 and start[0] == 0xFF:
        marker, length = start[1], int.from_bytes(start[2:4], "big")
        if marker == _SCAN:
            return found
        if marker in _SIZED:
            found = int.from_bytes(start[5:7], "big") * int.from_bytes(start[7:9], "big")
        elif marker not in _PASSED:
            return None
        file.seek(length + 2 - len(start), 1)
    return None
