"""Pictures of more than 8 bits, written by hand as their specifications say: no library writes all of them."""

import struct
import zlib
from collections.abc import Mapping

import numpy as np

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The first column and row of each pass, and the steps between columns and rows (PNG, section 8.2)."""


def png(values: np.ndarray, chunks: Mapping[bytes, bytes] | None = None, interlaced: bool = False) -> bytes:
    """A PNG of 16 bits: uint16 (H, W, 1..4), rows filtered by the row above; `chunks` stand before the pixels."""
    height, width, bands = values.shape
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = [values[top::down, left::across] for left, top, across, down in passes]
    data = b"".join(_filtered(part) for part in parts if part.size)
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[bands], 0, 0, int(interlaced))
    before = b"".join(_chunk(name, content) for name, content in (chunks or {}).items())
    pixels = _chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + before + pixels + _chunk(b"IEND", b"")


def _filtered(values: np.ndarray) -> bytes:
    """Each row less the one above, byte by byte (filter 2)."""
    rows = np.frombuffer(values.astype(">u2").tobytes(), np.uint8).reshape(len(values), -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    return b"".join(b"\2" + row.tobytes() for row in rows - above)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def box(name: bytes, content: bytes) -> bytes:
    """A box of JPEG 2000 or JPEG XL."""
    return struct.pack(">I4s", 8 + len(content), name) + content


def siz(width: int, height: int, components: bytes) -> bytes:
    """The start of a JPEG 2000 codestream; `components` are three bytes each: depth - 1, and the steps (1, 1)."""
    sizes = struct.pack(">8I", width, height, 0, 0, width, height, 0, 0)
    count = len(components) // 3
    return b"\xff\x4f\xff\x51" + struct.pack(">HH", 38 + 3 * count, 0) + sizes + struct.pack(">H", count) + components
