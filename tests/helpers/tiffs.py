"""TIFFs byte by byte: kinds that no writer at hand makes, and tags that say what no writer would.

Written after the TIFF 6.0 specification and Adobe's technical note 3 (predictor 3), not after the code that reads
them.
"""

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
SHORT, LONG, ASCII, DOUBLE, BYTE, LONG8 = 3, 4, 2, 12, 7, 16
_FORMS = {SHORT: "H", LONG: "I", DOUBLE: "d", LONG8: "Q"}
_WIDTHS = {SHORT: 2, LONG: 4, ASCII: 1, DOUBLE: 8, BYTE: 1, LONG8: 8}
ABSURD = (0, 1, 2, 7, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass
class Page:
    """One picture: its tags as tag -> (type, values or bytes), and its segments as they lie in the file."""

    tags: dict[int, tuple[int, list | bytes]]
    segments: list[bytes]
    tiled: bool = False
    extra: dict[int, tuple[int, list | bytes]] = field(default_factory=dict)


def page(
    values: np.ndarray,
    photometric: int = 1,
    compression: int = NONE,
    predictor: int = 1,
    separate: bool = False,
    rows: int = 0,
    tile: tuple[int, int] | None = None,
    bits: int = 0,
    order: str = "<",
    extra: list[int] | None = None,
    tags: dict | None = None,
) -> Page:
    """A picture of values (H, W, C), in strips of `rows` or tiles (height, width); `bits` packs values closer."""
    high, wide, samples = values.shape
    bits = bits or 8 * values.dtype.itemsize
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    coded = [
        _compressed(_content(part, bits, predictor, order), compression)
        for part in _parts(values, separate, rows or high, tile)
    ]
    entries = {256: (LONG, [wide]), 257: (LONG, [high]), 258: (SHORT, [bits] * samples), 259: (SHORT, [compression])}
    entries |= {262: (SHORT, [photometric]), 277: (SHORT, [samples]), 284: (SHORT, [1 + separate])}
    entries |= {317: (SHORT, [predictor]), 339: (SHORT, [kind] * samples)}
    entries |= {322: (LONG, [tile[1]]), 323: (LONG, [tile[0]])} if tile else {278: (LONG, [rows or high])}
    entries |= {338: (SHORT, extra)} if extra else {}
    entries |= tags or {}
    return Page(entries, coded, bool(tile))


def write(path: Path, *pages: Page, order: str = "<", big: bool = False) -> Path:
    """Write a TIFF, or with `big` a BigTIFF, of these pictures."""
    word, head = ("Q", 16) if big else ("I", 8)
    data = bytearray({"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42))
    data += struct.pack(order + "HH", 8, 0) if big else b""
    link = len(data)
    data += bytes(head - len(data))
    for one in pages:
        places = [_put(data, part) if part else 0 for part in one.segments]
        offsets, lengths = (324, 325) if one.tiled else (273, 279)
        kind = LONG8 if big else LONG
        tags = {**one.tags, offsets: (kind, places), lengths: (kind, [len(part) for part in one.segments])} | one.extra
        start = _directory(data, tags, order, word)
        struct.pack_into(order + word, data, link, start)
        link = len(data) - struct.calcsize("=" + word)
    path.write_bytes(data)
    return path


def _directory(data: bytearray, tags: dict, order: str, word: str) -> int:
    room, form = struct.calcsize("=" + word), "HHQ" if word == "Q" else "HHI"
    records = []
    for tag, (kind, values) in sorted(tags.items()):
        packed = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{_FORMS[kind]}", *values)
        value = packed.ljust(room, b"\0") if len(packed) <= room else struct.pack(order + word, _put(data, packed))
        records.append(struct.pack(order + form, tag, kind, len(packed) // _WIDTHS[kind]) + value)
    count = struct.pack(order + ("Q" if word == "Q" else "H"), len(records))
    return _put(data, count + b"".join(records) + bytes(room))


def _put(data: bytearray, part: bytes) -> int:
    data += bytes(len(data) % 2)
    data += part
    return len(data) - len(part)


def _parts(values: np.ndarray, separate: bool, rows: int, tile: tuple[int, int] | None) -> Iterator[np.ndarray]:
    high, wide, samples = values.shape
    deep, broad = tile or (rows, wide)
    for plane in np.split(values, samples, axis=2) if separate else [values]:
        for top in range(0, high, deep):
            for left in range(0, wide, broad):
                part = plane[top : top + deep, left : left + broad]
                missing = (deep - part.shape[0], broad - part.shape[1]) if tile else (0, 0)
                yield np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")


def _content(part: np.ndarray, bits: int, predictor: int, order: str) -> bytes:
    if bits != 8 * part.dtype.itemsize:
        return b"".join(_bits("".join(f"{value:0{bits}b}" for value in row.ravel())) for row in part)
    if predictor == 2:
        whole = part.view(f"u{part.dtype.itemsize}")
        part = np.diff(whole, axis=1, prepend=np.zeros_like(whole[:, :1]))
    if predictor == 3:
        return b"".join(_floating(row) for row in part)
    return part.astype(part.dtype.newbyteorder(order)).tobytes()


def _floating(row: np.ndarray) -> bytes:
    """A row (width, samples) of real numbers: all highest bytes, then all next ones; then differences of bytes."""
    high_first = row.astype(row.dtype.newbyteorder(">")).tobytes()
    size, step = row.dtype.itemsize, row.shape[1]
    planes = b"".join(high_first[k::size] for k in range(size))
    return bytes((byte - (planes[i - step] if i >= step else 0)) % 256 for i, byte in enumerate(planes))


def _compressed(content: bytes, compression: int) -> bytes:
    codes = {NONE: bytes, DEFLATE: zlib.compress, LZW: _lzw, PACKBITS: _packbits}
    return codes[compression](content)


def _lzw(content: bytes) -> bytes:
    """LZW of bytes that stand for themselves, the table cleared before codes need a tenth bit."""
    codes = [256]
    for index, byte in enumerate(content):
        codes += [256] * (index > 0 and index % 200 == 0) + [byte]
    return _bits("".join(f"{code:09b}" for code in [*codes, 257]))


def _bits(digits: str) -> bytes:
    """The bytes of binary digits, the last one filled up with zeros."""
    size = -(-len(digits) // 8)
    return int(digits.ljust(size * 8, "0"), 2).to_bytes(size, "big")


def _packbits(content: bytes) -> bytes:
    pieces = [content[start : start + 128] for start in range(0, len(content), 128)]
    return b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)


def gdal(samples: dict[str, list[str]] | None = None, **items: str) -> dict:
    """The tag of GDAL's metadata: items of the file, and of each band."""
    one = "".join(f'<Item name="{name}">{value}</Item>' for name, value in items.items())
    each = "".join(
        f'<Item name="{name}" sample="{band}" role="{name.lower()}">{value}</Item>'
        for name, values in (samples or {}).items()
        for band, value in enumerate(values)
    )
    return {42112: text(f"<GDALMetadata>{one}{each}</GDALMetadata>")}


def text(value: str) -> tuple[int, bytes]:
    """A value of type ASCII."""
    return ASCII, value.encode() + b"\0"


def absurd_tag(data: bytes, chance: random.Random) -> bytes:
    """A field of the first directory of a classic TIFF, or its link to the next, is replaced by an absurd number."""
    changed, order = bytearray(data), "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    value = chance.choice((*ABSURD, chance.randrange(len(data)), start))
    if chance.random() < 0.05:
        struct.pack_into(order + "I", changed, start + 2 + 12 * count, value)
        return bytes(changed)
    place = start + 2 + 12 * chance.randrange(count)
    where, form = chance.choice(((2, "H"), (4, "I"), (8, "I"), (8, "I"), (8, "H")))
    struct.pack_into(order + form, changed, place + where, value % (2**16 if form == "H" else 2**32))
    return bytes(changed)
