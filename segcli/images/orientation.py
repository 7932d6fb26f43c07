"""Orientation: the turn that brings a picture upright, numbered 1 to 8 by EXIF and TIFF."""

from collections.abc import Callable

import numpy as np
from PIL import Image

SIDEWAYS = frozenset((5, 6, 7, 8))
"""The orientations that exchange a picture's width and height."""
_TAG = 0x0112
_Turn = Callable[[np.ndarray], np.ndarray]
_TURNS: dict[int, tuple[Image.Transpose, _Turn]] = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, lambda a: a[:, ::-1]),
    3: (Image.Transpose.ROTATE_180, lambda a: a[::-1, ::-1]),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, lambda a: a[::-1]),
    5: (Image.Transpose.TRANSPOSE, lambda a: a.swapaxes(0, 1)),
    6: (Image.Transpose.ROTATE_270, lambda a: np.rot90(a, -1)),
    7: (Image.Transpose.TRANSVERSE, lambda a: a[::-1, ::-1].swapaxes(0, 1)),
    8: (Image.Transpose.ROTATE_90, np.rot90),
}
"""The same turn for a picture of Pillow, which is several times as fast, and for an array of any type."""


def orientation(image: Image.Image, notes: list[str]) -> int:
    """The EXIF orientation, 1..8; Pillow has applied a TIFF's already when it was loaded, and then says 1."""
    try:
        return int(image.getexif().get(_TAG, 1))
    except Exception:  # damaged EXIF data make Pillow raise anything, and are no reason to lose a good photo
        notes.append("The EXIF data are damaged, so that the photo is read as it is stored, perhaps not upright.")
        return 1


def upright_image(image: Image.Image, number: int) -> Image.Image:
    """The picture turned by an orientation; the same object where nothing is turned."""
    return image.transpose(_TURNS[number][0]) if number in _TURNS else image


def upright(pixels: np.ndarray, number: int) -> np.ndarray:
    """Pixels (H, W, ...) turned by an orientation; a copy of its own where anything is turned."""
    return np.ascontiguousarray(_TURNS[number][1](pixels)) if number in _TURNS else pixels
