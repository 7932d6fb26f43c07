"""PNM: grey and colours of more than 8 bits (PGM, PPM) and floats (PFM), which Pillow scales or refuses."""

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL.PpmImagePlugin import PpmImageFile

from segcli.images.opening import check_size, explained
from segcli.images.raster import RGB, Raster

_PLAIN = "ppm_plain"
"""Pillow's name for values that are written as text."""
_FULL = 65535
"""The largest maxval. It says nothing: so do writers that fill fewer bits."""
_TEXT = 16
"""The most bytes of text for a value: more is no picture, but white space without end."""
_FLOATS = re.compile(rb"P([Ff])\s+(\d{1,10})\s+(\d{1,10})\s+([-+.\deE]{1,40})\s")


def decode(path: Path, max_pixels: int) -> Raster | None:
    """The values of a PGM, PPM or PFM as they are stored: uint16, or float32, (H, W, 1 or 3); None for 8 bits.

    A maxval below 65535 is the range that the file states.

    Raises:
        InputError: The file is damaged or too large.
    """
    with path.open("rb") as file, explained(path, "PNM"):
        floats = _FLOATS.match(file.read(80))
        if floats:
            return _floats(path, file, floats, max_pixels)
        file.seek(0)
        image = PpmImageFile(file)
        tile = image.tile[0]
        maxval = _FULL if tile.args == "I;16B" else tile.args[1] if isinstance(tile.args, tuple) else 0
        if image.mode not in ("I", "RGB") or maxval < 256:
            return None
        check_size(path, *image.size, max_pixels)
        width, height = image.size
        colours = RGB if image.mode == "RGB" else (0,)
        shape = (height, width, len(colours))
        file.seek(tile.offset)
        values = _text(file, shape) if tile.codec_name == _PLAIN else _binary(file, shape, ">u2")
        stated = ((0, maxval),) if maxval < _FULL else ()
        return Raster(values, colours, stated=stated, stated_by="its maxval" if stated else "")


def upright_size(path: Path, max_pixels: int) -> tuple[int, int] | None:
    """The (height, width) of a PFM, whose colours Pillow does not open; None for others. InputError if too large."""
    with path.open("rb") as file:
        floats = _FLOATS.match(file.read(80))
    if floats is None:
        return None
    check_size(path, int(floats[2]), int(floats[3]), max_pixels)
    return int(floats[3]), int(floats[2])


def _floats(path: Path, file: BinaryIO, head: re.Match[bytes], max_pixels: int) -> Raster:
    """A PFM, whose rows go from the bottom up, and whose scale is negative where bytes are little-endian."""
    width, height, scale = int(head[2]), int(head[3]), float(head[4])
    check_size(path, width, height, max_pixels)
    colours = RGB if head[1] == b"F" else (0,)
    file.seek(head.end())
    values = _binary(file, (height, width, len(colours)), "<f4" if scale < 0 else ">f4")
    return Raster(np.ascontiguousarray(values[::-1]), colours)


def _binary(file: BinaryIO, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """The values that follow as bytes, in the machine's byte order."""
    dtype = np.dtype(kind)
    data = file.read(int(np.prod(shape)) * dtype.itemsize)
    return _whole(np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype), shape)


def _text(file: BinaryIO, shape: tuple[int, ...]) -> np.ndarray:
    """The values that follow as decimal numbers, comments (# to the end of a line) left out."""
    count = int(np.prod(shape))
    data = re.sub(rb"#[^\r\n]*", b"", file.read(count * _TEXT + 4096))
    if re.search(rb"[^\d\s]|\d{6}", data):
        raise ValueError("its values are no numbers of at most five digits")
    # numpy makes a number of no text at all
    values = np.fromstring(data, np.uint32, sep=" ") if data.strip() else np.empty(0, np.uint32)
    if values.max(initial=0) > _FULL:
        raise ValueError(f"its values are larger than {_FULL}")
    return _whole(values[:count].astype(np.uint16), shape)


def _whole(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if values.size < np.prod(shape):
        raise ValueError(f"it ends after {values.size} of its {np.prod(shape)} values")
    return values.astype(values.dtype.newbyteorder("=")).reshape(shape)
