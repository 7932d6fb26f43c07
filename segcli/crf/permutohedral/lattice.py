"""The permutohedral lattice: Gaussian filtering in many dimensions (Adams, Baek and Davis 2010).

Points are embedded so that one standard deviation is one edge of the lattice. Each point hands its values to the d + 1
corners of the simplex around it (splat), corners exchange with their neighbours along d + 1 axes (blur), and each point
collects from its corners again (slice). Embedding repeats the float32 steps of Krähenbühl's densecrf, so that every
point falls into the same simplex there and here.

The data structure is another one. A corner k is known by the integers (k_i - k_(i+1)) / (d + 1), packed into one
integer key. One sort of the keys finds the distinct corners and, for each, its points as a row of a sparse matrix. The
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

from segcli.crf.permutohedral.simplex import embed, packing

BLOCK = 1 << 20
"""A lattice of more points keeps only what it cannot work out again."""

_PART = 1 << 18
"""Points of such a large lattice that are embedded and sorted together, which takes some 400 bytes for each."""

_PIECE = 1 << 16
"""Rows that are gathered at once: results this small stay in the cache and in memory that is handed out again."""


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
        InputError: The points spread over more of the lattice than keys can tell apart.
    """

    def __init__(self, features: Tensor):
        points = features.shape[1]
        if points % 4:
            # densecrf embeds four points at a time and fills the last four up with the origin, which thereby gets
            # corners that blurring passes through.
            features = torch.cat([features, torch.zeros_like(features[:, :1])], 1)
        self._alone = points <= BLOCK
        axes, offset, keys_type = packing(features)
        self._part = features.shape[1] if self._alone else _PART
        store, parts = _Store(features, len(axes), keys_type), []
        for number, part in enumerate(features.split(self._part, dim=1)):
            corners = _sorted_corners(part, axes, offset, keys_type)
            corners.drop_points_from(points - number * self._part)
            parts.append(corners if self._alone else store.keep(corners))
        keys = parts[0].keys if self._alone else _merged([part.keys for part in parts])
        del store, corners
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
        keys: The distinct corners, int32 or int64 (U,), ascending.
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


class _Store:
    """One piece of memory for each table of all parts: many lasting tensors of middling size would leave gaps.

    Each is as large as it can ever be; what is not written takes no memory, as systems give out pages at first use.
    """

    def __init__(self, features: Tensor, corners: int, keys_type: torch.dtype):
        most = (features.shape[1] + 1) * corners
        self._tables = {
            "keys": torch.empty(most, dtype=keys_type, device=features.device),
            "starts": torch.empty(most, dtype=torch.int32, device=features.device),
            "order": torch.empty(most, dtype=torch.int32, device=features.device),
            "weights": features.new_empty(features.shape[1], corners),
        }

    def keep(self, part: _SortedCorners) -> _SortedCorners:
        """The same part in this memory."""
        kept = {}
        for name, room in self._tables.items():
            table = getattr(part, name)
            kept[name] = room[: len(table)].copy_(table)
            self._tables[name] = room[len(table) :]
        return _SortedCorners(**kept)


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
        tables = self._order // self._weights.shape[1], self._weights.view(-1).index_select(0, self._order)
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
        behind = (keys.index_select(0, found) == wanted).nonzero().squeeze(1)
        yield (behind + start).int(), found.index_select(0, behind)


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


def _sorted_corners(features: Tensor, axes: list[int], offset: int, keys_type: torch.dtype) -> _SortedCorners:
    cells, ranks, weights = embed(features)
    dimensions, points = features.shape
    steps = torch.tensor(axes, device=features.device)[:, None]
    key = (cells.long() * steps).sum(0) + offset
    # From a corner to the next: against the axis whose remainder is the smallest of those not walked yet.
    walk = torch.empty_like(ranks).scatter_(0, ranks, steps.expand_as(ranks))
    keys = torch.empty(points, dimensions + 1, dtype=keys_type, device=features.device)
    for corner in range(dimensions + 1):
        keys[:, corner] = key
        key -= walk[dimensions - corner]
    keys, order = keys.view(-1).sort(stable=True)
    keys, counts = keys.unique_consecutive(return_counts=True)
    starts = torch.zeros(len(keys) + 1, dtype=torch.int32, device=features.device)
    torch.cumsum(counts, 0, dtype=torch.int32, out=starts[1:])
    return _SortedCorners(keys, starts, order.int(), weights)
