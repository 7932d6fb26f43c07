"""Corners: the distinct lattice corners of some points, and the sparse matrix between points and corners.

A corner k is known by the integers (k_i - k_(i+1)) / (d + 1), packed into one integer key. One sort of the keys finds
the distinct corners and, for each, its points as a row of the matrix. Products with the matrix are sums of gathered
rows, which `embedding_bag` adds up in a fixed order, so that results repeat bit for bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, pad

from segcli.crf.permutohedral.simplex import Packing, embed

BLOCK = 1 << 20
"""The most points of a lattice whose tables are all kept; a larger one keeps only what it cannot work out again."""

PIECE = 1 << 16
"""Rows that are gathered at once: results this small stay in the cache and in memory that is handed out again."""


@dataclass
class Corners:
    """The corners of some points, U distinct ones of n points in d dimensions.

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
        """Forget all points but the first `count`; their corners stay."""
        if count < len(self.weights):
            real = self.order < count * self.weights.shape[1]
            self.starts = pad(real.cumsum(0, dtype=torch.int32), (1, 0))[self.starts]
            self.order, self.weights = self.order[real], self.weights[:count]


def find_corners(features: Tensor, packing: Packing) -> Corners:
    """The corners of the simplices around points, float32 (d, n)."""
    cells, ranks, weights = embed(features)
    keys, order = _keys(cells, ranks, packing).view(-1).sort(stable=True)
    keys, counts = keys.unique_consecutive(return_counts=True)
    starts = torch.zeros(len(keys) + 1, dtype=torch.int32, device=features.device)
    torch.cumsum(counts, 0, dtype=torch.int32, out=starts[1:])
    return Corners(keys, starts, order.int(), weights)


def _keys(cells: Tensor, ranks: Tensor, packing: Packing) -> Tensor:
    """The keys (n, d + 1) of each point's corners, from what `embed` gives."""
    steps = torch.tensor(packing.axes, device=cells.device)[:, None]
    key = (cells.long() * steps).sum(0) + packing.offset
    # From a corner to the next: against the axis whose remainder is the smallest of those not walked yet.
    walk = torch.empty_like(ranks).scatter_(0, ranks, steps.expand_as(ranks))
    corners, points = ranks.shape
    keys = torch.empty(points, corners, dtype=packing.dtype, device=cells.device)
    for corner in range(corners):
        keys[:, corner] = key
        key -= walk[corners - 1 - corner]
    return keys


class Matrix:
    """The sparse matrix (n, U) of barycentric weights between some points and their own corners.

    Args:
        corners: The points' corners; their keys are not kept.
    """

    def __init__(self, corners: Corners):
        self.weights = corners.weights
        self._starts, self._order = corners.starts, corners.order
        self._cuts = [*corners.starts[:-1:PIECE].tolist(), len(corners.order)]

    def by_corner(self) -> tuple[Tensor, Tensor]:
        """The entries sorted by corner: the points, int32, and their weights."""
        points = self._order // self.weights.shape[1]
        return points, self.weights.view(-1).index_select(0, self._order)

    def by_point(self, rows: Tensor) -> Tensor:
        """The number of each of a point's corners, int32 (n, d + 1), where `rows` (U,) numbers the corners."""
        entries = rows.repeat_interleave(self._starts.diff())
        return torch.empty_like(entries).scatter_(0, self._order.long(), entries).view_as(self.weights)

    def splat(self, values: Tensor, entries: tuple[Tensor, Tensor]) -> Iterator[tuple[slice, Tensor]]:
        """Yield some of the matrix's corners, and the weighted sums there, (corners, C), of the points' values (n, C).

        Args:
            values: float32 (n, C).
            entries: From `by_corner`.
        """
        points, weights = entries
        for number, (first, last) in enumerate(pairwise(self._cuts)):
            corners = slice(number * PIECE, min((number + 1) * PIECE, len(self._starts) - 1))
            starts = self._starts[corners.start : corners.stop + 1] - first
            sums = embedding_bag(
                points[first:last],
                values,
                starts,
                mode="sum",
                per_sample_weights=weights[first:last],
                include_last_offset=True,
            )
            yield corners, sums

    def slice(self, corners: Tensor, table: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield some of the points, and the values (M, C) of all corners interpolated there, (points, C).

        Args:
            corners: float32 (M, C).
            table: From `by_point`.
        """
        for start in range(0, len(table), PIECE):
            points = slice(start, min(start + PIECE, len(table)))
            yield points, sums_of_rows(corners, table[points], self.weights[points])


def sums_of_rows(values: Tensor, table: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sums (n, C) of the rows of values (M, C) that each row of a table names, int32 (n, k), each times its weight.

    Given a table, `embedding_bag` would work out at every call where its rows begin.
    """
    count, width = table.shape
    weights = weights if weights is None else weights.reshape(-1)
    starts = _starts(width, PIECE, table.device)[:count]
    return embedding_bag(table.reshape(-1), values, starts, mode="sum", per_sample_weights=weights)


@lru_cache(maxsize=8)
def _starts(width: int, count: int, device: torch.device) -> Tensor:
    """Where the rows of a flattened table begin, int32, for so many rows."""
    return torch.arange(0, width * count, width, dtype=torch.int32, device=device)


def neighbour_pairs(keys: Tensor, axis: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield all neighbours along an axis, the corner and the next one, int32 (n,) each, some at a time."""
    for start in range(0, len(keys), BLOCK):
        wanted = keys[start : start + BLOCK] + axis
        found = torch.searchsorted(keys, wanted, out_int32=True).clamp_(max=len(keys) - 1)
        behind = (keys.index_select(0, found) == wanted).nonzero().squeeze(1)
        yield (behind + start).int(), found.index_select(0, behind)
