"""Elements: the parts of a MATLAB file of version 5, looked at before scipy reads them.

scipy's C code takes the number of an element's type for granted, and reads from a random place where there is none of
that number (MathWorks, "MAT-File Format", version 5 data elements).
"""

import math
import struct
import zlib
from collections.abc import Iterator

HEADER = 128
"""The bytes of a file before its first element."""
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = frozenset((*range(1, 8), 9, 12, 13, 16, 17, 18))
"""The types of elements that hold numbers or letters."""
_OF_MATRICES, _CLASSES = frozenset((1, 2, 3, 16, 17, 18)), range(1, 19)
"""The classes of matrices that hold matrices (cells, structures, objects, functions), and all that there are."""
_WITHOUT_SIDES = frozenset((5, 16, 17, 18))
"""The classes whose values are not all stored, sparse matrices, and those that are no matrices."""
_DEEPEST, _AT_ONCE = 32, 1 << 20


class TooLargeError(ValueError):
    """What is packed in a file takes more than it may."""


def check(data: bytes, most: int) -> None:
    """Look through the elements of a file.

    Args:
        data: The whole file.
        most: The bytes that its compressed elements may take together once they are unpacked.

    Raises:
        TooLargeError: They take more.
        ValueError: An element is of a type that there is not, or does not end where it should.
        zlib.error: An element cannot be unpacked.
    """
    order = ">" if data[126:128] == b"MI" else "<"
    for kind, content in _elements(memoryview(data)[HEADER:], order):
        if kind == _COMPRESSED:
            unpacked = _unpacked(content, most)
            most -= len(unpacked)
            for inner, part in _elements(memoryview(unpacked), order):
                _check(inner, part, order)
        else:
            _check(kind, content, order)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """The type and content of each element."""
    place = 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, place)
        start = place + 8
        if kind >> 16:  # of at most 4 bytes, which stand in place of the size
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
        end = start + size
        if kind not in _NUMBERS | {_MATRIX, _COMPRESSED} or end > (place + 8 if start == place + 4 else len(data)):
            raise ValueError(f"it has an element of type {kind} and {size} bytes, which does not exist")
        yield kind, data[start:end]
        place = end if kind == _COMPRESSED else end + -end % 8


def _check(kind: int, content: memoryview, order: str, depth: int = 0) -> None:
    """Look into a matrix and those in it."""
    if kind != _MATRIX or not len(content):
        return
    if depth > _DEEPEST:
        raise ValueError("its structures are nested too deeply")
    parts = list(_elements(content, order))
    if len(parts) < 2 or len(parts[0][1]) != 8:
        raise ValueError("it has a matrix that does not say what it holds")
    made = struct.unpack_from(f"{order}I", parts[0][1])[0] & 0xFF
    if made not in _CLASSES:
        raise ValueError(f"it has a matrix of class {made}, which does not exist")
    if made not in _WITHOUT_SIDES and _count(parts[1][1], order) > len(content):
        raise ValueError("it has a matrix of more values than it has bytes")
    for inner, part in parts[1:]:
        if inner not in _NUMBERS and made not in _OF_MATRICES:
            raise ValueError(f"it has numbers of type {inner}, which does not exist")
        _check(inner, part, order, depth + 1)


def _count(sides: memoryview, order: str) -> int:
    """The values of a matrix of these sides, for each of which room is made before it is read."""
    return math.prod(struct.unpack_from(f"{order}{len(sides) // 4}I", sides))


def _unpacked(data: memoryview, most: int) -> bytes:
    """What compressed bytes unpack to; TooLargeError once that is more than `most` bytes."""
    unpacker, found, data = zlib.decompressobj(), bytearray(), bytes(data)
    while data:
        found += unpacker.decompress(data, _AT_ONCE)
        if len(found) > most:
            raise TooLargeError
        data = unpacker.unconsumed_tail
    return bytes(found)
