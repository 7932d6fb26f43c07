"""TensorFlow checkpoints ("tensor bundles"), read with numpy alone.

PREFIX.index is a sorted table as LevelDB writes it: blocks of prefix-compressed keys, found through an index block,
found through a footer; its values are protocol buffers that say where in PREFIX.data-00000-of-00001 a tensor lies.
Neither file is trusted: every offset, size and checksum is checked before it is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt, prod
from typing import BinaryIO

import numpy as np

from segcli.errors import WeightsError

FOOTER = 48
MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
TRAILER = 5
"""Bytes after each block: how it is compressed, and its checksum."""
LARGEST_BLOCK = 64 << 20
LARGEST_TENSOR = 4 << 30
STRING = 7
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 19: "<f2"}
"""TensorFlow's DataType numbers; text (a TF 2 checkpoint's object graph) is left out, others are refused."""


@dataclass(frozen=True)
class _Entry:
    """Where a tensor lies in the data file."""

    dtype: int = 0
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    sliced: bool = False


def read(index: bytes, data: BinaryIO) -> dict[str, np.ndarray]:
    """Every tensor of a checkpoint but strings, by name.

    Args:
        index: The whole .index file.
        data: The .data-00000-of-00001 file; it is read forward only, so it may be a stream out of an archive.

    Raises:
        WeightsError: The files are damaged, of another kind, or in several parts.
    """
    try:
        table = dict(_table(index))
        _check_header(table.pop(b"", b""))
        entries = {key.decode(): _entry(value) for key, value in table.items()}
        by_place = sorted((e.offset, name) for name, e in entries.items() if e.dtype != STRING)
        tensors: dict[str, np.ndarray] = {}
        place = 0
        for offset, name in by_place:
            if offset < place:
                raise ValueError(f"{name} overlaps another tensor")
            _skip(data, offset - place)
            tensors[name] = _tensor(data, entries[name], name)
            place = offset + entries[name].size
        return tensors
    except (ValueError, IndexError, MemoryError) as error:  # UnicodeDecodeError is a ValueError
        raise WeightsError(f"the TensorFlow checkpoint is damaged ({error})") from error


def _table(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of every entry of the table, in order."""
    if len(index) < FOOTER or index[-8:] != MAGIC:
        raise ValueError("its index has no table footer")
    footer = index[-FOOTER:]
    _, place = _handle(footer, 0)  # of the block with properties of the table, which is of no use here
    (offset, size), _ = _handle(footer, place)
    last = None
    for _, value in _block(index, offset, size):
        (offset, size), _ = _handle(value, 0)
        for key, message in _block(index, offset, size):
            if last is not None and key <= last:  # a small file could otherwise name one block endlessly
                raise ValueError("its keys are not in order")
            yield key, message
            last = key


def _handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    offset, place = _varint(data, place)
    size, place = _varint(data, place)
    return (offset, size), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """(value, place after it) of a base-128 number of at most 64 bits."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError("a number is cut short")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number has more than 64 bits")


def _block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of one block: each key shares its first bytes with the one before it."""
    end = offset + size
    if size < 4 or end + TRAILER > len(index):
        raise ValueError("a block lies outside its file")
    stored = index[offset : end + TRAILER]
    if _unmask(int.from_bytes(stored[size + 1 :], "little")) != crc32c(stored[: size + 1]):
        raise ValueError("a block's checksum is wrong")
    if stored[size] not in (0, 1):
        raise ValueError("a block is compressed in an unknown way")
    block = snappy(stored[:size]) if stored[size] else stored[:size]
    restarts = int.from_bytes(block[-4:], "little")
    limit = len(block) - 4 * (restarts + 1)
    place, key = 0, b""
    while place < limit:
        shared, place = _varint(block, place)
        fresh, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + fresh + length > limit:
            raise ValueError("an entry lies outside its block")
        key = key[:shared] + block[place : place + fresh]
        place += fresh + length
        yield key, block[place - length : place]
    if place != limit:
        raise ValueError("a block ends in the middle of an entry")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field of a protocol buffer."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, place = _varint(message, place)
        else:
            length = {1: 8, 5: 4}.get(kind, len(message))
        if place + length > len(message):
            raise ValueError("a message is cut short")
        content = message[place : place + length]
        yield tag >> 3, content if kind == 2 else int.from_bytes(content, "little")
        place += length


def _check_header(header: bytes) -> None:
    values = dict(_fields(header))
    if values.get(1, 0) != 1:
        raise ValueError("it is not in exactly one part")
    if values.get(2, 0) != 0:
        raise ValueError("it is big-endian")


