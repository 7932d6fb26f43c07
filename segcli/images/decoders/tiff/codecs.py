"""Codecs: the bytes or values of one segment of a TIFF, decompressed to its announced size and never beyond it.

LZW, PackBits, zstd, LZMA and JPEG go through Pillow's libtiff: segments become small TIFFs of their own, grey of 8
bits for the first four, since bytes are all that they know of.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import TiffImagePlugin

from segcli.images.decoders.boxes import boxes
from segcli.images.decoders.tiff.layout import Layout
from segcli.images.opening import NotReadError

NONE, JPEG, JPEG_2000, _WEBP = 1, 7, 34712, 50001
_DEFLATE = (8, 32946)
_AS_BYTES = {5: "LZW", 32773: "PackBits", 34925: "LZMA", 50000: "zstd"}
_MICRO = {
    JPEG_2000: "jpeg2k",
    34887: "lerc",
    _WEBP: "webp",
    50002: "jpegxl",
    52546: "jpegxl",
}
"""Compression -> the name of its decoder in imagecodecs."""
_SOC_SIZ = b"\xff\x4f\xff\x51"
"""The first markers of a codestream of JPEG 2000."""
PILLOW_ONLY = (2, 3, 4, 6, 32771, 32809, 34676, 34677)
"""Compressions of bilevel, old JPEG and other files, which only ever hold ordinary pictures: Pillow's matter."""
PILLOWS = (NONE, JPEG, *_DEFLATE, *_AS_BYTES, *PILLOW_ONLY)
"""The compressions that Pillow knows."""
_NAMES = {
    **dict.fromkeys((2, 3, 4), "CCITT fax"),
    6: "old JPEG",
    22610: "JPEG XR",
    32766: "NeXT's",
    33003: "Aperio's JPEG 2000",
    33005: "Aperio's JPEG 2000",
    34661: "JBIG",
    34933: "PNG",
    34934: "JPEG XR",
}
"""Names of compressions for messages."""
_SAVE = "Save it with LZW, deflate or no compression."
_LONGEST = 2**16
"""The bytes that a compressed segment may have beyond twice its announced size."""
_GREY, _RGB, _SEPARATED, _YCBCR, _ALPHA = 1, 2, 5, 6, 2
_JPEG_COLOURS = {1: _GREY, 2: _GREY, 3: _RGB, 4: _SEPARATED}
"""Number of bands -> the photometric interpretation under which libtiff leaves the values as they are."""
_SHORT, _LONG, _UNDEFINED = 3, 4, 7
_WORDS = {_SHORT: "<u2", _LONG: "<u4"}
Content = bytes | memoryview | np.ndarray
"""What a segment holds: bytes, or values where its compression knows of values."""


class MissingCodecError(Exception):
    """imagecodecs, or its decoder for a compression, is not installed; its text is the compression's name."""


def most_bytes(layout: Layout, rows: int) -> int:
    """The most bytes of a segment of that many rows that are read from the file."""
    expected = rows * layout.row_bytes
    return expected if layout.compression == NONE else 2 * expected + _LONGEST


def decoded(parts: Sequence[bytes], layout: Layout, rows: int, tables: bytes) -> list[Content]:
    """The contents of segments of one height.

    Args:
        parts: Their bytes in the file, compressed.
        layout: How values lie in them.
        rows: Their height.
        tables: The JPEG tables that all segments share.

    Returns:
        Of each `rows` * `layout.row_bytes` bytes or more, or values (rows, width, bands) where the compression knows of
        values.

    Raises:
        MissingCodecError: The compression takes a package that is not installed.
        NotReadError: Nothing here reads their compression.
        ValueError, OSError: They are damaged.
    """
    compression = layout.compression
    if compression in _AS_BYTES:
        size = (layout.row_bytes, rows * len(parts))
        together = _by_pillow(parts, size, compression, _GREY).reshape(-1)
        return [content.data for content in np.split(together, len(parts))]
    if compression in _MICRO:
        return [_by_imagecodecs(part, layout, rows) for part in parts]
    if compression == JPEG:
        return [_jpeg(part, layout, rows, tables) for part in parts]
    return [_bytes(part, compression, rows * layout.row_bytes) for part in parts]


def _bytes(part: bytes, compression: int, size: int) -> bytes:
    if compression != NONE and compression not in _DEFLATE:
        name = _NAMES.get(compression)
        raise NotReadError(f"{name} compression" if name else f"compression {compression}", _SAVE)
    content = part if compression == NONE else zlib.decompressobj().decompress(part, size)
    if len(content) < size:
        raise ValueError("some of its pixels are missing")
    return content


