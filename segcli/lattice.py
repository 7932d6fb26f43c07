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
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from segcli.errors import UsageError

BLOCK = 1 << 20
"""A lattice of more points keeps only what it cannot work out again."""

_PART = 1 << 18
"""Points of such a large lattice that are embedded and sorted together, which takes some 400 bytes for each."""

_PIECE = 1 << 16
"""Rows that are gathered at once: results this small stay in the cache and in memory that is handed out again."""

_MARGIN = 3
"""How far, in packed coordinates, a corner or its neighbour can lie from its point."""


class Workspace:
    """Memory that filters use in turn; asking the system for fresh pages every time would double their cost."""

    def __init__(self) -> None:
        self._buffers: dict[int, Tensor] = {}

    def take(self, slot: int, like: Tensor, *shape: int) -> Tensor:
        """A tensor of that shape, of unknown content, on the device and of the type of `like`.

        What was taken from the same slot before must not be in use any more.
        """
        size = math.prod(shape)
        if slot not in self._buffers or self._buffers[slot].numel() < size:
            self._buffers[slot] = like.new_empty(size)
        return self._buffers[slot][:size].view(shape)


class Lattice:
    """A Gaussian filter of standard deviation 1 over N points, symmetrically normalised.

    Filtering multiplies by D^-1/2 K D^-1/2, K being the matrix of Gaussian weights (a point's own included) and D its
    row sums: densecrf's NORMALIZE_SYMMETRIC, which cancels densecrf's constant factor on K.

    Args:
        features: Points as float32 (d, N), in standard deviations.

    Raises:
        UsageError: The points spread over more of the lattice than keys can tell apart.
    """

    def __init__(self, features: Tensor):
        points = features.shape[1]
        if points % 4:
            # densecrf embeds four points at a time and fills the last four up with the origin, which thereby gets
            # corners that blurring passes through.
            features = torch.cat([features, torch.zeros_like(features[:, :1])], 1)
        self._alone = points <= BLOCK
        axes, offset = _packing(features)
        self._part = features.shape[1] if self._alone else _PART
        order = torch.empty(points * len(axes), dtype=torch.int32, device=features.device)
        weights = features.new_empty(points, len(axes))
        parts = []
        for number, part in enumerate(features.split(self._part, dim=1)):
            first = number * self._part
            corners = _sorted_corners(part, axes, offset)
            corners.drop_points_from(points - first)
            corners.move_to(order[first * len(axes) :], weights[first:])
            parts.append(corners)
        keys = parts[0].keys if self._alone else _merged([part.keys for part in parts])
        self._corners = len(keys)
        self._blocks = []
        while parts:
            self._blocks.append(_Block(parts.pop(0), None if self._alone else keys))
        if self._alone:
            self._links = [_neighbours(keys, axis) for axis in axes]
        else:
            flags = torch.zeros_like(keys, dtype=torch.int16)
            self._links = [_marks(keys, axis, flags, 1 << 2 * number) for number, axis in enumerate(axes)]
        del keys
        self._normalise(features.new_ones(points, 1))

    def _normalise(self, ones: Tensor) -> None:
        sums = torch.cat([row_sums.squeeze(1) for _, row_sums in self.filter(ones, Workspace())])
        for block, part in zip(self._blocks, sums.split(self._part), strict=True):
            block.scale((part + 1e-20).rsqrt_())

    def filter(self, values: Tensor, workspace: Workspace) -> Iterator[tuple[slice, Tensor]]:
        """Filters values, some points at a time.

        Args:
            values: float32 (N, C), contiguous.
            workspace: Memory to work in; its slots 0 and 1 are in use until the iterator ends.

        Yields:
            Which points, and their filtered values, float32 (points, C).
        """
        shape = self._corners + 1, values.shape[1]
        corners, spare = (workspace.take(slot, values, *shape) for slot in (0, 1))
        self._splat(values, corners)
        corners = self._blur(corners, spare)
        for number, block in enumerate(self._blocks):
            for points, result in block.slice(corners):
                first = number * self._part
                yield slice(first + points.start, first + points.stop), result

    def _splat(self, values: Tensor, corners: Tensor) -> None:
        """Sums values (N, C) at the corners, (M + 1, C); the last row is zero and stands for no corner."""
        corners[-1 if self._alone else slice(None)] = 0
        for block, part in zip(self._blocks, values.split(self._part), strict=True):
            for rows, sums in block.splat(part):
                corners[rows] = sums if self._alone else corners[rows] + sums

    def _blur(self, corners: Tensor, spare: Tensor) -> Tensor:
        blur = _blur_each if self._alone else _blur_pairs
        for links in self._links:
            blur(links, corners, spare)
            corners, spare = spare, corners
        return corners


