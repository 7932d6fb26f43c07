"""COCO's run lengths: masks as the lengths of their runs, column by column, as a list or packed into a text.

The packed text has six bits a character: five of a number, lowest first, and one that says that more follow. From the
fourth run on a number is the difference to the run before the previous one.
"""

from collections.abc import Sequence

import numpy as np

from segcli.data.forms import bitmaps
from segcli.errors import DatasetError

_MOST_CHARACTERS = 6
"""The characters that a number of at most MAX_PIXELS, or minus that, takes."""
_FIRST = ord("0")
"""The character of the value 0."""
_DIGIT, _SIGN, _MORE = 31, 16, 32
"""In a character's value: the five bits of the number, of which the highest of its last character is the sign; and the
one that says that more characters follow."""


def decode(counts: Sequence[int] | str, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The mask that runs make.

    Args:
        counts: The lengths of the runs, the first of which is empty, the second filled, and so on; or packed.
        height: Rows of the photo.
        width: Columns of the photo.

    Returns:
        bool (h, w) without its empty border, and the (row, column) of its first pixel in the photo.

    Raises:
        DatasetError: The text is none, or the runs do not fill the photo.
    """
    lengths = unpack(counts) if isinstance(counts, str) else counts
    mask, (column, row) = bitmaps.from_counts(lengths, width, height)
    return mask.T, (row, column)


def unpack(text: str) -> list[int]:
    """The lengths of runs that were packed; DatasetError where the text is no such code."""
    characters = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - _FIRST
    ends = np.flatnonzero(characters & _MORE == 0) + 1
    if np.any((characters < 0) | (characters >= 2 * _MORE)) or len(characters) != (ends[-1] if len(ends) else 0):
        raise DatasetError("the packed runs of a mask are damaged")
    if not len(ends):
        return []
    starts = np.concatenate([[0], ends[:-1]])
    if np.any(ends - starts > _MOST_CHARACTERS):
        raise DatasetError("a mask has a run that is longer than any photo")
    place = np.arange(len(characters)) - np.repeat(starts, ends - starts)
    numbers = np.add.reduceat((characters & _DIGIT) << 5 * place, starts)
    numbers -= np.where(characters[ends - 1] & _SIGN, np.left_shift(1, 5 * (ends - starts)), 0)
    numbers[1::2], numbers[2::2] = np.cumsum(numbers[1::2]), np.cumsum(numbers[2::2])
    return numbers.tolist()