def _by_pillow(
    strips: Sequence[bytes],
    size: tuple[int, int],
    compression: int,
    photometric: int,
    samples: int = 1,
    tables: bytes = b"",
) -> np.ndarray:
    """Decode a TIFF made of strips of one height, uint8 (rows, width) or (rows, width, samples)."""
    tags = [
        *((256, _LONG, [size[0]]), (257, _LONG, [size[1]]), (258, _SHORT, [8] * samples), (259, _SHORT, [compression])),
        *((262, _SHORT, [photometric]), (273, _LONG, [0] * len(strips)), (277, _SHORT, [samples])),
        *((278, _LONG, [size[1] // len(strips)]), (279, _LONG, [len(strip) for strip in strips])),
    ]
    tags += [(338, _SHORT, [_ALPHA])] if samples == 2 else []
    tags += [(347, _UNDEFINED, tables)] if tables else []
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_of_strips(tags, strips))) as image:
        image.load()
        return np.asarray(image)


def _of_strips(tags: list[tuple[int, int, Sequence[int]]], strips: Sequence[bytes]) -> bytes:
    """The bytes of a TIFF of these tags, little-endian: the strips, what has no place in the directory, and that."""
    data = bytearray(b"II*\0\0\0\0\0")
    places = [_put(data, strip) for strip in strips]
    records = [struct.pack("<H", len(tags))]
    for tag, kind, numbers in tags:
        given = places if tag == 273 else numbers
        values = bytes(given) if kind == _UNDEFINED else np.array(given, _WORDS[kind]).tobytes()
        field = values.ljust(4, b"\0") if len(values) <= 4 else struct.pack("<I", _put(data, values))
        records.append(struct.pack("<HHI", tag, kind, len(given)) + field)
    data[4:8] = struct.pack("<I", _put(data, b"".join(records) + bytes(4)))
    return bytes(data)


def _put(data: bytearray, part: bytes) -> int:
    """Append a part; returns its place."""
    data += part
    return len(data) - len(part)


def _jpeg(data: bytes, layout: Layout, rows: int, tables: bytes) -> np.ndarray:
    bands = layout.together
    if layout.bits != 8 or bands not in _JPEG_COLOURS:
        raise NotReadError(f"JPEG compression of {bands} bands of {layout.bits} bits", _SAVE)
    photometric = _YCBCR if layout.ycbcr and bands == 3 else _JPEG_COLOURS[bands]
    values = _by_pillow([data], (layout.tile[1], rows), JPEG, photometric, bands, tables)
    return values.reshape(rows, layout.tile[1], bands)


def _by_imagecodecs(data: bytes, layout: Layout, rows: int) -> np.ndarray:
    """Decode into an array of the announced size, so that a segment of another size is refused before it is decoded."""
    decode = _micro_decoder(_MICRO[layout.compression])
    shape = (rows, layout.tile[1], layout.together)
    data = _codestream(data, shape) if layout.compression == JPEG_2000 else data
    values = np.zeros(shape[:2] if layout.together == 1 else shape, layout.dtype)
    decode(data, out=values, **_options(layout))
    return values.reshape(shape)


def _options(layout: Layout) -> dict[str, bool]:
    """What a decoder is told: WebP leaves out the alpha of segments that are opaque."""
    return {"hasalpha": True} if layout.compression == _WEBP and layout.together == 4 else {}


def _codestream(data: bytes, shape: tuple[int, int, int]) -> bytes:
    """JPEG 2000 without the boxes around it; ValueError for another (height, width, bands), which is decoded whole."""
    if not data.startswith(_SOC_SIZ):
        data = next((content for name, content in boxes(data) if name == b"jp2c"), b"")
    if not data.startswith(_SOC_SIZ) or len(data) < 42:
        raise ValueError("some of its pixels are not JPEG 2000, though its tags say so")
    wide, high, left, top = struct.unpack(">4I", data[8:24])  # ISO/IEC 15444-1, A.5.1
    found = (high - top, wide - left, int.from_bytes(data[40:42], "big"))
    if found != shape:
        raise ValueError(f"some of its pixels are JPEG 2000 of another size, {found} instead of {shape}")
    return data


def _micro_decoder(name: str) -> Callable:
    try:
        import imagecodecs

        return getattr(imagecodecs, f"{name}_decode")
    except (ImportError, AttributeError):
        raise MissingCodecError(name) from None
