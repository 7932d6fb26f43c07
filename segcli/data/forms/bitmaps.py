"""Bitmaps: masks that label files hold as runs or as pictures, unpacked within bounds and cut to what they cover."""

import base64
import io
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, PngImagePlugin

from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError
from segcli.images.reading import MAX_PIXELS

MOST_PIXELS = 1 << 31
"""The pixels that all masks of one photo may have together, each without its empty border."""
MOST_BYTES = 4 * MAX_PIXELS
"""The bytes that a packed picture may unpack to, which is more than any mask of the largest photo has."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def from_runs(starts: np.ndarray, ends: np.ndarray, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The mask of runs of pixels, row by row, without its empty border.

    Args:
        starts: int64 (n,), the flat index of each run's first pixel, ascending.
        ends: int64 (n,), the index after each run's last pixel; none beyond the next start.
        width: Pixels of a row.

    Returns:
        bool (h, w), and the (row, column) of its first pixel.
    """
    starts, ends = starts[starts < ends], ends[starts < ends]
    if not len(starts):
        return np.zeros((0, 0), bool), (0, 0)
    rows, last_rows = starts // width, (ends - 1) // width
    top, height = int(rows[0]), int(last_rows[-1] - rows[0]) + 1
    left, columns = 0, width
    if np.array_equal(rows, last_rows):  # no run goes on in a second row, so that the columns can be cut too
        left = int((starts % width).min())
        columns = int(((ends - 1) % width).max()) + 1 - left
    bounds = np.stack([starts, ends], 1) + (rows * (columns - width) - top * columns - left)[:, np.newaxis]
    lengths = np.diff(bounds.ravel(), prepend=0, append=height * columns)
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, columns), (top, left)


def from_counts(counts: Sequence[int], height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The mask of the lengths of runs, row by row, of which the first is empty, the second filled, and so on.

    Returns:
        bool (h, w) without its empty border, and the (row, column) of its first pixel.

    Raises:
        DatasetError: The lengths do not fill (height, width).
    """
    if not (0 < height <= MAX_PIXELS and 0 < width <= MAX_PIXELS and height * width <= MAX_PIXELS):
        raise DatasetError(f"a mask states {width} x {height} pixels, which cannot be")
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise DatasetError(f"the runs of a mask have {sum(counts)} pixels, not the {height * width} of its box")
    bounds = np.cumsum(np.array(counts, np.int64))
    ends = bounds[1::2]
    return from_runs(bounds[0::2][: len(ends)], ends, width)


def from_base64(text: str) -> np.ndarray:
    """The mask of a PNG as base64, compressed by zlib or not: uint8 (h, w) as `values` gives it."""
    data = _unpacked(text)
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as image:  # Image.open warns, and has a limit of its own
            if image.width * image.height > MAX_PIXELS:
                raise DatasetError(f"a mask states {image.width} x {image.height} pixels, which is too many")
            return values(image)
    except DatasetError:
        raise
    except Exception as error:  # decoders of damaged files raise anything
        raise DatasetError(f"a mask cannot be decoded: {error or type(error).__name__}") from error


def _unpacked(text: str) -> bytes:
    """The bytes of a PNG."""
    try:
        data = base64.b64decode(text, validate=True)
        if not data.startswith(SIGNATURE):
            data = zlib.decompressobj().decompress(data, MOST_BYTES)
    except (ValueError, zlib.error) as error:
        raise DatasetError(f"a mask cannot be unpacked: {error}") from error
    if not data.startswith(SIGNATURE):
        raise DatasetError("a mask is not a PNG file")
    return data


def values(image: Image.Image) -> np.ndarray:
    """How far each pixel of a mask is filled: uint8 (h, w), 0 to 255; of palettes the index.

    Where there are transparent pixels alpha counts, in a palette too; else the grey value, or a colour's brightest.
    """
    if image.mode in ("LA", "RGBA", "PA", "La", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        return np.array(image.convert("RGBA"))[..., 3]
    if image.mode == "1":
        return np.array(image.convert("L"))
    pixels = np.array(image)
    if pixels.dtype != np.uint8:  # 16 bits, of which none becomes nothing
        return np.minimum(255, np.clip(pixels, 0, 65535).astype(np.int32) + 255 >> 8).astype(np.uint8)
    return pixels if pixels.ndim == 2 else pixels.max(2)


def tight(mask: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """A mask without its empty border, and the (row, column) of its first pixel."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.zeros((0, 0), bool), (0, 0)
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return part.copy(), (int(rows[0]), int(columns[0]))  # a view would keep the whole mask


def bounded(shapes: Iterable[Shape]) -> list[Shape]:
    """The shapes of one photo; DatasetError as soon as their bitmaps together are larger than a photo can need."""
    found, pixels = [], 0
    for shape in shapes:
        pixels += 0 if shape.bitmap is None else shape.bitmap.size
        if pixels > MOST_PIXELS:
            raise DatasetError(f"the masks of one photo have more than {MOST_PIXELS / 1e9:.1f} gigapixels together")
        found.append(shape)
    return found
