"""Resizing of photos: bilinear and antialiased, in whole numbers, with the very bytes that torch gives.

Torch (`interpolate(mode="bilinear", antialias=True)` of uint8, which torchvision's `resize` calls) does as Pillow does:
a triangle filter as wide as what a new pixel covers, along the rows and then along the columns, its weights rounded to
16 bits. Sums of whole numbers do not depend on their order, so that a product of matrices computes them here.
"""

import sys
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from segcli import processor

WEIGHT_BITS = 15
"""Weights are below 2 ** 15: with their sign they fill 16 bits."""
MOST_PRECISION = 22
"""Torch's bound for the bits behind the point, which weights that are small everywhere would exceed."""
EXACT = 2**24
"""Whole numbers up to here are exact in float32."""
MIDDLE = 128
"""What is taken from every byte before it is weighed: sums are half as large then, and exact in float32 for one size
of photo more. Those beyond EXACT, by a few units, are of pixels that are black in any case."""
BLOCK = 16
"""New pixels whose weights make one matrix: most of a larger one would be zeros."""
BAND = 2**20
"""Bytes of a photo that are resized at a time: their floats fit the caches."""


def resize(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photo, uint8 (H, W, 3), at another (height, width), uint8; the photo itself where that is its own.

    Torch does it where it is imported already, since it takes a part of numpy's time, and on an x86 processor without
    AVX2: there it computes in float32, which gives other bytes.
    """
    if photo.shape[:2] == size:
        return photo
    if "torch" in sys.modules or not processor.has_integer_resize():
        return by_torch(photo, size)
    return in_whole_numbers(photo, size)


def in_whole_numbers(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What `resize` gives, by numpy: the bytes that torch gives on a processor where it computes in whole numbers."""
    height, width = photo.shape[:2]
    result = photo if width == size[1] else _rows_resized(photo, size[1])
    return result if height == size[0] else _columns_resized(result, size[0])


def by_torch(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What `resize` gives, by torch; where it cannot in whole numbers cast, resized and rounded, as by torchvision."""
    import torch

    whole = processor.has_integer_resize()
    values = torch.from_numpy(np.require(photo, requirements="CW")).permute(2, 0, 1)[None]  # (1, 3, H, W)
    values = values if whole else values.float()
    resized = torch.nn.functional.interpolate(values, size, mode="bilinear", align_corners=False, antialias=True)
    resized = resized if whole else resized.round_().to(torch.uint8)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


@dataclass(frozen=True)
class Block:
    """The weights of a few neighbouring new pixels along one axis.

    Attributes:
        new: Their places.
        old: The places of the pixels that they are made of.
        weights: (new pixels, old pixels), whole numbers in the dtype in which their sums are exact.
    """

    new: slice
    old: slice
    weights: np.ndarray


@dataclass(frozen=True)
class Filter:
    """The weights of all new pixels along one axis.

    Attributes:
        blocks: A few pixels each.
        unit: What the weights of a pixel add up to, a power of two, but for their own rounding.
        rest: (new pixels,) What is added to their sums: half a unit, so that what is below a unit can be dropped, and
            what MIDDLE times the rounding of their weights comes to.
    """

    blocks: tuple[Block, ...]
    unit: int
    rest: np.ndarray

    @property
    def dtype(self) -> np.dtype:
        """The dtype in which sums of weighted bytes are exact."""
        return self.blocks[0].weights.dtype

    def rounded(self, sums: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Sums of weighted bytes less MIDDLE as bytes, in place as far as that goes; `rest` is that of their pixels."""
        sums += rest
        sums *= 1 / self.unit
        np.floor(sums, out=sums)  # before MIDDLE is added: behind it there is no room for all bits below the point
        sums += MIDDLE
        return np.clip(sums, 0, 255, out=sums).astype(np.uint8)


@lru_cache(maxsize=16)
def filter_of(old: int, new: int) -> Filter:
    """The Filter from `old` to `new` pixels along one axis."""
    first, count, weights = _triangles(old, new)
    precision = _precision(weights.max())
    whole = np.floor(weights * (1 << precision) + 0.5)
    unit = 1 << precision
    dtype = np.float32 if MIDDLE * unit <= EXACT else np.float64
    blocks = [_block(first, count, whole, start, min(start + BLOCK, new), dtype) for start in range(0, new, BLOCK)]
    rest = MIDDLE * (whole.sum(1) - unit) + unit // 2
    return Filter(tuple(blocks), unit, rest.astype(dtype))


def _triangles(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first old pixel (new,) of each new one, how many it takes (new,), and their weights (new, most)."""
    scale = old / new
    reach = max(scale, 1.0)  # half the triangle's base: a photo that grows is interpolated between two pixels
    centre = scale * (np.arange(new) + 0.5)
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + reach + 0.5).astype(np.int64), old) - first
    place = np.arange(count.max())
    weights = 1 - np.abs((place + first[:, None] - centre[:, None] + 0.5) * (1 / reach))
    weights = np.where(place < count[:, None], np.maximum(weights, 0), 0)
    return first, count, weights / _sums(weights)[:, None]


def _sums(weights: np.ndarray) -> np.ndarray:
    """The sums of rows, added from left to right as torch does: another order may end in another bit."""
    return np.cumsum(weights, axis=1)[:, -1]


def _precision(largest: float) -> int:
    """The bits behind the point: as many as let the largest weight, a share of 1, stay below 2 ** WEIGHT_BITS."""
    bits = range(MOST_PRECISION)
    return next((n for n in bits if int(0.5 + largest * (1 << (n + 1))) >= 1 << WEIGHT_BITS), MOST_PRECISION)


def _block(first: np.ndarray, count: np.ndarray, whole: np.ndarray, start: int, stop: int, dtype: type) -> Block:
    """The Block of the new pixels start..stop."""
    begin, end = int(first[start:stop].min()), int((first + count)[start:stop].max())
    weights = np.zeros((stop - start, end - begin), dtype)
    for row in range(start, stop):
        at = first[row] - begin
        weights[row - start, at : at + count[row]] = whole[row, : count[row]]
    return Block(slice(start, stop), slice(begin, end), weights)


def _rows_resized(photo: np.ndarray, width: int) -> np.ndarray:
    """A photo (H, W, 3) with rows of another width, each colour by itself."""
    along = filter_of(photo.shape[1], width)
    result = np.empty((len(photo), width, 3), np.uint8)
    step = max(1, BAND // (3 * photo.shape[1]))
    for start in range(0, len(photo), step):
        band = _centred(photo[start : start + step].transpose(2, 0, 1), along.dtype)  # (3, step, W)
        sums = np.empty((*band.shape[:2], width), along.dtype)
        for block in along.blocks:
            np.matmul(band[:, :, block.old], block.weights.T, out=sums[:, :, block.new])
        result[start : start + step] = along.rounded(sums, along.rest).transpose(1, 2, 0)
    return result


def _columns_resized(photo: np.ndarray, height: int) -> np.ndarray:
    """A photo (H, W, 3) with columns of another height."""
    along = filter_of(photo.shape[0], height)
    rows = np.ascontiguousarray(photo).reshape(len(photo), -1)
    result = np.empty((height, rows.shape[1]), np.uint8)
    for block in along.blocks:
        sums = block.weights @ _centred(rows[block.old], along.dtype)
        result[block.new] = along.rounded(sums, along.rest[block.new, None])
    return result.reshape(height, photo.shape[1], 3)


def _centred(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bytes less MIDDLE, as numbers of a dtype, in a block of memory of their own."""
    centred = np.empty(values.shape, dtype)
    centred[...] = values
    centred -= MIDDLE
    return centred
