"""Layout: how the pixels of a TIFF's picture lie in the file, as its tags say and as far as they agree."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segcli.images.decoders.tiff.directory import Directory
from segcli.images.opening import NotReadError

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, DESCRIPTION = 254, 256, 257, 258, 259, 262, 266, 270
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_ROWS, STRIP_LENGTHS = 273, 274, 277, 278, 279
LEAST_VALUE, LARGEST_VALUE, PLANAR, PREDICTOR, COLOR_MAP = 280, 281, 284, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_LENGTHS, SUB_IFDS = 322, 323, 324, 325, 330
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT = 332, 338, 339
JPEG_TABLES, CHROMA_STEPS, DEPTH, PROFILE = 347, 530, 32997, 34675
GDAL_METADATA, NO_DATA, DNG_VERSION = 42112, 42113, 50706
WHITE_IS_0, BLACK_IS_0, RGB_COLOURS, PALETTE, HOLES, INKS, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
"""Values of the photometric interpretation whose samples are numbers, colours, indices of colours, or a mask."""
CMYK = 1
"""The ink set of cyan, magenta, yellow and black."""
COLOUR_BANDS = {RGB_COLOURS: 3, INKS: 4, YCBCR: 3, CIELAB: 3, ICCLAB: 3}
"""Photometric interpretation -> its number of bands, where it is not one."""
REDUCED, MASK = 1, 4
"""Bits of the subfile type: a smaller copy of a picture, and where a picture has data."""
MOST_SEGMENTS = 2**22
SPARE_BYTES = 2**28
"""What tiles that reach beyond the picture may decode to in any case."""
UNSIGNED = 1
_SIGNED, _REAL, _UNTYPED = 2, 3, 4
_KINDS = {UNSIGNED: "integers", _SIGNED: "signed integers", _REAL: "real numbers", 5: "complex integers"}


@dataclass(frozen=True)
class Layout:
    """How the values of a picture lie in its file, in segments: strips of rows, or tiles.

    Attributes:
        width, height: The picture's, in pixels.
        samples: The number of bands.
        bits: The bits of a value in the file.
        dtype: Of the values in memory, in the machine's byte order.
        separate: Whether each band has segments of its own.
        tile: The height and width of a segment, pixels; the last strip may be lower.
        tiled: Whether segments are tiles, which are whole even where they reach beyond the picture.
        compression, predictor: As the tags number them.
        reversed_bits: Whether the lowest bit of each byte stands first.
        ycbcr: Whether the colours are YCbCr; those of JPEG are decoded to red, green and blue.
    """

    width: int
    height: int
    samples: int
    bits: int
    dtype: np.dtype
    separate: bool
    tile: tuple[int, int]
    tiled: bool
    compression: int
    predictor: int
    reversed_bits: bool
    ycbcr: bool = False

    @property
    def together(self) -> int:
        """The number of bands that a segment holds."""
        return 1 if self.separate else self.samples

    @property
    def grid(self) -> tuple[int, int]:
        """The number of segments of a plane, down and across."""
        return -(-self.height // self.tile[0]), -(-self.width // self.tile[1])

    @property
    def segments(self) -> int:
        """The number of segments."""
        down, across = self.grid
        return down * across * (self.samples if self.separate else 1)

    @property
    def row_bytes(self) -> int:
        """The bytes of a row of a segment."""
        return (self.tile[1] * self.together * self.bits + 7) // 8

    @property
    def nbytes(self) -> int:
        """The bytes of all values in memory."""
        return self.width * self.height * self.samples * self.dtype.itemsize

    def places(self, top: int, bottom: int) -> Iterator[tuple[int, tuple[slice, slice, slice]]]:
        """The number of each segment of these rows, in the file's order, and where it belongs: rows, columns, bands."""
        down, across = self.grid
        rows, columns = self.tile
        for plane in range(self.samples if self.separate else 1):
            bands = slice(plane, plane + self.together)
            for row in range(top // rows, min(down, -(-bottom // rows))):
                high = slice(row * rows, min((row + 1) * rows, self.height))
                for column in range(across):
                    wide = slice(column * columns, min((column + 1) * columns, self.width))
                    yield (plane * down + row) * across + column, (high, wide, bands)


def size_of(directory: Directory) -> tuple[int, int]:
    """The width and height of a picture; ValueError where it has none."""
    width, height = directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    if width <= 0 or height <= 0:
        raise ValueError("it has no size")
    return width, height


def samples_of(directory: Directory) -> int:
    """The number of bands; ValueError where it cannot be."""
    samples = directory.number(SAMPLES, 1)
    if not 1 <= samples <= 65_535:
        raise ValueError(f"it cannot have {samples} bands")
    return samples


def photometric_of(directory: Directory) -> int:
    """The photometric interpretation: what the samples are."""
    return directory.number(PHOTOMETRIC, WHITE_IS_0)


def orientation_of(directory: Directory) -> int:
    """The orientation, 1..8, by which a picture is to be turned upright; 1 where the file states none that exists."""
    turn = directory.number(ORIENTATION, 1)
    return turn if 1 <= turn <= 8 else 1


def layout_of(directory: Directory) -> Layout:
    """The layout that a directory states; ValueError where its tags contradict each other or mean nothing known."""
    width, height = size_of(directory)
    samples = samples_of(directory)
    if directory.number(DEPTH, 1) > 1:
        raise NotReadError("a volume", "Save each of its slices as a page.")
    bits, dtype = _type(directory, samples)
    tiled, tile = _tile(directory, width, height)
    layout = Layout(
        *(width, height, samples, bits, dtype, samples > 1 and directory.number(PLANAR, 1) == 2, tile, tiled),
        *(directory.number(COMPRESSION, 1), directory.number(PREDICTOR, 1), directory.number(FILL_ORDER, 1) == 2),
        ycbcr=photometric_of(directory) == YCBCR,
    )
    decoded = layout.segments * layout.tile[0] * layout.row_bytes
    if layout.segments > MOST_SEGMENTS or decoded > max(SPARE_BYTES, 4 * layout.nbytes):
        raise ValueError(
            f"{layout.segments} parts of {tile[1]} x {tile[0]} pixels are too many for a picture of its size"
        )
    return layout


def bits_of(directory: Directory) -> int:
    """The bits of each value; ValueError where bands differ in it."""
    return _same(directory, BITS, 1)


def format_of(directory: Directory) -> int:
    """The sample format: 1 unsigned, 2 signed, 3 real; ValueError where bands differ in it."""
    stated = _same(directory, SAMPLE_FORMAT, UNSIGNED)
    return UNSIGNED if stated == _UNTYPED else stated


def _same(directory: Directory, tag: int, default: int) -> int:
    """The one value that a tag has for all bands."""
    values = directory.numbers(tag, samples_of(directory))
    if values.size and (values != values[0]).any():
        raise NotReadError("bands of different types", "Save it with one type for all bands.")
    return int(values[0]) if values.size else default


def _type(directory: Directory, samples: int) -> tuple[int, np.dtype]:
    """The bits of a value in the file, and its type in memory."""
    bits, kind = bits_of(directory), format_of(directory)
    if kind == UNSIGNED and (1 <= bits <= 16 or bits in (32, 64)):
        return bits, np.dtype(f"u{max(1, 1 << (bits - 1).bit_length() >> 3)}")
    if kind == _SIGNED and bits in (8, 16, 32, 64):
        return bits, np.dtype(f"i{bits // 8}")
    if kind == _REAL and bits in (16, 32, 64):
        return bits, np.dtype(f"f{bits // 8}")
    what = f"{_KINDS.get(kind, 'complex numbers')} of {bits} bits"
    raise NotReadError(what, "Save it with whole numbers of 8 or 16 bits, or with floating-point numbers of 32 bits.")


def _tile(directory: Directory, width: int, height: int) -> tuple[bool, tuple[int, int]]:
    """Whether there are tiles, and the height and width of a segment."""
    if TILE_WIDTH not in directory and TILE_OFFSETS not in directory:
        rows = directory.number(STRIP_ROWS, height)
        return False, (min(rows, height) if rows > 0 else height, width)
    tile = directory.number(TILE_HEIGHT, 0), directory.number(TILE_WIDTH, 0)
    if min(tile) <= 0:
        raise ValueError("its tiles have no size")
    return True, tile
