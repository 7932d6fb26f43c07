"""SmallLattice: the tables of a lattice of up to a million points, all kept ready."""

from collections.abc import Iterator

import torch
from torch import Tensor

from segcli.crf.permutohedral import corners
from segcli.crf.permutohedral.corners import Matrix, find_corners, neighbour_pairs
from segcli.crf.permutohedral.simplex import Packing


class SmallLattice:
    """One matrix between all points and all corners, and a table of the corners' neighbours along each axis.

    Args:
        features: Points as float32 (d, N').
        points: N, how many of them count; the corners of the others stay.
        packing: From `simplex.packing` of the features.

    Attributes:
        size: How many corners there are, M.
    """

    def __init__(self, features: Tensor, points: int, packing: Packing):
        found = find_corners(features, packing)
        found.drop_points_from(points)
        self.size = len(found.keys)
        self._matrix = Matrix(found)
        self._entries: tuple[Tensor, Tensor] | None = None
        self._table: Tensor | None = None
        self._neighbours = [_neighbours(found.keys, axis) for axis in packing.axes]

    def scale(self, factors: Tensor) -> None:
        """Multiply each point's weights by its factor, (N,)."""
        self._matrix.weights *= factors[:, None]
        self._entries = None

    def splat(self, values: Tensor, result: Tensor) -> None:
        """Write the sums of values (N, C) at the corners, (M + 1, C); the last row is zero and stands for no corner."""
        if self._entries is None:
            self._entries = self._matrix.by_corner()
        result[-1] = 0
        for rows, sums in self._matrix.splat(values, self._entries):
            result[rows] = sums

    def blur(self, axis: int, values: Tensor, result: Tensor) -> None:
        """Write the values (M + 1, C), with half of both neighbours along an axis added to each corner."""
        _blur(self._neighbours[axis], values, result)

    def slice(self, values: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield some of the points, and values (M + 1, C) interpolated there, (points, C)."""
        if self._table is None:
            rows = torch.arange(self.size, dtype=torch.int32, device=values.device)
            self._table = self._matrix.by_point(rows)
        return self._matrix.slice(values, self._table)


def _neighbours(keys: Tensor, axis: int) -> Tensor:
    """The next and the previous corner along an axis, int32 (M + 1, 2), of each corner and of none; M where none is."""
    table = torch.full((len(keys) + 1, 2), len(keys), dtype=torch.int32, device=keys.device)
    for behind, ahead in neighbour_pairs(keys, axis):
        table[behind, 0], table[ahead, 1] = ahead, behind
    return table


def _blur(neighbours: Tensor, values: Tensor, result: Tensor) -> None:
    """Add half of both neighbours along an axis, from `_neighbours`, to each corner."""
    for start in range(0, len(values), corners.PIECE):
        rows = slice(start, start + corners.PIECE)
        around = corners.sums_of_rows(values, neighbours[rows])
        torch.add(values[rows], around, alpha=0.5, out=result[rows])
