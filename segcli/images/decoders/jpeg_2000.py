"""JPEG 2000 of more than 8 bits: grey by Pillow, colours by imagecodecs.

Pillow makes 8 bits of deep colours, and black of their white: it rounds 255.5 up to 256, which is 0 in 8 bits.
"""

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

_KIND = "JPEG 2000"
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
        bits: The bits of the deepest component.
        count: The number of components.
        plain: Whether all components are unsigned, of one depth, and as large as the picture, and are colours as they
            are, not by a palette.
        space: The enumerated colour space; 0 where none is named.
        profile: The ICC profile; empty for none.
        alpha: The component that is opacity; None for none.
        premultiplied: Whether the colours were multiplied by it.
    """

    width: int
    height: int
    bits: int
    count: int
    plain: bool
    space: int = 0
    profile: bytes = b""
    alpha: int | None = None
    premultiplied: bool = False


def decode(path: Path, max_pixels: int) -> Raster | None:
    """The values of a JPEG 2000 of 9 to 16 bits as they are stored, uint16 (H, W, C); None for one of at most 8 bits.

    Raises:
        InputError: The file is damaged, too large, or of deep colours in a form that is not read; or it has several
            components and imagecodecs (the extra "micro") is not installed.
    """
    with path.open("rb") as file, explained(path, _KIND):
        header = _header(file.read(_HEAD))
        if header is None or header.bits <= 8:
            return None
        check_size(path, header.width, header.height, max_pixels)
        if not header.plain or header.bits > 16 or header.space not in (0, _SRGB, _GREY):
            raise ValueError(f"its {header.bits} bits a colour are stored in a form that segcli does not read")
        file.seek(0)
        grey = _grey(file, header.bits) if header.count == 1 else None
        return grey or _components(path, file, header, max_pixels)


def _grey(file: BinaryIO, bits: int) -> Raster | None:
    """The one component, which Pillow shifts up to 16 bits; None where it takes 9 bits for 8."""
    image = Jpeg2KImageFile(file)
    if image.mode != "I;16":
        return None
    image.load()
    values = np.asarray(image).astype(np.uint16, copy=False) >> (16 - bits)
    # The range that 16 bits mean, shifted back, and so a little wider: photos look as they always have.
    stated: tuple[Range, ...] = ((0, 65535 / 2 ** (16 - bits)),) if bits < 16 else ()
    return Raster(values[..., None], (0,), stated=stated, stated_by="its bit depth" if stated else "")


def _components(path: Path, file: BinaryIO, header: _Header, max_pixels: int) -> Raster:
    """All components, with the colours and the alpha that the header names."""
    try:
        from imagecodecs import jpeg2k_decode
    except ImportError:
        raise formats.MICRO.missing(path, f"{header.bits}-bit {_KIND}") from None
    check_size(path, header.width * header.count, header.height, _VALUES * max_pixels)
    file.seek(0)
    values = jpeg2k_decode(file.read())
    values = values[..., None] if header.count == 1 else values
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
    """What the start of a file says; None where it is not understood."""
    if data.startswith(_START):
        return _codestream(data)
    outer = dict(reversed(list(boxes(data))))  # the first of several counts
    header = _codestream(outer.get(b"jp2c", b""))
    if header is None:
        return None
    told: dict[str, object] = {}
    for name, content in reversed(list(boxes(outer.get(b"jp2h", b"")))):
        if name == b"colr" and content[:1] == b"\1":
            told |= {"space": int.from_bytes(content[3:7], "big")}
        elif name == b"colr" and content[:1] == b"\2":
            told |= {"profile": content[3:]}
        elif name == b"cdef":
            told |= _opacity(content)
        elif name == b"pclr":
            told |= {"plain": False}
    usual = told.get("alpha") in (None, header.count - 1)  # any other place is hardly ever meant
    return replace(header, **told) if usual else replace(header, plain=False)


def _codestream(data: bytes) -> _Header | None:
    """The sizes and depths of a codestream; None where they are not whole."""
    if not data.startswith(_START) or len(data) < 42:
        return None
    right, bottom, left, top, *_, count = struct.unpack_from(">8IH", data, 8)
    components = data[42 : 42 + 3 * count]
    if not components or len(components) < 3 * count or right <= left or bottom <= top:
        return None
    depths = [1 + (depth & 0x7F) for depth in components[::3]]
    plain = components == bytes([depths[0] - 1, 1, 1]) * count  # a signed one has the highest bit set
    return _Header(right - left, bottom - top, max(depths), count, plain)


def _opacity(content: bytes) -> dict[str, object]:
    """The component that a channel definition box calls opacity of the whole picture."""
    for place in range(2, len(content) - 5, 6):
        component, kind, _ = struct.unpack_from(">3H", content, place)
        if kind in (1, _PREMULTIPLIED):
            return {"alpha": component, "premultiplied": kind == _PREMULTIPLIED}
    return {}
