"""JPEG XL's header: a picture's size, turn and colours, from the first bytes of its file (ISO/IEC 18181-1, annex D)."""

from dataclasses import dataclass

from segcli.images.decoders.boxes import boxes

_START = b"\xff\x0a"
"""What every codestream begins with."""
_LONGEST = 100_000
"""The bytes of a codestream that are looked at; a header of hundreds of named channels has fewer."""
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
"""Width to height, where the header gives the width so."""
_ENUM = ((0, 0), (1, 0), (2, 4), (18, 6))
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_PREVIEW_BLOCKS = ((16, 0), (32, 0), (1, 5), (33, 9))
_PREVIEW_SIDE = ((1, 6), (65, 8), (321, 10), (1345, 12))
"""Ways to write a number: one of four (least, bits that are added), as two bits before it choose."""
_ALPHA, _SPOT, _CFA = 0, 2, 5
"""The types of extra channels that have fields of their own."""
_RGB, _GREY = 0, 1
"""The colour spaces."""
_D65, _BT709, _SRGB = 1, 1, 13
"""The white point, the primaries and the curve of sRGB."""


@dataclass(frozen=True)
class Header:
    """What a JPEG XL says before its pixels.

    Attributes:
        width, height: As stored.
        orientation: The EXIF orientation, 1..8, by which a decoder turns it.
        srgb: Whether it calls its colours sRGB, or grey of sRGB's curve; not so where it holds a profile instead.
        premultiplied: Whether the colours were multiplied by alpha.
    """

    width: int
    height: int
    orientation: int = 1
    srgb: bool = True
    premultiplied: bool = False


def read_header(data: bytes) -> Header:
    """The header in the first bytes of a file; ValueError where there is none, or not all of it."""
    if not data.startswith(_START):
        parts = [content[4 * (name == b"jxlp") :] for name, content in boxes(data) if name in (b"jxlc", b"jxlp")]
        data = b"".join(parts)
    if not data.startswith(_START):
        raise ValueError("it holds no codestream")
    bits = _Bits(data[len(_START) : _LONGEST])
    width, height = _size(bits, _SIDE)
    if bits.flag():  # all is as usual
        return Header(width, height)
    orientation = _extra_fields(bits) if bits.flag() else 1
    _depth(bits)
    bits.flag()  # whether 16 bits suffice to decode it
    channels = bits.choice(((0, 0), (1, 0), (2, 4), (1, 12)))
    multiplied = [_extra_channel(bits) for _ in range(channels)]
    bits.flag()  # whether it was coded in XYB
    return Header(width, height, orientation, _is_srgb(bits), any(multiplied))


class _Bits:
    """Bits from the lowest of the first byte on; ValueError past the end."""

    def __init__(self, data: bytes):
        self._data = data
        self._place = 0

    def take(self, count: int) -> int:
        """The number in the next bits."""
        first, last = self._place // 8, (self._place + count + 7) // 8
        if last > len(self._data):
            raise ValueError("it ends within its header")
        value = int.from_bytes(self._data[first:last], "little") >> self._place % 8
        self._place += count
        return value & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.take(1))

    def choice(self, ways: tuple[tuple[int, int], ...]) -> int:
        """A number that is written in one of four ways."""
        least, count = ways[self.take(2)]
        return least + self.take(count)


def _size(bits: _Bits, ways: tuple[tuple[int, int], ...], blocks: tuple[tuple[int, int], ...] = ()) -> tuple[int, int]:
    """(width, height), of which small ones count blocks of 8 pixels."""
    small = bits.flag()

    def side() -> int:
        if not small:
            return bits.choice(ways)
        return 8 * (bits.choice(blocks) if blocks else 1 + bits.take(5))

    height, ratio = side(), bits.take(3)
    if not ratio:
        return side(), height
    across, down = _RATIOS[ratio]
    return height * across // down, height


def _extra_fields(bits: _Bits) -> int:
    """The orientation, behind which the intended size, a preview and an animation may be described."""
    orientation = 1 + bits.take(3)
    if bits.flag():
        _size(bits, _SIDE)
    if bits.flag():
        _size(bits, _PREVIEW_SIDE, _PREVIEW_BLOCKS)
    if bits.flag():
        bits.choice(((100, 0), (1000, 0), (1, 10), (1, 30)))  # ticks a second, as a fraction
        bits.choice(((1, 0), (1001, 0), (1, 8), (1, 10)))
        bits.choice(((0, 0), (0, 3), (0, 16), (0, 32)))  # repetitions
        bits.flag()  # whether frames have time codes
    return orientation


def _depth(bits: _Bits) -> None:
    """The bits of a value; those of floating point and of its exponent."""
    if bits.flag():
        bits.choice(((32, 0), (16, 0), (24, 0), (1, 6)))
        bits.take(4)
    else:
        bits.choice(((8, 0), (10, 0), (12, 0), (1, 6)))


def _extra_channel(bits: _Bits) -> bool:
    """Whether an extra channel is alpha that the colours were multiplied by."""
    if bits.flag():  # plain alpha of 8 bits
        return False
    kind = bits.choice(_ENUM)
    _depth(bits)
    bits.choice(((0, 0), (3, 0), (4, 0), (1, 3)))  # by how much it is smaller
    bits.take(8 * bits.choice(((0, 0), (0, 4), (16, 5), (48, 10))))  # its name
    if kind == _SPOT:
        bits.take(4 * 16)
    if kind == _CFA:
        bits.choice(((1, 0), (0, 2), (3, 4), (19, 8)))
    return bits.flag() if kind == _ALPHA else False


def _is_srgb(bits: _Bits) -> bool:
    """Whether the colours are described as sRGB, or as grey of its curve."""
    if bits.flag():
        return True
    has_profile, space = bits.flag(), bits.choice(_ENUM)
    if has_profile or space not in (_RGB, _GREY):
        return False
    if bits.choice(_ENUM) != _D65:
        return False
    if space == _RGB and bits.choice(_ENUM) != _BT709:
        return False
    return not bits.flag() and bits.choice(_ENUM) == _SRGB  # else it has a gamma, or another curve