@dataclass
class _SortedCorners:
    """The corners of one block's points.

    Attributes:
        keys: The distinct corners, int64 (U,), ascending.
        starts: Where each corner's entries start in `order`, and where the last ones end, int32 (U + 1,).
        order: point * (d + 1) + corner, int32 (n (d + 1),), sorted by key.
        weights: Barycentric weights, float32 (n, d + 1).
    """

    keys: Tensor
    starts: Tensor
    order: Tensor
    weights: Tensor

    def drop_points_from(self, count: int) -> None:
        """Forgets all points but the first `count`; their corners stay."""
        if count < len(self.weights):
            real = self.order < count * self.weights.shape[1]
            self.starts = torch.nn.functional.pad(real.cumsum(0, dtype=torch.int32), (1, 0))[self.starts]
            self.order, self.weights = self.order[real], self.weights[:count]

    def move_to(self, order: Tensor, weights: Tensor) -> None:
        """Keeps its lasting tables at the start of these, since many tensors of middling size would split up memory."""
        self.order = order[: len(self.order)].copy_(self.order)
        self.weights = weights[: len(self.weights)].copy_(self.weights)


class _Block:
    """Some of the points, and the sparse matrix between them and the lattice's corners.

    Args:
        part: The block's own corners.
        keys: All the lattice's corners; None when this block has them all, which keeps its tables ready.
    """

    def __init__(self, part: _SortedCorners, keys: Tensor | None):
        self._starts, self._order, self._weights = part.starts, part.order, part.weights
        self._corners = None if keys is None else torch.searchsorted(keys, part.keys, out_int32=True)
        self._cuts = [*part.starts[:-1:_PIECE].tolist(), len(part.order)]
        self._by_corner = self._by_point = None

    def scale(self, factors: Tensor) -> None:
        """Multiplies each point's weights by its factor, (n,)."""
        self._weights *= factors[:, None]
        self._by_corner = None

    def splat(self, values: Tensor) -> Iterator[tuple[slice | Tensor, Tensor]]:
        """Yields rows of the lattice, and the sums there, (rows, C), of this block's values (n, C)."""
        points, weights = self._by_corner or self._sort_by_corner()
        for number, (first, last) in enumerate(pairwise(self._cuts)):
            rows = slice(number * _PIECE, min((number + 1) * _PIECE, len(self._starts) - 1))
            starts = self._starts[rows.start : rows.stop + 1] - first
            yield (
                rows if self._corners is None else self._corners[rows],
                embedding_bag(
                    points[first:last],
                    values,
                    starts,
                    mode="sum",
                    per_sample_weights=weights[first:last],
                    include_last_offset=True,
                ),
            )

    def slice(self, corners: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yields some of the block's points, and the lattice's values (M + 1, C) interpolated there, (points, C)."""
        table = self._sort_by_point() if self._by_point is None else self._by_point
        for start in range(0, len(table), _PIECE):
            points = slice(start, min(start + _PIECE, len(table)))
            yield points, embedding_bag(table[points], corners, mode="sum", per_sample_weights=self._weights[points])

    def _sort_by_corner(self) -> tuple[Tensor, Tensor]:
        tables = self._order // self._weights.shape[1], self._weights.view(-1)[self._order]
        if self._corners is None:
            self._by_corner = tables
        return tables

    def _sort_by_point(self) -> Tensor:
        counts = self._starts.diff()
        rows = (
            torch.arange(len(counts), dtype=torch.int32, device=counts.device)
            if self._corners is None
            else self._corners
        )
        entries = rows.repeat_interleave(counts)
        table = torch.empty_like(entries).scatter_(0, self._order.long(), entries).view_as(self._weights)
        if self._corners is None:
            self._by_point = table
        return table


def _blur_each(neighbours: Tensor, corners: Tensor, result: Tensor) -> None:
    """Adds half of both neighbours along an axis, from `_neighbours`, to each corner."""
    for start in range(0, len(corners), _PIECE):
        rows = slice(start, start + _PIECE)
        around = embedding_bag(neighbours[rows], corners, mode="sum")
        torch.add(corners[rows], around, alpha=0.5, out=result[rows])


def _blur_pairs(marks: "_Marks", corners: Tensor, result: Tensor) -> None:
    """The same from `_Marks`."""
    result.copy_(corners)
    for start, (first, last) in zip(range(0, len(marks.flags), _PIECE), pairwise(marks.cuts), strict=True):
        behind = (marks.flags[start : start + _PIECE] & marks.has_next).nonzero().squeeze(1) + start
        ahead = (marks.flags[first:last] & marks.has_previous).nonzero().squeeze(1) + first
        # No corner stands twice in either list: nothing that is added gets lost.
        result[behind] = result[behind].add_(corners[ahead], alpha=0.5)
        result[ahead] = result[ahead].add_(corners[behind], alpha=0.5)


def _neighbours(keys: Tensor, axis: int) -> Tensor:
    """The next and the previous corner along an axis, int32 (M + 1, 2), of each corner and of none; M where none is."""
    table = torch.full((len(keys) + 1, 2), len(keys), dtype=torch.int32, device=keys.device)
    for behind, ahead in _pairs(keys, axis):
        table[behind, 0], table[ahead, 1] = ahead, behind
    return table


@dataclass(frozen=True)
class _Marks:
    """Neighbours along an axis in a small part of the memory of a table, since their order is that of the keys.

    Attributes:
        flags: int16 (M,), shared by all axes.
        has_next, has_previous: The bits that say which corners have a next and which a previous one: the k-th of the
            latter is the next corner of the k-th of the former.
        cuts: Where, for each `_PIECE` of corners, their next ones begin.
    """

    flags: Tensor
    has_next: int
    has_previous: int
    cuts: list[int]


def _marks(keys: Tensor, axis: int, flags: Tensor, bit: int) -> _Marks:
    """Sets two bits of the flags, `bit` and the one above."""
    for behind, ahead in _pairs(keys, axis):
        flags[behind] |= bit
        flags[ahead] |= 2 * bit
    cuts = [*torch.searchsorted(keys, keys[::_PIECE] + axis).tolist(), len(keys)]
    return _Marks(flags, bit, 2 * bit, cuts)


def _pairs(keys: Tensor, axis: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All neighbours along an axis, the corner and the next one, int32 (n,) each, some at a time."""
    for start in range(0, len(keys), BLOCK):
        wanted = keys[start : start + BLOCK] + axis
        found = torch.searchsorted(keys, wanted, out_int32=True).clamp_(max=len(keys) - 1)
        behind = (keys[found] == wanted).nonzero().squeeze(1)
        yield (behind + start).int(), found[behind]


def _merged(parts: list[Tensor]) -> Tensor:
    """The distinct keys of several ascending lists, ascending.

    Sorting all at once would take several times the memory of the keys: they are taken range by range.
    """
    samples = torch.cat([part[::_PIECE] for part in parts]).sort()[0]
    limits = samples[:: max(1, BLOCK // _PIECE)].contiguous()
    cuts = [[0, *torch.searchsorted(part, limits).tolist(), len(part)] for part in parts]
    merged = parts[0].new_empty(sum(map(len, parts)))
    size = 0
    for bounds in zip(*(pairwise(cut) for cut in cuts), strict=True):
        near = torch.cat([part[first:last] for part, (first, last) in zip(parts, bounds, strict=True)])
        near = near.sort()[0].unique_consecutive()
        merged[size : size + len(near)] = near
        size += len(near)
    return merged[:size]


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
    starts = torch.zeros(len(keys) + 1, dtype=torch.int32, device=features.device)
    torch.cumsum(counts, 0, dtype=torch.int32, out=starts[1:])
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
