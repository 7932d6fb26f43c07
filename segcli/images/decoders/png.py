"""PNG of 16 bits: the values whole, of which Pillow keeps the high 8 where there is colour."""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from segcli.images.opening import check_size, explained
from segcli.images.orientation import orientation
from segcli.images.raster import RGB, Range, Raster

_BIT_DEPTH = 24
"""The place of the depth in a file, whose first chunk is the header IHDR."""
_OPAQUE = 65535


def decode(path: Path, max_pixels: int) -> Raster | None:
    """The values of a PNG of 16 bits: uint16 (H, W, C), the last of 2 and 4 bands alpha; None for one of fewer bits.

    A single colour that is transparent (tRNS) becomes a band of alpha: 0 there, 65535 elsewhere. A range is stated
    where the file says that fewer bits are significant (sBIT) and its values are not scaled up to 16, as they ought to
    be.

    Raises:
        InputError: The file is damaged or too large.
    """
    with path.open("rb") as file, explained(path, "PNG"):
        head = file.read(_BIT_DEPTH + 1)
        if head[12:16] != b"IHDR" or head[_BIT_DEPTH:] != bytes([16]):
            return None
        image = _opened(file)
        check_size(path, *image.size, max_pixels)
        values, notes = _values(file, image), []
        colours = RGB if values.shape[2] > 2 else (0,)
        values = _with_clear_colour(values, image.info.get("transparency"))
        alpha = len(colours) if values.shape[2] > len(colours) else None
        stated = _significant(file, values[..., : len(colours)])
        return Raster(
            values,
            colours,
            alpha=alpha,
            stated=stated,
            stated_by="its sBIT chunk" if stated else "",
            profile=image.info.get("icc_profile") or b"",
            orientation=orientation(image, notes),
            notes=tuple(notes),
        )


def _opened(file: BinaryIO) -> PngImageFile:
    file.seek(0)
    return PngImageFile(file)


def _values(file: BinaryIO, image: PngImageFile) -> np.ndarray:
    """The values, uint16 (H, W, C) in the machine's byte order; the image is loaded."""
    raw_mode = image.tile[0].args
    if raw_mode == "I;16B":
        image.load()
        return np.asarray(image).astype(np.uint16, copy=False)[..., None]
    if raw_mode == "LA;16B":  # a pixel's four bytes come whole when they are taken for red, green, blue and alpha
        return _loaded(image, "RGBA").view(">u2").astype(np.uint16)
    values = _loaded(image, raw_mode).astype(np.uint16)
    values <<= 8
    values |= _loaded(_opened(file), raw_mode.replace("16B", "16L"))  # taken for little-endian, the low byte is kept
    return values


def _loaded(image: PngImageFile, raw_mode: str) -> np.ndarray:
    """The pixels, uint8 (H, W, C), with the bytes of the file taken as one of Pillow's raw modes says."""
    image._mode = raw_mode.partition(";")[0]
    image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    image.load()
    return np.asarray(image)


def _with_clear_colour(values: np.ndarray, clear: int | tuple[int, ...] | None) -> np.ndarray:
    """The values with a band of alpha where one colour is transparent."""
    if clear is None or values.shape[2] not in (1, 3):
        return values
    opaque = (values != np.array(clear)).any(axis=2, keepdims=True)
    return np.concatenate([values, opaque * np.uint16(_OPAQUE)], axis=2)


def _significant(file: BinaryIO, colours: np.ndarray) -> tuple[Range, ...]:
    """The range that the significant bits mean, () where the values fill 16 bits.

    Writers must scale the values up to 16 bits, which leaves the low bits of dark values 0; values that fit into fewer
    bits and have others there were stored as they are.
    """
    bits = max(_significant_bits(file), default=16)
    unscaled = 8 <= bits < 16 and colours.max() < 2**bits and np.any(colours & (2 ** (16 - bits) - 1))
    return ((0, 2**bits - 1),) if unscaled else ()


def _significant_bits(file: BinaryIO) -> bytes:
    """The bits of each band by the sBIT chunk, which stands before the pixels; empty without one."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"sBIT":
            return file.read(min(length, 4))
        if name == b"IDAT":
            break
        file.seek(length + 4, 1)
    return b""
