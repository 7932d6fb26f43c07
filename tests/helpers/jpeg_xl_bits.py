"""The bits of JPEG XL's headers, as (value, number of bits)."""

SMALL = ((1, 1), (4, 5), (0, 3), (5, 5))
"""8 (4 + 1) rows of 8 (5 + 1) pixels."""
AS_USUAL = ((1, 1),)
"""8 bits of sRGB, upright, without alpha."""
BIT_DEPTH = ((0, 1), (0, 2), (1, 1))
"""8 bits, decoded in buffers of 16."""
TURNED = ((0, 1), (1, 1), (5, 3), (0, 3), *BIT_DEPTH, (0, 2), (1, 1), (1, 1))
"""Orientation 6, and no more than that."""
ALPHA = ((0, 1), (0, 2), (0, 1), (0, 2), (0, 2), (1, 2), (3, 4), *((ord(letter), 8) for letter in "abc"), (1, 1))
"""An extra channel: 8 bits of alpha that the colours were multiplied by, called abc."""
LINEAR = ((0, 1), (0, 1), (0, 2), (1, 2), (1, 2), (0, 1), (2, 2), (6, 4))
"""Colours: no profile, RGB, the white point and primaries of sRGB, no gamma, and the linear curve (8 = 2 + 6)."""


def codestream(*fields: tuple[int, int]) -> bytes:
    """A codestream that starts with these fields, each from its lowest bit on."""
    bits = "".join(f"{value:0{count}b}"[::-1] for value, count in fields)
    return b"\xff\x0a" + int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little")
