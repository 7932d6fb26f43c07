"""Segments: the values of a TIFF's picture, gathered from its strips or tiles."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from segcli.images.decoders.tiff import codecs as tiff_codecs
from segcli.images.decoders.tiff.directory import Directory
from segcli.images.decoders.tiff.layout import (
    JPEG_TABLES,
    MOST_SEGMENTS,
    STRIP_LENGTHS,
    STRIP_OFFSETS,
    TILE_LENGTHS,
    TILE_OFFSETS,
    Layout,
)

_HORIZONTAL, _FLOATING_POINT = 2, 3
_LOT = 2**22
"""The bytes of segments that are decoded together, so that many small ones cost no more than a few large ones."""
_LOW = 64
"""The rows of the strips that high ones are divided into."""
_AT_ONCE = 2**19
"""The number of packed values that are looked at together; a multiple of 8, so that each lot starts with a byte."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def read_values(directory: Directory, layout: Layout, empty: float = 0) -> np.ndarray:
    """All values of a picture as they are stored, (height, width, samples); arguments and errors are `Segments`'."""
    return Segments(directory, layout, empty).rows(0, layout.height)


class Segments:
    """The strips or tiles of a picture, decoded as rows are asked for.

    Args:
        directory: The picture's tags; their file stays open.
        layout: What they say about the values; the caller has looked that what is asked for can be afforded.
        empty: The value of segments that the file leaves out; 0 if the values' type cannot hold it.

    Raises:
        ValueError: The tags list other segments than there must be.
    """

    def __init__(self, directory: Directory, layout: Layout, empty: float = 0):
        self._directory, self._fill = directory, _held(empty, layout.dtype)
        self.layout, self._offsets, self._lengths = _divided(layout, *_places(directory, layout))
        self._tables = directory.data(JPEG_TABLES)

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """The values of the rows from `top` to `bottom`, which is left out.

        Returns:
            (rows, width, samples) of `layout.dtype`, writable.

        Raises:
            MissingCodecError: A compression takes a package that is not installed.
            NotReadError: Nothing here reads a compression.
            ValueError, OSError: A segment is damaged.
        """
        layout = self.layout
        values = np.zeros((bottom - top, layout.width, layout.samples), layout.dtype)
        if self._fill and not (self._offsets.all() and self._lengths.all()):
            values[:] = self._fill
        for lot in _lots(layout, self._offsets, self._lengths, top, bottom):
            high = _height(layout, lot[0][0])
            parts = [_read(self._directory, layout, high, offset, length) for _, offset, length in lot]
            contents = tiff_codecs.decoded(parts, layout, high, self._tables)
            for (place, _, _), content in zip(lot, contents, strict=True):
                _put(values, top, place, _segment(content, self._directory, layout, high))
        return values


