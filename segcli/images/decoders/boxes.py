"""Boxes: the parts, each with a size and a name, that the files of JPEG 2000 and JPEG XL are made of."""

import struct
from collections.abc import Iterator


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each box at one level, as far as the data go (ISO/IEC 15444-1, annex I.4)."""
    place = 0
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        end = place + size if size else len(data)
        if end < start:
            return
        yield name, data[start:end]
        place = end