def _entry(message: bytes) -> _Entry:
    found = list(_fields(message))
    values = {number: value for number, value in found if isinstance(value, int)}
    shape = next((_shape(value) for number, value in found if number == 2 and isinstance(value, bytes)), ())
    return _Entry(
        dtype=values.get(1, 0),
        shape=shape,
        shard=values.get(3, 0),
        offset=values.get(4, 0),
        size=values.get(5, 0),
        crc=values.get(6, 0),
        sliced=any(number == 7 for number, _ in found),
    )


def _shape(message: bytes) -> tuple[int, ...]:
    """TensorShapeProto: field 2 is a dimension, whose field 1 is its size."""
    dimensions = (
        dict(_fields(value)) for number, value in _fields(message) if number == 2 and isinstance(value, bytes)
    )
    return tuple(int(dimension.get(1, 0)) for dimension in dimensions)


def _tensor(data: BinaryIO, entry: _Entry, name: str) -> np.ndarray:
    if entry.dtype not in DTYPES or entry.sliced or entry.shard:
        raise ValueError(f"{name} is stored in a way that is not supported")
    dtype = np.dtype(DTYPES[entry.dtype])
    if prod(entry.shape) * dtype.itemsize != entry.size or entry.size > LARGEST_TENSOR:
        raise ValueError(f"{name} has {entry.size} bytes for the shape {entry.shape}")
    content = data.read(entry.size)
    if len(content) != entry.size:
        raise ValueError(f"the data file ends within {name}")
    if crc32c(content) != _unmask(entry.crc):
        raise ValueError(f"the checksum of {name} is wrong")
    return np.frombuffer(bytearray(content), dtype).reshape(entry.shape)


def _skip(data: BinaryIO, count: int) -> None:
    while count > 0:
        skipped = len(data.read(min(count, 1 << 20)))
        if not skipped:
            raise ValueError("the data file is cut short")
        count -= skipped


def snappy(block: bytes) -> bytes:
    """A raw snappy block, decompressed: its length, then literals and copies of what is there already."""
    length, place = _varint(block, 0)
    if length > LARGEST_BLOCK:
        raise ValueError("a compressed block is too large")
    out = bytearray()
    while place < len(block):
        tag = block[place]
        place += 1
        if tag & 3 == 0:
            size, place = _literal_size(block, tag >> 2, place)
            out += block[place : place + size]
            place += size
        else:
            width = (1, 2, 4)[(tag & 3) - 1]
            distance = int.from_bytes(block[place : place + width], "little")
            place += width
            if tag & 3 == 1:
                distance |= tag >> 5 << 8
            size = (tag >> 2 & 7) + 4 if tag & 3 == 1 else (tag >> 2) + 1
            if not 0 < distance <= len(out):
                raise ValueError("a compressed block is damaged")
            start = len(out) - distance
            out += (out[start:] * (size // distance + 1))[:size]  # a copy may overlap what it writes
        if len(out) > length:
            break
    if len(out) != length or place != len(block):
        raise ValueError("a compressed block is damaged")
    return bytes(out)


def _literal_size(block: bytes, code: int, place: int) -> tuple[int, int]:
    if code < 60:
        return code + 1, place
    width = code - 59
    return int.from_bytes(block[place : place + width], "little") + 1, place + width


def _crc_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, np.uint32(0x82F63B78) ^ (table >> 1), table >> 1).astype(np.uint32)
    return table


CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum of `data`.

    The checksum is linear, so the data is cut into about sqrt(n) rows whose checksums are computed side by side; then
    each row's is carried over the next row by what `width` zero bytes make of it, a table lookup a byte.
    """
    width = max(isqrt(len(data)), 1)
    rows = len(data) // width
    block = np.frombuffer(data, np.uint8, rows * width).reshape(rows, width)
    basis = (np.arange(256, dtype=np.uint32) << np.arange(0, 32, 8, dtype=np.uint32)[:, None]).reshape(-1)
    states = np.concatenate([np.zeros(rows, np.uint32), basis])  # the basis rides along over zero bytes
    for column in range(width):
        low = states & 0xFF
        low[:rows] ^= block[:, column]
        states = CRC_TABLE[low] ^ (states >> 8)
    over = states[rows:].reshape(4, 256).tolist()
    crc = 0xFFFFFFFF
    for row in states[:rows].tolist():
        crc = row ^ over[0][crc & 255] ^ over[1][crc >> 8 & 255] ^ over[2][crc >> 16 & 255] ^ over[3][crc >> 24]
    for byte in data[rows * width :]:
        crc = int(CRC_TABLE[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _unmask(crc: int) -> int:
    """Undo what LevelDB does to stored checksums, so that a checksum over checksums stays meaningful."""
    rotated = (crc - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF
