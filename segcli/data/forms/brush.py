"""Brush: the stream of bits in which Label Studio keeps what was painted, read and written.

The stream packs the bytes of an RGBA picture: 32 bits for their number, 5 for the bits of a value less 1, four times 4
for the bits of a length less 1. Then come runs: one bit that says whether one value is repeated, two that choose one of
the four sizes, the length less 1, and the value, or as many values as the length says. Alpha holds the mask.
"""

import numpy as np

from segcli.data.forms import bitmaps
from segcli.errors import DatasetError

SIZES = (3, 4, 8, 16)
"""The bits of a run's length, of which each run takes the fewest that hold it; those of Label Studio's own encoder."""
CUT = 127
"""The largest alpha that is outside; the brush has soft edges."""

_HEADER_BITS = 32 + 5 + 4 * 4
_VALUE_BITS = 8
_WINDOW = 6
"""The bytes that hold a run's bits up to its first value, wherever in a byte it begins."""
_FEW = 16
"""The values below which a loop is faster than numpy."""
_RUNS_AT_ONCE = 1 << 16
"""The number of runs that are written together, which bounds the memory."""


def decode(data: bytes, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The mask of a stream: bool (h, w) without its empty border, and the (row, column) of its first pixel.

    Raises:
        DatasetError: The stream is for another size, ends early, or is none.
    """
    sizes = _header(data, height * width * 4)
    starts, ends = _runs(data, height * width * 4, sizes)
    return bitmaps.from_runs(np.array(starts, np.int64), np.array(ends, np.int64), width)


def pixels(data: bytes) -> int:
    """The number of pixels that a stream states."""
    return int.from_bytes(data[:4], "big") // 4


def _header(data: bytes, count: int) -> list[int]:
    """The bits of the four kinds of lengths, of a stream for that number of bytes."""
    if len(data) * 8 < _HEADER_BITS:
        raise DatasetError("a brush mask is empty")
    stated = int.from_bytes(data[:4], "big")
    if stated != count:
        raise DatasetError(f"a brush mask has {stated / 4:g} pixels, but its photo has {count // 4}")
    bits = int.from_bytes(data[4:7], "big") >> 3
    if (bits >> 16) + 1 != _VALUE_BITS:
        raise DatasetError(f"a brush mask has values of {(bits >> 16) + 1} bits, not {_VALUE_BITS}")
    return [(bits >> shift & 15) + 1 for shift in (12, 8, 4, 0)]


def _runs(data: bytes, count: int, sizes: list[int]) -> tuple[list[int], list[int]]:
    """The first pixel, and the one after the last, of each run of filled pixels in a stream of `count` bytes."""
    starts: list[int] = []
    ends: list[int] = []
    last, bit, place = len(data) * 8, _HEADER_BITS, 0
    while place < count:
        shift = 8 * _WINDOW - (bit & 7)
        window = int.from_bytes(data[bit >> 3 : (bit >> 3) + _WINDOW].ljust(_WINDOW, b"\0"), "big")
        size = sizes[window >> shift - 3 & 3]
        shift -= 3 + size
        following = place + (window >> shift & (1 << size) - 1) + 1
        bit += 3 + size
        repeated = window >> shift + 2 + size & 1
        after = bit + _VALUE_BITS * (1 if repeated else following - place)
        if after > last or following > count:
            raise DatasetError("a brush mask ends too early" if after > last else "a brush mask is longer than it says")
        # The alpha of pixel p is the byte 4 p + 3, so that the bytes from a on hold those of the pixels from a // 4 on.
        if not repeated:
            _add_values(data, bit, place, following, starts, ends)
        elif window >> shift - _VALUE_BITS & 255 > CUT:
            starts.append(place // 4)
            ends.append(following // 4)
        bit, place = after, following
    return starts, ends


def _add_values(data: bytes, bit: int, place: int, following: int, starts: list[int], ends: list[int]) -> None:
    """Add the runs of filled pixels in bytes that stand one by one from a bit of the stream on."""
    first = 3 - place & 3  # the first that is an alpha
    if following - place < _FEW:
        for byte in range(place + first, following, 4):
            at = bit + _VALUE_BITS * (byte - place)
            if (data[at >> 3] << 8 | int.from_bytes(data[(at >> 3) + 1 : (at >> 3) + 2], "big")) >> 8 - (at & 7) & 128:
                starts.append(byte // 4)
                ends.append(byte // 4 + 1)
        return
    part = np.frombuffer(data, np.uint8, (_VALUE_BITS * (following - place) + (bit & 7) + 7) // 8, bit >> 3)
    part = np.append(part, np.uint8(0)).astype(np.uint16)
    aligned = (part[:-1] << 8 | part[1:]) >> 8 - (bit & 7) & 255
    filled = aligned[first : following - place : 4] > CUT
    turns = np.flatnonzero(np.diff(filled, prepend=False, append=False)) + place // 4
    starts += turns[0::2].tolist()
    ends += turns[1::2].tolist()


def encode(mask: np.ndarray) -> bytes:
    """The stream of a bool (H, W) mask, in which all four channels of a filled pixel are 255."""
    flat = mask.ravel()
    bounds = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    lengths, filled = _split(np.diff(bounds) * 4, flat[bounds[:-1]])
    header = flat.size * 4 << 5 | _VALUE_BITS - 1
    for size in SIZES:
        header = header << 4 | size - 1
    bits = [np.array([int(bit) for bit in f"{header:0{_HEADER_BITS}b}"], np.uint8)]
    for first in range(0, len(lengths), _RUNS_AT_ONCE):
        bits.append(_bits(lengths[first : first + _RUNS_AT_ONCE], filled[first : first + _RUNS_AT_ONCE]))
    return np.packbits(np.concatenate(bits)).tobytes()


def _split(lengths: np.ndarray, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lengths of runs, and whether they are filled, with runs that are too long for a length in several parts."""
    longest = 1 << SIZES[-1]
    parts = -(-lengths // longest)
    split = np.full(parts.sum(), longest)
    split[np.cumsum(parts) - 1] = lengths - (parts - 1) * longest
    return split, np.repeat(filled, parts)


def _bits(lengths: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """The bits of runs, uint8 (n,) of 0 and 1."""
    kind = np.searchsorted([1 << size for size in SIZES], lengths)
    size = np.array(SIZES)[kind]
    code = (((4 | kind) << size | lengths - 1) << _VALUE_BITS) | np.where(filled, 255, 0)
    shifts = np.arange(3 + SIZES[-1] + _VALUE_BITS)[::-1]
    wanted = shifts < (3 + size + _VALUE_BITS)[:, np.newaxis]
    return (code[:, np.newaxis] >> shifts & 1).astype(np.uint8)[wanted]
