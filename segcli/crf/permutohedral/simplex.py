"""Simplex: where points lie in the permutohedral lattice, the corners around each as keys, and the corners' weights.

The float32 steps are those of Krähenbühl's densecrf, so that every point falls into the same simplex there and here.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from segcli.errors import InputError

_MARGIN = 3
"""How far, in packed coordinates, a corner or its neighbour can lie from its point."""


class Packing(NamedTuple):
    """How a corner becomes one integer, its key.

    Attributes:
        axes: What a step along each of the d + 1 axes adds to a key.
        offset: What makes every key, and every neighbour's key, positive and unique.
        dtype: The smaller integer type that holds them, since 32 bits sort in half the time of 64.
    """

    axes: list[int]
    offset: int
    dtype: torch.dtype


def _scales(dimensions: int) -> list[float]:
    """The diagonal of Adams's matrix E times the blur's standard deviation, rounded as densecrf rounds it."""
    deviation = _float32(math.sqrt(2 / 3) * (dimensions + 1))
    return [_float32(1 / math.sqrt((i + 1) * (i + 2)) * deviation) for i in range(dimensions)]


def largest_coordinate(extents: list[float]) -> float:
    """The largest lattice coordinate, in size, of points with features in 0..extents (in standard deviations)."""
    scaled = [extent * scale for extent, scale in zip(extents, _scales(len(extents)), strict=True)]
    return max(sum(scaled), *(i * value for i, value in enumerate(scaled, 1)))


def _float32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float32).item()


def packing(features: Tensor) -> Packing:
    """The Packing for the corners of points, float32 (d, n).

    Raises:
        InputError: 62 bits cannot hold the keys of these features.
    """
    dimensions = len(features)
    low, high = (bound.tolist() for bound in features.aminmax(dim=1))
    scales = _scales(dimensions)
    lows, sizes = [], []
    for i in range(dimensions):
        # The i-th coordinate of a point: ((i + 2) scaled feature i - i scaled feature i - 1) / (d + 1).
        ahead, behind = (i + 2) * scales[i] / (dimensions + 1), i * scales[i - 1] / (dimensions + 1)
        least = math.floor(ahead * low[i] - behind * high[i - 1]) - _MARGIN
        most = math.ceil(ahead * high[i] - behind * low[i - 1]) + _MARGIN
        lows.append(least)
        sizes.append(most - least + 1)
    if math.prod(sizes) >= 1 << 62 or max(sizes) > 1 << 20:
        raise InputError("the CRF's sigmas are too small for a photo of this size", "Raise the smallest sigma.")
    strides = [math.prod(sizes[i + 1 :]) for i in range(dimensions)]
    axes = [after - before for after, before in zip([*strides, 0], [0, *strides], strict=True)]
    offset = -sum(least * stride for least, stride in zip(lows, strides, strict=True))
    return Packing(axes, offset, torch.int32 if math.prod(sizes) < 1 << 31 else torch.int64)


def embed(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the simplex around each point.

    Args:
        features: Points as float32 (d, n).

    Returns:
        The simplex's first corner in units of d + 1, float32 whole numbers (d + 1, n); the rank of each coordinate's
        remainder, 0 for the largest, int64 (d + 1, n); the barycentric weights of its corners, float32 (n, d + 1).
    """
    elevated = elevate(features)
    width = len(elevated)
    inverse = _float32(1 / width)
    cells = (elevated * inverse).round_()
    ranks = _ranks(elevated - cells * width)
    # Rounding can leave the lattice's plane: bring the point back as many steps as the cells do not sum to zero.
    ranks += cells.sum(0).to(ranks.dtype)
    wrap = (ranks < 0).to(ranks.dtype) - (ranks >= width).to(ranks.dtype)
    ranks = (ranks + wrap * width).long()
    cells += wrap
    remainders = (elevated - cells * width) * inverse
    ordered = torch.empty_like(remainders).scatter_(0, ranks, remainders)
    weights = ordered.flip(0)
    weights[1:] -= ordered.flip(0)[:-1]
    weights[0] += 1 - ordered[0]
    return cells, ranks, weights.t().contiguous()


def elevate(features: Tensor) -> Tensor:
    """Points (d, n) in the hyperplane of d + 1 coordinates that sum to zero (Adams et al., page 5)."""
    elevated = features.new_empty(len(features) + 1, features.shape[1])
    tail = torch.zeros_like(features[0])
    for i, scale in reversed(list(enumerate(_scales(len(features)), 1))):
        scaled = features[i - 1] * scale
        elevated[i] = tail - scaled * i
        tail = tail + scaled
    elevated[0] = tail
    return elevated


def _ranks(remainders: Tensor) -> Tensor:
    """How many other coordinates of a point have a larger remainder, int8 (d + 1, n); of equals the later wins."""
    ranks = torch.zeros_like(remainders, dtype=torch.int8)
    for i in range(len(remainders)):
        for j in range(i + 1, len(remainders)):
            smaller = remainders[i] < remainders[j]
            ranks[i] += smaller
            ranks[j] += ~smaller
    return ranks
