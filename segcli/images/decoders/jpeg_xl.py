"""JPEG XL, decoded by imagecodecs: 8 or 16 bits or floating point, upright."""

from dataclasses import dataclass
from pathlib import Path

from segcli.files import formats
from segcli.images.decoders.boxes import boxes
from segcli.images.opening import check_size, explained
from segcli.images.raster import RGB, Raster

_KIND = "JPEG XL"
_HEAD = 1 << 22
"""The bytes of a file in which its header must lie; EXIF data may stand before it."""
_START = b"\xff\x0a"
"""What every codestream begins with."""
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
"""Width to height where the header gives the width so (ISO/IEC 18181-1, table of SizeHeader)."""


@dataclass(frozen=True)
class Header:
    """What a JPEG XL says before its pixels.

    Attributes:
        width, height: As stored.
        orientation: The EXIF orientation, 1..8, by which a decoder turns it.
    """

    width: int
    height: int
    orientation: int = 1


def decode(path: Path, max_pixels: int) -> Raster:
    """The values of a JPEG XL, of several frames the first: uint8, uint16 or float32 (H, W, 1..4), upright.

    The last of 2 and 4 bands is alpha.

    Raises:
        InputError: The file is damaged or too large, or the extra "jxl" is not installed.
    """
    try:
        from imagecodecs import jpegxl_decode
    except ImportError:
        raise formats.JXL.missing(path, _KIND) from None
    with path.open("rb") as file, explained(path, _KIND):
        header = read_header(file.read(_HEAD))
        check_size(path, header.width, header.height, max_pixels)
        file.seek(0)
        values = jpegxl_decode(file.read(), index=0)
        values = values[..., None] if values.ndim == 2 else values
        bands = values.shape[2]
        return Raster(values, RGB if bands > 2 else (0,), alpha=bands - 1 if bands in (2, 4) else None)


def upright_size(path: Path, max_pixels: int) -> tuple[int, int]:
    """The (height, width) that `decode` gives; no pixel is decoded. InputError where it is none or too large."""
    with path.open("rb") as file, explained(path, _KIND):
        header = read_header(file.read(_HEAD))
    check_size(path, header.width, header.height, max_pixels)
    size = (header.height, header.width)
    return size[::-1] if header.orientation > 4 else size


def read_header(data: bytes) -> Header:
    """The header in the first bytes of a file; ValueError where there is none."""
    if not data.startswith(_START):
        parts = [content[4 * (name == b"jxlp") :] for name, content in boxes(data) if name in (b"jxlc", b"jxlp")]
        data = b"".join(parts)
    if not data.startswith(_START):
        raise ValueError("it holds no codestream")
    bits = _Bits(data[2:100])
    width, height = _size(bits)
    if bits.take(1) or not bits.take(1):  # all is as usual, or nothing of what may follow here is there
        return Header(width, height)
    return Header(width, height, 1 + bits.take(3))


class _Bits:
    """Bits from the lowest of the first byte on."""

    def __init__(self, data: bytes):
        self._left = int.from_bytes(data, "little")
        self._count = 8 * len(data)

    def take(self, count: int) -> int:
        """The number in the next bits; ValueError past the end."""
        if count > self._count:
            raise ValueError("it ends within its header")
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        self._count -= count
        return value


def _size(bits: _Bits) -> tuple[int, int]:
    """(width, height)."""
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if not ratio:
        return _side(bits, small), height
    across, down = _RATIOS[ratio]
    return height * across // down, height


def _side(bits: _Bits, small: int) -> int:
    """A side in pixels: small ones as multiples of 8, others in one of four lengths of bits."""
    return 8 * (1 + bits.take(5)) if small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])