def _divided(layout: Layout, offsets: np.ndarray, lengths: np.ndarray) -> tuple[Layout, np.ndarray, np.ndarray]:
    """The same segments; high strips that are not compressed as low ones, of which only those asked for are read."""
    rows = layout.tile[0]
    if layout.tiled or layout.compression != tiff_codecs.NONE or rows <= _LOW or (rows % _LOW and rows < layout.height):
        return layout, offsets, lengths
    planes, down, parts = layout.samples if layout.separate else 1, -(-layout.height // _LOW), -(-rows // _LOW)
    steps = np.arange(parts) * (_LOW * layout.row_bytes)
    starts = np.where(offsets[:, None] > 0, offsets[:, None].astype(np.int64) + steps, 0)
    left = np.clip(lengths[:, None].astype(np.int64) - steps, 1, _LOW * layout.row_bytes)  # a cut one is no gap
    left = np.where(lengths[:, None] > 0, left, 0)
    kept = (array.reshape(planes, -1)[:, :down].ravel() for array in (starts, left))
    return replace(layout, tile=(_LOW, layout.width)), *kept


def _put(values: np.ndarray, top: int, place: tuple[slice, slice, slice], segment: np.ndarray) -> None:
    """Copy what a segment, which belongs at `place`, shows of the rows that begin at `top`."""
    rows, columns, bands = place
    first, last = max(rows.start, top), min(rows.stop, top + len(values))
    values[first - top : last - top, columns, bands] = segment[
        first - rows.start : last - rows.start, : columns.stop - columns.start
    ]


def has_gaps(directory: Directory) -> bool:
    """Whether a file leaves out segments of a picture, as GDAL's sparse files do: their offset or length is 0."""
    offsets, lengths = _lists(directory, MOST_SEGMENTS)
    return not offsets.all() or bool(lengths.any() and not lengths.all())


def _lots(
    layout: Layout, offsets: np.ndarray, lengths: np.ndarray, top: int, bottom: int
) -> Iterator[list[tuple[tuple[slice, slice, slice], int, int]]]:
    """Segments of these rows, of one height, that are decoded together: where each belongs, its offset and length."""
    most = max(1, _LOT // (layout.tile[0] * layout.row_bytes))
    lot: list[tuple[tuple[slice, slice, slice], int, int]] = []
    for number, place in layout.places(top, bottom):
        offset, length = offsets[number], lengths[number]
        if not offset or not length:
            continue
        if lot and (len(lot) == most or _height(layout, place) != _height(layout, lot[0][0])):
            yield lot
            lot = []
        lot.append((place, int(offset), int(length)))
    if lot:
        yield lot


def _height(layout: Layout, place: tuple[slice, slice, slice]) -> int:
    """The rows of the segment that belongs there: a strip ends with the picture, a tile does not."""
    return layout.tile[0] if layout.tiled else place[0].stop - place[0].start


def _held(value: float, dtype: np.dtype) -> float:
    """The value if numbers of this type can be it, else 0."""
    if dtype.kind == "f":
        return value
    limits = np.iinfo(dtype)
    return int(value) if float(value).is_integer() and limits.min <= value <= limits.max else 0


def _places(directory: Directory, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """The offset and the length of each segment in the file."""
    count = layout.segments
    offsets, lengths = _lists(directory, count)
    if not lengths.any() and offsets.all():  # old writers do not count
        counted = layout.compression == tiff_codecs.NONE or count == 1
        lengths = np.full(count if counted else 0, directory.size)
    if len(offsets) != count or len(lengths) != count:
        raise ValueError(f"it lists only {min(len(offsets), len(lengths))} of the {count} parts of its pixels")
    return offsets, lengths


def _lists(directory: Directory, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The offsets and the lengths that the tags list."""
    tiles = TILE_OFFSETS in directory
    offsets = directory.numbers(TILE_OFFSETS if tiles else STRIP_OFFSETS, most)
    return offsets, directory.numbers(TILE_LENGTHS if tiles else STRIP_LENGTHS, most)


def _read(directory: Directory, layout: Layout, rows: int, offset: int, length: int) -> bytes:
    """The bytes of a segment in the file, with the highest bit of each first."""
    if not 0 < offset < directory.size:
        raise ValueError("some of its pixels are not in the file")
    directory.file.seek(offset)
    data = directory.file.read(min(length, directory.size - offset, tiff_codecs.most_bytes(layout, rows)))
    return data.translate(_REVERSED) if layout.reversed_bits else data


def _segment(content: tiff_codecs.Content, directory: Directory, layout: Layout, rows: int) -> np.ndarray:
    """The values (rows, width, bands) of a decompressed segment, in the machine's byte order."""
    if isinstance(content, np.ndarray):
        return content
    shape = (rows, layout.tile[1], layout.together)
    if layout.predictor == _FLOATING_POINT and layout.dtype.kind == "f":
        return _summed_bytes(content, layout.dtype, shape)
    values = _unpacked(content, directory, layout, shape)
    if layout.predictor == _HORIZONTAL:
        return _summed(values, layout)
    if layout.predictor not in (0, 1):
        raise ValueError(f"segcli does not read predictor {layout.predictor} with {layout.dtype} values")
    return values


def _unpacked(
    content: bytes | memoryview, directory: Directory, layout: Layout, shape: tuple[int, int, int]
) -> np.ndarray:
    """The values of uncompressed bytes."""
    if layout.bits == 8 * layout.dtype.itemsize:
        stored = np.frombuffer(content, layout.dtype.newbyteorder(directory.order), int(np.prod(shape)))
        return stored.reshape(shape).astype(layout.dtype, copy=False)
    packed = np.frombuffer(content, np.uint8, shape[0] * layout.row_bytes).reshape(shape[0], layout.row_bytes)
    values = np.empty((shape[0], shape[1] * shape[2]), layout.dtype)
    deep = max(1, _AT_ONCE // values.shape[1])
    for top in range(0, shape[0], deep):
        for left in range(0, values.shape[1], _AT_ONCE):
            part = values[top : top + deep, left : left + _AT_ONCE]
            part[:] = _wide(packed[top : top + deep, left * layout.bits // 8 :], layout.bits, part.shape[1])
    return values.reshape(shape)


def _wide(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The first `count` values of each row of packed bits, the highest bit first, uint32 (rows, count)."""
    packed = np.pad(packed[:, : (count * bits + 7) // 8], ((0, 0), (0, 2))).astype(np.uint32)
    start = np.arange(count) * bits
    place, skipped = start >> 3, (start & 7).astype(np.uint32)
    three = (packed[:, place] << 16) | (packed[:, place + 1] << 8) | packed[:, place + 2]
    return (three >> (24 - bits - skipped)) & np.uint32(2**bits - 1)


def _summed(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Values of differences to the left neighbour; of real numbers the differences are those of their bits."""
    if layout.bits != 8 * layout.dtype.itemsize:
        raise ValueError(f"segcli does not read a predictor with values of {layout.bits} bits")
    whole = values.view(f"u{layout.dtype.itemsize}")
    return np.add.accumulate(whole, axis=1, dtype=whole.dtype).view(layout.dtype)


def _summed_bytes(content: bytes | memoryview, dtype: np.dtype, shape: tuple[int, int, int]) -> np.ndarray:
    """Real numbers whose bytes, the highest of a whole row first, are differences (Adobe's technical note 3)."""
    rows, width, bands = shape
    stored = np.frombuffer(content, np.uint8, rows * width * bands * dtype.itemsize)
    planes = np.add.accumulate(stored.reshape(rows, -1, bands), axis=1, dtype=np.uint8)
    numbers = planes.reshape(rows, dtype.itemsize, width * bands).transpose(0, 2, 1)
    return np.ascontiguousarray(numbers).view(dtype.newbyteorder(">")).reshape(shape).astype(dtype)
