"""Codecs: the bytes or values of one segment of a TIFF, decompressed to its announced size and never beyond it.

LZW, PackBits, zstd, LZMA and JPEG go through Pillow's libtiff: the segment becomes a small TIFF of its own, grey of 8
bits for the first four, since bytes are all that they know of.
"""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import TiffImagePlugin

from segcli.images.decoders.boxes import boxes
from segcli.images.decoders.tiff_layout import Layout

NONE, JPEG, JPEG_2000 = 1, 7, 34712
_DEFLATE = (8, 32946)
_AS_BYTES = {5: "LZW", 32773: "PackBits", 34925: "LZMA", 50000: "zstd"}
_MICRO = {
    JPEG_2000: "jpeg2k",
    34887: "lerc",
    50001: "webp",
    50002: "jpegxl",
    52546: "jpegxl",
}
"""Compression -> the name of its decoder in imagecodecs."""
_SOC_SIZ = b"\xff\x4f\xff\x51"
"""The first markers of a codestream of JPEG 2000."""
PILLOW_ONLY = (2, 3, 4, 6, 32766, 32771, 32809, 34661, 34676, 34677)
"""Compressions of bilevel, old JPEG and other files, which only ever hold ordinary pictures: Pillow's matter."""
_LONGEST = 2**16
"""The bytes that a compressed segment may have beyond twice its announced size."""
_GREY, _RGB, _SEPARATED, _ALPHA = 1, 2, 5, 2
_JPEG_COLOURS = {1: _GREY, 2: _GREY, 3: _RGB, 4: _SEPARATED}
"""Number of bands -> the photometric interpretation under which libtiff leaves the values as they are."""
_SHORT, _LONG, _UNDEFINED = 3, 4, 7


class MissingCodecError(Exception):
    """imagecodecs, or its decoder for a compression, is not installed; its text is the compression's name."""


def most_bytes(layout: Layout, rows: int) -> int:
    """The most bytes of a segment of that many rows that are read from the file."""
    expected = rows * layout.row_bytes
    return expected if layout.compression == NONE else 2 * expected + _LONGEST


def decoded(data: bytes, layout: Layout, rows: int, tables: bytes) -> bytes | np.ndarray:
    """The content of a segment.

    Args:
        data: Its bytes in the file, compressed.
        layout: How values lie in it.
        rows: Its height.
        tables: The JPEG tables that all segments share.

    Returns:
        `rows` * `layout.row_bytes` bytes, or values (rows, width, bands) where the compression knows of values.

    Raises:
        MissingCodecError: The compression takes a package that is not installed.
        ValueError, OSError: It is damaged, or its compression is unknown.
    """
    compression = layout.compression
    if compression in _MICRO:
        return _by_imagecodecs(data, layout, rows)
    if compression == JPEG:
        return _jpeg(data, layout, rows, tables)
    content = _bytes(data, compression, rows, layout.row_bytes)
    if len(content) < rows * layout.row_bytes:
        raise ValueError("a part of its pixels is cut short")
    return content


def _bytes(data: bytes, compression: int, rows: int, row_bytes: int) -> bytes:
    if compression == NONE:
        return data
    if compression in _DEFLATE:
        return zlib.decompressobj().decompress(data, rows * row_bytes)
    if compression in _AS_BYTES:
        return _by_pillow(data, (row_bytes, rows), compression, _GREY).tobytes()
    raise ValueError(f"compression {compression} is not read")


def _by_pillow(
    data: bytes, size: tuple[int, int], compression: int, photometric: int, samples: int = 1, tables: bytes = b""
) -> np.ndarray:
    """Decode a TIFF made of one strip, uint8 (rows, width) or (rows, width, samples)."""
    tags = [
        *((256, _LONG, 1, size[0]), (257, _LONG, 1, size[1])),
        *((258, _SHORT, samples, b"\x08\0" * samples), (259, _SHORT, 1, compression)),
        *((262, _SHORT, 1, photometric), (273, _LONG, 1, data), (277, _SHORT, 1, samples)),
        *((278, _LONG, 1, size[1]), (279, _LONG, 1, len(data))),
    ]
    tags += [(338, _SHORT, 1, _ALPHA)] if samples == 2 else []
    tags += [(347, _UNDEFINED, len(tables), tables)] if tables else []
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_one_strip(tags))) as image:
        image.load()
        return np.asarray(image)


def _one_strip(tags: list[tuple[int, int, int, int | bytes]]) -> bytes:
    """The bytes of a TIFF of these tags; values of more than four bytes, and the strip, stand behind them."""
    place = 8 + 2 + 12 * len(tags) + 4
    directory, rest = [struct.pack("<H", len(tags))], []
    for tag, kind, count, value in tags:
        if isinstance(value, bytes) and (len(value) > 4 or tag == 273):
            rest.append(value)
            value, place = place, place + len(value)  # noqa: PLW2901
        field = value.ljust(4, b"\0") if isinstance(value, bytes) else struct.pack("<I", value)
        directory.append(struct.pack("<HHI", tag, kind, count) + field)
    return b"".join([b"II*\0\x08\0\0\0", *directory, bytes(4), *rest])


def _jpeg(data: bytes, layout: Layout, rows: int, tables: bytes) -> np.ndarray:
    bands = layout.together
    if layout.bits != 8 or bands not in _JPEG_COLOURS:
        raise ValueError(f"JPEG of {bands} bands of {layout.bits} bits is not read")
    values = _by_pillow(data, (layout.tile[1], rows), JPEG, _JPEG_COLOURS[bands], bands, tables)
    return values.reshape(rows, layout.tile[1], bands)


def _by_imagecodecs(data: bytes, layout: Layout, rows: int) -> np.ndarray:
    """Decode into an array of the announced size, so that a segment of another size is refused before it is decoded."""
    decode = _micro_decoder(_MICRO[layout.compression])
    shape = (rows, layout.tile[1], layout.together)
    data = _codestream(data, shape[:2]) if layout.compression == JPEG_2000 else data
    values = np.zeros(shape[:2] if layout.together == 1 else shape, layout.dtype)
    decode(data, out=values)
    return values.reshape(shape)


def _codestream(data: bytes, size: tuple[int, int]) -> bytes:
    """JPEG 2000 without the boxes around it; ValueError for another (height, width), which would be decoded whole."""
    if not data.startswith(_SOC_SIZ):
        data = next((content for name, content in boxes(data) if name == b"jp2c"), b"")
    if not data.startswith(_SOC_SIZ) or len(data) < 24:
        raise ValueError("a part of its pixels is no JPEG 2000")
    wide, high, left, top = struct.unpack(">4I", data[8:24])  # ISO/IEC 15444-1, A.5.1
    if (high - top, wide - left) != size:
        raise ValueError(f"a part of its pixels is JPEG 2000 of {wide - left} x {high - top}")
    return data


def _micro_decoder(name: str) -> Callable:
    try:
        import imagecodecs

        return getattr(imagecodecs, f"{name}_decode")
    except (ImportError, AttributeError):
        raise MissingCodecError(name) from None
