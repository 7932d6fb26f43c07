"""The permutohedral lattice: Gaussian filtering in many dimensions (Adams, Baek and Davis 2010).

Points are embedded so that one standard deviation is one edge of the lattice. Each point hands its values to the d + 1
corners of the simplex around it (splat), corners exchange with their neighbours along d + 1 axes (blur), and each point
collects from its corners again (slice). Embedding repeats the float32 steps of Krähenbühl's densecrf, so that every
point falls into the same simplex there and here.

The data structure is another one. A corner k is known by the integers (k_i - k_(i+1)) / (d + 1), packed into one int64
key. One sort of the keys finds the distinct corners and, for each, its points as a row of a sparse matrix. The
lattice's axes are a_i = (d + 1) e_i - (1, ..., 1): in packed form each is one number, which leads from any key to its
neighbour's. Splat, blur and slice are sums of gathered rows, which `embedding_bag` adds up in a fixed order, so that
results repeat bit for bit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from segcli.errors import UsageError

BLOCK = 1 << 20
"""Points that are embedded and sorted together. A lattice of more keeps only what it cannot work out again."""


_MARGIN = 3
"""How far, in packed coordinates, a corner or its neighbour can lie from its point."""


class Lattice:
    """A Gaussian filter of standard deviation 1 over N points, symmetrically normalised.

    Filtering multiplies by D^-1/2 K D^-1/2, K being the Gaussian kernel matrix (a point's own weight included) and D
    its row sums: densecrf's NORMALIZE_SYMMETRIC.

    Args:
        features: Points as float32 (d, N), in standard deviations.

    Raises:
        UsageError: The points spread over more of the lattice than keys can tell apart.
    """

    def __init__(self, features: Tensor):
        self._axes, offset = _packing(features)
        self._points = features.shape[1]
        parts = [_sorted_corners(part, self._axes, offset) for part in features.split(BLOCK, dim=1)]
        keys = parts[0].keys if len(parts) == 1 else torch.cat([part.keys for part in parts]).unique()
        self._neighbours = _neighbours(keys, self._axes)
        self._blocks = [_Block(part, keys, keep=len(parts) == 1) for part in parts]
        self._normalise()

    def _normalise(self) -> None:
        ones = torch.ones(self._points, 1, device=self._neighbours.device)
        blurred = self._blur(self._splat(ones))
        for block in self._blocks:
            block.scale((block.slice(blurred).squeeze(1) + 1e-20).rsqrt_())

    def filter(self, values: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Filters values, block by block.

        Args:
            values: float32 (N, C), contiguous.

        Yields:
            Which points, and their filtered values, float32 (points, C).
        """
        blurred = self._blur(self._splat(values))
        start = 0
        for block in self._blocks:
            stop = start + block.points
            yield slice(start, stop), block.slice(blurred)
            start = stop

    def _splat(self, values: Tensor) -> Tensor:
        """Values (N, C) gathered at the corners, (M + 1, C); the last row is zero and stands for no corner."""
        if len(self._blocks) == 1:
            return self._blocks[0].splat(values)
        corners = values.new_zeros(self._neighbours.shape[1], values.shape[1])
        for block, part in zip(self._blocks, values.split(BLOCK), strict=True):
            corners[block.corners] += block.splat(part)[:-1]
        return corners

    def _blur(self, corners: Tensor) -> Tensor:
        for pair in self._neighbours:
            around = embedding_bag(pair, corners, mode="sum")
            corners = torch.add(corners, around, alpha=0.5, out=around)
        return corners


@dataclass
class _SortedCorners:
    """The corners of one block's points.

    Attributes:
        keys: The distinct corners, int64 (U,), ascending.
        starts: Where each corner's entries start in `order`, int32 (U + 2,), with an empty corner at the end.
        order: point * (d + 1) + corner, int32 (n (d + 1),), sorted by key.
        weights: Barycentric weights, float32 (n, d + 1).
    """

    keys: Tensor
    starts: Tensor
    order: Tensor
    weights: Tensor


class _Block:
    """Up to BLOCK points and the sparse matrix between them and the lattice's corners."""

    def __init__(self, part: _SortedCorners, keys: Tensor, keep: bool):
        self.points, self._width = part.weights.shape
        self._starts, self._order, self._weights = part.starts, part.order, part.weights
        self.corners = torch.searchsorted(keys, part.keys, out_int32=True)
        self._keep = keep
        self._splat_table = self._slice_table = None

    def scale(self, factors: Tensor) -> None:
        """Multiplies each point's weights by its factor, (n,)."""
        self._weights *= factors[:, None]
        self._splat_table = None

    def splat(self, values: Tensor) -> Tensor:
        """Values (n, C) summed at this block's corners, (U + 1, C); the last row is zero."""
        table = self._splat_table or (self._order // self._width, self._weights.view(-1)[self._order])
        if self._keep:
            self._splat_table = table
        points, weights = table
        return embedding_bag(
            points, values, self._starts, mode="sum", per_sample_weights=weights, include_last_offset=True
        )

    def slice(self, corners: Tensor) -> Tensor:
        """The lattice's values (M + 1, C) interpolated at this block's points, (n, C)."""
        table = self._slice_table
        if table is None:
            entries = self.corners.repeat_interleave(self._starts[:-1].diff())
            table = torch.empty_like(entries).scatter_(0, self._order.long(), entries).view_as(self._weights)
        if self._keep:
            self._slice_table = table
        return embedding_bag(table, corners, mode="sum", per_sample_weights=self._weights)


def _neighbours(keys: Tensor, axes: list[int]) -> Tensor:
    """Both neighbours of each corner along each axis, int32 (d + 1, M + 1, 2); M where there is none."""
    count = len(keys)
    none = torch.tensor(count, dtype=torch.int32, device=keys.device)
    neighbours = none.repeat(len(axes), count + 1, 2)
    for pair, axis in zip(neighbours, axes, strict=True):
        wanted = keys + axis
        found = torch.searchsorted(keys, wanted, out_int32=True).clamp_(max=count - 1)
        forward = torch.where(keys[found] == wanted, found, none)
        pair[:-1, 0] = forward
        pair[:, 1][forward] = torch.arange(count, dtype=torch.int32, device=keys.device)
        pair[-1] = none
    return neighbours


def _scales(dimensions: int) -> list[float]:
    """The diagonal of Adams's matrix E times the blur's standard deviation, rounded as densecrf rounds it."""
    deviation = _float32(math.sqrt(2 / 3) * (dimensions + 1))
    return [_float32(1 / math.sqrt((i + 1) * (i + 2)) * deviation) for i in range(dimensions)]


def _float32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float32).item()


def _packing(features: Tensor) -> tuple[list[int], int]:
    """What each axis adds to a key, and what makes every key and every neighbour's key positive and unique."""
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
        raise UsageError("the CRF's sigmas are too small for a photo of this size", "Raise the smallest sigma.")
    strides = [math.prod(sizes[i + 1 :]) for i in range(dimensions)]
    axes = [after - before for after, before in zip([*strides, 0], [0, *strides], strict=True)]
    return axes, -sum(least * stride for least, stride in zip(lows, strides, strict=True))


def _sorted_corners(features: Tensor, axes: list[int], offset: int) -> _SortedCorners:
    cells, ranks, weights = _embed(features)
    dimensions, points = features.shape
    steps = torch.tensor(axes, device=features.device)[:, None]
    key = (cells.long() * steps).sum(0) + offset
    # From a corner to the next: against the axis whose remainder is the smallest of those not walked yet.
    walk = torch.empty_like(ranks).scatter_(0, ranks, steps.expand_as(ranks))
    keys = torch.empty(points, dimensions + 1, dtype=torch.int64, device=features.device)
    for corner in range(dimensions + 1):
        keys[:, corner] = key
        key -= walk[dimensions - corner]
    keys, order = keys.view(-1).sort(stable=True)
    keys, counts = keys.unique_consecutive(return_counts=True)
    starts = torch.zeros(len(keys) + 2, dtype=torch.int32, device=features.device)
    torch.cumsum(counts, 0, dtype=torch.int32, out=starts[1:-1])
    starts[-1] = starts[-2]
    return _SortedCorners(keys, starts, order.int(), weights)


def _embed(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each point's simplex.

    Args:
        features: float32 (d, n).

    Returns:
        The simplex's first corner in units of d + 1, float32 whole numbers (d + 1, n); the rank of each coordinate's
        remainder, 0 for the largest, int64 (d + 1, n); the barycentric weights of its corners, float32 (n, d + 1).
    """
    elevated = _elevate(features)
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


def _elevate(features: Tensor) -> Tensor:
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
