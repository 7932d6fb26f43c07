"""SmallLattice: the tables of a lattice of up to a million points, all kept ready, for one or four classes at a time.

A CPU gathers numbers faster than rows, and four floats can be one number of 16 bytes: one class at a time takes half of
what two or three in rows took, and four together no more than two. Pieces are so short that torch leaves each to one
thread, so that several classes and kernels can be filtered at the same time (`messages`).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from segcli.crf.permutohedral.corners import Matrix, find_corners, neighbour_pairs
from segcli.crf.permutohedral.simplex import Packing
from segcli.crf.permutohedral.workspace import Workspace

TOGETHER = 4
"""Classes that a CPU filters together."""
PIECE = 1 << 15
"""Numbers that are worked on together; torch shares out more of them to threads."""


class SmallLattice:
    """The corners of each point with their weights, and each corner's neighbours along each axis.

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
        self._on_cpu = features.device.type == "cpu"
        self._matrix = Matrix(found)
        rows = torch.arange(self.size, dtype=torch.int32, device=features.device)
        self._table = self._matrix.by_point(rows)
        self._corners = self._table.t().contiguous()  # (d + 1, N)
        self._targets = self._corners.long()  # as scattering wants them; gathering takes half the time by int32
        self._weights = self._matrix.weights.t().clone(memory_format=torch.contiguous_format)
        self._entries: tuple[Tensor, Tensor] | None = None
        self._neighbours = [_neighbours(found.keys, axis) for axis in packing.axes]

    def scale(self, factors: Tensor) -> None:
        """Multiply each point's weights by its factor, (N,)."""
        self._weights *= factors
        self._matrix.weights *= factors[:, None]
        self._entries = None

    def filter(self, values: Tensor, workspace: Workspace) -> Iterator[tuple[slice, Tensor]]:
        """Filter values (C, N); yields all points at once, and (C, N) that is good until the next one is asked for."""
        result = workspace.take(2, values, *values.shape)
        for rows in self._groups(len(values)):
            given, filtered = values[rows], result[rows]
            columns = TOGETHER if self._on_cpu and len(given) > 1 else len(given)
            sums, spare = (workspace.take(slot, values, self.size + 1, columns) for slot in (0, 1))
            self._splat(given, sums)
            for around in self._neighbours:
                _blur(around, sums, spare)
                sums, spare = spare, sums
            self._slice(sums, filtered)
        yield slice(0, values.shape[1]), result

    def _groups(self, classes: int) -> Iterator[slice]:
        """The rows that are filtered together: on a CPU one, or three or four; elsewhere all."""
        first = 0
        while first < classes:
            left = classes - first
            count = left if not self._on_cpu else min(left, TOGETHER) if left > 2 else 1
            yield slice(first, first + count)
            first += count

    def _splat(self, values: Tensor, result: Tensor) -> None:
        """Write the sums of values (C, N) at the corners, (M + 1, columns); the last row is zero, as are columns left.

        One class is scattered on a CPU, which goes through the points in their order; a GPU would take any order.
        """
        result.zero_()
        if not self._on_cpu or len(values) > 1:
            self._entries = self._entries or self._matrix.by_corner()
            for rows, sums in self._matrix.splat(values.t().contiguous(), self._entries):
                result[rows, : len(values)] = sums
            return
        for targets, weights in zip(self._targets, self._weights, strict=True):
            for points in _pieces(values.shape[1]):
                result[:, 0].scatter_add_(0, targets[points], values[0, points] * weights[points])

    def _slice(self, sums: Tensor, result: Tensor) -> None:
        """Write the corners' values (M + 1, columns) interpolated at the points, (C, N)."""
        if not self._on_cpu or len(result) > 1:
            for points, values in self._matrix.slice(sums, self._table):
                result[:, points] = values[:, : len(result)].t()
            return
        for points in _pieces(result.shape[1]):
            part = result[0, points].zero_()
            for corners, weights in zip(self._corners, self._weights, strict=True):
                part.addcmul_(sums[:, 0].index_select(0, corners[points]), weights[points])


def _neighbours(keys: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The next and the previous corner along an axis, int32 (M + 1,) each, of each corner and of none; M: none is."""
    following, previous = (torch.full((len(keys) + 1,), len(keys), dtype=torch.int32, device=keys.device) for _ in "12")
    for behind, ahead in neighbour_pairs(keys, axis):
        following.index_copy_(0, behind, ahead.int())
        previous.index_copy_(0, ahead, behind.int())
    return following, previous


def _blur(neighbours: tuple[Tensor, Tensor], values: Tensor, result: Tensor) -> None:
    """Add half of both neighbours along an axis, from `_neighbours`, to each corner, (M + 1, columns)."""
    following, previous = neighbours
    whole = _as_numbers(values)
    for rows in _pieces(len(values)):
        around = _rows(whole, following[rows], values) + _rows(whole, previous[rows], values)
        torch.add(values[rows], around, alpha=0.5, out=result[rows])


def _as_numbers(values: Tensor) -> Tensor:
    """Rows of float32 as numbers of one dimension where there are such, of four on a CPU, else the rows themselves."""
    if values.shape[1] == 1:
        return values[:, 0]
    packs = values.shape[1] == TOGETHER and values.device.type == "cpu"
    return values.view(torch.complex128)[:, 0] if packs else values


def _rows(whole: Tensor, rows: Tensor, like: Tensor) -> Tensor:
    """Some of the rows that `_as_numbers` was given, float32 (n, columns)."""
    return whole.index_select(0, rows).view(like.dtype).view(-1, like.shape[1])


def _pieces(count: int) -> Iterator[slice]:
    return (slice(start, min(start + PIECE, count)) for start in range(0, count, PIECE))
