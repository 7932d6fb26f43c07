"""JPEG 2000 of more than 8 bits: Pillow keeps 8 of them in colour; imagecodecs, where it is installed, keeps all."""

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from segcli.files import formats
from segcli.images.decoders.boxes import boxes
from segcli.images.opening import check_size, explained
from segcli.images.raster import RGB, Range, Raster

_HEAD = 1 << 22
"""The bytes of a file in which its header must lie; maps have their coordinates before it."""
_START = b"\xff\x4f\xff\x51"
"""The markers SOC and SIZ that every codestream begins with (ISO/IEC 15444-1, A.4 and A.5.1)."""
_SRGB, _GREY = 16, 17
"""The enumerated colour spaces (15444-1, table I.10) whose values are colours as they are."""
_PREMULTIPLIED = 2
"""The type of a channel by which the colours were multiplied; 1 is opacity too, 0 a colour (15444-1, table I.16)."""
_VALUES = 4
"""A picture of many components is too large from this many values on for each pixel of the limit."""


@dataclass(frozen=True)
class _Header:
    """What a file says of its components.

    Attributes:
        width, height: In pixels.
        bits: The bits of each component, the same for all.
        count: The number of components.
        space: The enumerated colour space; 0 where none is named.
        profile: The ICC profile; empty for none.
        alpha: The component that is opacity; None for none.
        premultiplied: Whether the colours were multiplied by it.
    """

    width: int
    height: int
    bits: int
    count: int
    space: int = 0
    profile: bytes = b""
    alpha: int | None = None
    premultiplied: bool = False


def decode(path: Path, max_pixels: int) -> Raster | None:
    """The values of a JPEG 2000 of 9 to 16 bits as they are stored: uint16 (H, W, C).

    None leaves a file to Pillow: one of 8 bits or fewer, of signed values, of a palette, of other colours than red,
    green, blue or grey, or of several components where imagecodecs (the extra "micro") is not installed.

    Raises:
        InputError: The file is damaged or too large.
    """
    with path.open("rb") as file, explained(path, "JPEG 2000"):
        header = _header(file.read(_HEAD))
        if header is None or not 8 < header.bits <= 16:
            return None
        check_size(path, header.width, header.height, max_pixels)
        file.seek(0)
        if header.count == 1:
            return _grey(file, header.bits)
        if header.space not in (0, _SRGB, _GREY) or not formats.MICRO.installed:
            return None
        check_size(path, header.width * header.count, header.height, _VALUES * max_pixels)
        return _components(file.read(), header)


def _grey(file: BinaryIO, bits: int) -> Raster | None:
    """The one component, which Pillow shifts up to 16 bits; None where it does not, as it takes 9 bits for 8."""
    image = Jpeg2KImageFile(file)
    if image.mode != "I;16":
        return None
    image.load()
    values = np.asarray(image).astype(np.uint16, copy=False) >> (16 - bits)
    # The range that 16 bits mean, shifted back, and so a little wider: photos look as they always have.
    stated: tuple[Range, ...] = ((0, 65535 / 2 ** (16 - bits)),) if bits < 16 else ()
    return Raster(values[..., None], (0,), stated=stated, stated_by="its bit depth" if stated else "")


def _components(data: bytes, header: _Header) -> Raster:
    """All components, with the colours and the alpha that the header names."""
    import imagecodecs

    values = imagecodecs.jpeg2k_decode(data)
    if values.shape != (header.height, header.width, header.count):
        raise ValueError(f"its components do not make a picture of {header.width} x {header.height} pixels")
    stated: tuple[Range, ...] = ((0, 2**header.bits - 1),) if header.bits < 16 else ()
    return Raster(
        values.astype(np.uint16, copy=False),
        _colours(header),
        alpha=header.alpha,
        premultiplied=header.premultiplied,
        stated=stated,
        stated_by="its bit depth" if stated else "",
        profile=header.profile,
    )


def _colours(header: _Header) -> tuple[int, ...] | None:
    """The components that are the colours; None where nothing says so."""
    count = header.count - (header.alpha is not None)
    if count >= 3 and (header.space == _SRGB or (not header.space and count == 3)):
        return RGB
    return (0,) if header.space == _GREY or count == 1 else None


def _header(data: bytes) -> _Header | None:
    """What the start of a file says; None where it is not understood, or its components are no plain values."""
    if data.startswith(_START):
        return _codestream(data)
    outer = dict(reversed(list(boxes(data))))  # the first of several counts
    header = _codestream(outer.get(b"jp2c", b""))
    inner = list(boxes(outer.get(b"jp2h", b"")))
    if header is None or any(name == b"pclr" for name, _ in inner):
        return None
    told: dict[str, object] = {}
    for name, content in reversed(inner):
        if name == b"colr" and content[:1] == b"\1":
            told |= {"space": int.from_bytes(content[3:7], "big")}
        elif name == b"colr" and content[:1] == b"\2":
            told |= {"profile": content[3:]}
        elif name == b"cdef":
            told |= _opacity(content)
    return replace(header, **told) if told.get("alpha") in (None, header.count - 1) else None


def _codestream(data: bytes) -> _Header | None:
    """The sizes of a codestream; None for signed values, several depths, or components of fewer pixels."""
    if not data.startswith(_START) or len(data) < 42:
        return None
    right, bottom, left, top, *_, count = struct.unpack_from(">8IH", data, 8)
    components = data[42 : 42 + 3 * count]
    depth = components[0] if components else 0x80
    if depth & 0x80 or components != bytes([depth, 1, 1]) * count or right <= left or bottom <= top:
        return None
    return _Header(right - left, bottom - top, depth + 1, count)


def _opacity(content: bytes) -> dict[str, object]:
    """The component that a channel definition box calls opacity of the whole picture."""
    for place in range(2, len(content) - 5, 6):
        component, kind, _ = struct.unpack_from(">3H", content, place)
        if kind in (1, _PREMULTIPLIED):
            return {"alpha": component, "premultiplied": kind == _PREMULTIPLIED}
    return {}
