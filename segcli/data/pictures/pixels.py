"""Pixels: what the file of a mask holds, of any format in which masks come."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from segcli.data.pictures import matlab, tiff
from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.images.stored import Stored, read_stored

NEGATIVE = 65535
"""The value that stands for those below 0, which mean void where they occur."""
NEARLY_GREY = 24
"""How far red, green and blue may lie apart in a grey picture that a lossy format stored as colours."""


def read_pixels(path: Path) -> Stored:
    """Decode a mask as its file stores it: pictures of any format, TIFF of any kind, and MATLAB's files.

    Reals become whole numbers. Pictures in colours that are all grey become values of grey. GIF, whose palettes are
    renumbered by whoever saves one, becomes what it shows.

    Returns:
        With pixels of integers (H, W), or uint8 (H, W, 3).

    Raises:
        InputError: The file is missing or damaged, is no picture, has several pages, or values that are not whole.
    """
    if path.suffix.lower() == matlab.SUFFIX:
        return Stored(_narrow(_whole(path, matlab.read_matlab(path))), format="MATLAB")
    stored = _decoded(path)
    if stored.frames > 1:
        raise tiff.several_pages(path, stored.frames)
    if stored.format == "GIF":
        stored = _as_shown(stored)
    if stored.pixels.ndim == 3 and is_grey(stored):
        return replace(stored, pixels=_grey(stored.pixels), white=255)
    return stored if stored.pixels.dtype.kind in "iu" else replace(stored, pixels=_whole(path, stored.pixels))


def _decoded(path: Path) -> Stored:
    try:
        return read_stored(path)
    except InputError as error:
        if error.__cause__ is None or not tiff.is_tiff(path):  # refused, not undecodable
            raise
        pixels = tiff.read_tiff(path)
    if pixels.ndim == 2:
        return Stored(pixels, white=255 if pixels.dtype == np.uint8 else 0, format="TIFF")
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    return Stored(np.ascontiguousarray(pixels[..., :3]), alpha=alpha, format="TIFF")


def _whole(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Numbers of any dtype as integers; InputError where one is not whole or has no place in 32 bits."""
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8)
    limits = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)
    if not (limits[0] >= -(2**31) and limits[1] < 2**31):  # true for NaN too
        raise InputError(f"{shown(path)} has values from {limits[0]:g} to {limits[1]:g}, which are not class ids")
    if pixels.dtype.kind == "f" and np.any(pixels != np.rint(pixels)):
        message = f"{shown(path)} has values between whole numbers, which are not class ids"
        raise InputError(message, "To make a mask from probabilities, choose a limit, such as 0.5.")
    return pixels.astype(np.int32)


def _narrow(values: np.ndarray) -> np.ndarray:
    """MATLAB's numbers, which are reals where nobody cared, in the fewest bits; ids of objects stay deep elsewhere."""
    low, high = int(values.min()), int(values.max())
    return values if low < 0 or high > 65535 else values.astype(np.uint8 if high < 256 else np.uint16)


def _as_shown(stored: Stored) -> Stored:
    """What a picture shows, in colours or grey; GIF loses nothing but the numbers of its colours."""
    pixels = stored.pixels if stored.palette is None else padded(stored.palette)[stored.pixels]
    return replace(stored, pixels=pixels, palette=None, keeps_ids=True)


def padded(palette: np.ndarray) -> np.ndarray:
    """A palette of 256 colours, uint8 (256, 3); indices that a shorter one lacks are shown black."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette[:256]
    return table


def as_grey(values: np.ndarray, white: int) -> np.ndarray | None:
    """The greys, 0..255, that a viewer shows for values; None where they are not to be shown.

    Args:
        values: Of any shape, as a file stores them.
        white: The value that the file calls white. Values of more than 8 bits that all fit into 8 are taken as those.
    """
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if white in (0, 65535) and high <= 255:
        white = 255
    if not white or low < 0 or high > white:
        return None
    return values if white == 255 else (values.astype(np.int64) * 255 + white // 2) // white


def is_grey(stored: Stored) -> bool:
    """Whether a picture in colours has no other than grey ones; what lossy formats blurred counts as grey."""
    if stored.keeps_ids:
        red, green, blue = np.moveaxis(stored.pixels, 2, 0)
        return bool(np.array_equal(red, green) and np.array_equal(green, blue))
    apart = stored.pixels.max(2).astype(np.int16) - stored.pixels.min(2)
    return bool(np.count_nonzero(apart > NEARLY_GREY) <= apart.size // 1000)


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[..., 1])


def read_values(path: Path, grey: bool = False) -> np.ndarray:
    """Read the values of a mask as they are stored.

    Args:
        path: The mask.
        grey: Take the greys, 0..255, that a palette shows instead of its indices.

    Returns:
        uint8 or uint16 (H, W); values below 0 have become `NEGATIVE`.

    Raises:
        InputError: It cannot be read, holds colours, values above 65535, or is in a format that changes values.
    """
    stored = exact_pixels(path)
    pixels = stored.pixels
    if grey and stored.palette is not None:
        pixels = padded(stored.palette)[pixels]
        pixels = pixels[..., 1] if is_grey(replace(stored, pixels=pixels)) else pixels
    if pixels.ndim == 3:
        hint = "All masks of a dataset are read in one way. Export this one again like the others."
        raise InputError(f"{shown(path)} holds colours, not class ids", hint)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    if pixels.size and pixels.max() > NEGATIVE:
        raise InputError(f"{shown(path)} has values up to {pixels.max()}, which are not class ids")
    return np.where(pixels < 0, NEGATIVE, pixels).astype(np.uint16)


def exact_pixels(path: Path) -> Stored:
    """As `read_pixels`; InputError where the file's format may have changed the values."""
    stored = read_pixels(path)
    if not stored.keeps_ids:
        message = f"{shown(path)} is a {stored.format} file whose encoding may have changed the class ids"
        raise InputError(message, "Export the mask again as PNG. To convert this file does not help.")
    return stored
