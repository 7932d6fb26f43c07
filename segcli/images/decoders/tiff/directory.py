"""Directories of a TIFF: the tags of each of its pictures, read within bounds.

tifffile reads them too, yet follows a circle of directories behind the hundredth without end, turns lists of offsets
into Python numbers, and writes what it doubts to the log. Files of strangers ask for less trust.
"""

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

MOST_TAGS = 4096
MOST_PICTURES = 65_536
MOST_BYTES = 2**26
"""The most tags of a directory, directories of a file, and bytes of one tag that are looked at."""
_KINDS = dict(zip((*range(1, 14), 16, 17, 18), "u1 S1 u2 u4 u4 i1 u1 i2 i4 i4 f4 f8 u4 u8 i8 u8".split(), strict=True))
"""Field type -> numpy's name; of a fraction (5, 10) that of its two parts."""
_TEXT, _FRACTIONS = 2, (5, 10)


@dataclass(frozen=True)
class Entry:
    """Where the values of a tag are.

    Attributes:
        kind: The field type, a key of `_KINDS`.
        count: The number of values.
        place: The position of the first in the file.
    """

    kind: int
    count: int
    place: int


@dataclass(frozen=True)
class Directory:
    """The tags of one picture. Those whose values lie outside the file are as if they were not there.

    Attributes:
        file: The file, seekable.
        size: Its length in bytes.
        order: "<" where it is little-endian, else ">".
        entries: Tag -> where its values are.
        following: The position of the next directory; 0 for none.
        large: Whether it is a BigTIFF.
    """

    file: BinaryIO
    size: int
    order: str
    entries: Mapping[int, Entry]
    following: int
    large: bool = False

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def data(self, tag: int, most: int = MOST_BYTES) -> bytes:
        """The bytes of a tag's values, the first `most` of them; b"" where it is missing."""
        entry = self.entries.get(tag)
        if entry is None:
            return b""
        width = np.dtype(_KINDS[entry.kind]).itemsize * (2 if entry.kind in _FRACTIONS else 1)
        length = min(entry.count * width, most)
        if entry.place + length > self.size:
            return b""
        self.file.seek(entry.place)
        return self.file.read(length)

    def numbers(self, tag: int, most: int = 65_536) -> np.ndarray:
        """The first `most` values of a tag as numbers (n,); none where it is missing, text, or a fraction."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind == _TEXT or entry.kind in _FRACTIONS:
            return np.zeros(0, np.int64)
        kind = np.dtype(self.order + _KINDS[entry.kind])
        data = self.data(tag, min(entry.count, most) * kind.itemsize)
        return np.frombuffer(data, kind, len(data) // kind.itemsize)

    def number(self, tag: int, default: int) -> int:
        """The first value of a tag as a whole number."""
        values = self.numbers(tag, 1)
        return int(values[0]) if values.size and np.isfinite(values[0]) else default

    def text(self, tag: int) -> str:
        """The value of a tag as text up to its first zero; "" where it is missing."""
        return self.data(tag).split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def directories(file: BinaryIO, start: int | None = None) -> Iterator[Directory]:
    """The directories of a TIFF or BigTIFF, in the order of the file; those after a damaged one are left out.

    Args:
        file: Opened for reading, seekable; it is moved.
        start: The position of the first one to read, a directory's `following`. None: the file's first.

    Raises:
        ValueError: It is no TIFF, holds no picture, or its first directory is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    order, large, place = _header(file)
    place = place if start is None else start
    if not place:
        raise ValueError("it holds no picture")
    seen: set[int] = set()
    while place and place not in seen and len(seen) < MOST_PICTURES:
        try:
            directory = _directory(file, size, order, large, place)
        except (ValueError, OverflowError):
            if not seen:
                raise
            return
        seen.add(place)
        yield directory
        place = directory.following


def directory_at(file: BinaryIO, place: int) -> Directory:
    """The directory at a position, from `first_place` or another's `following`; ValueError where it is damaged."""
    return next(directories(file, place))


def first_place(file: BinaryIO) -> int:
    """The position of a file's first directory; ValueError where it is no TIFF."""
    return _header(file)[2]


def _header(file: BinaryIO) -> tuple[str, bool, int]:
    """The byte order, whether it is a BigTIFF, and the position of the first directory."""
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = head[2:4] if order == ">" else head[3:1:-1]
    if order is None or version not in (b"\0*", b"\0+"):
        raise ValueError("it does not start like a TIFF")
    large = version == b"\0+"
    start, form, length = (8, "Q", 16) if large else (4, "I", 8)
    if len(head) < length or (large and struct.unpack(order + "HH", head[4:8]) != (8, 0)):
        raise ValueError("its header is damaged")
    return order, large, struct.unpack(order + form, head[start:length])[0]


def _directory(file: BinaryIO, size: int, order: str, large: bool, place: int) -> Directory:
    """Read the directory at `place`."""
    head, entry, link = ("Q", "HHQ", "Q") if large else ("H", "HHI", "I")
    inline = struct.calcsize("=" + link)
    (count,) = _unpacked(file, size, place, order + head)
    if count > MOST_TAGS:
        raise ValueError(f"its list of tags is damaged ({count} tags)")
    first, step = place + struct.calcsize("=" + head), struct.calcsize("=" + entry) + inline
    records = list(struct.iter_unpack(order + entry + link, _read(file, size, first, count * step)))
    entries: dict[int, Entry] = {}
    for index, (tag, kind, number, value) in enumerate(records):
        if kind not in _KINDS:
            continue
        width = np.dtype(_KINDS[kind]).itemsize * (2 if kind in _FRACTIONS else 1)
        at = first + (index + 1) * step - inline if number * width <= inline else value
        if at + number * width <= size:
            entries.setdefault(tag, Entry(kind, number, at))
    end = first + count * step
    following = _unpacked(file, size, end, order + link)[0] if end + inline <= size else 0
    return Directory(file, size, order, entries, following, large)


def _unpacked(file: BinaryIO, size: int, place: int, form: str) -> tuple:
    return struct.unpack(form, _read(file, size, place, struct.calcsize(form)))


def _read(file: BinaryIO, size: int, place: int, length: int) -> bytes:
    if place + length > size:
        raise ValueError("the file ends before the place of its tags")
    file.seek(place)
    return file.read(length)
