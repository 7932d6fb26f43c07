"""LargeLattice: a lattice of more points than tables could be kept of; it keeps only what it cannot work out again.

Points are embedded and sorted part by part, which takes some 400 bytes for each. What a part needs of the whole
lattice is worked out anew in every use, and neighbours are two bits a corner and axis instead of two numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from torch import Tensor

from segcli.crf.permutohedral import corners
from segcli.crf.permutohedral.corners import Corners, Matrix, find_corners, neighbour_pairs
from segcli.crf.permutohedral.simplex import Packing

PART = 1 << 18
"""Points that are embedded and sorted together."""


class LargeLattice:
    """A matrix for each part of the points, the numbers of that part's corners, and marks of neighbours.

    Args:
        features: Points as float32 (d, N').
        points: N, how many of them count; the corners of the others stay.
        packing: From `simplex.packing` of the features.

    Attributes:
        size: How many corners there are, M.
    """

    def __init__(self, features: Tensor, points: int, packing: Packing):
        store, parts = _Store(features, packing), []
        for number, part in enumerate(features.split(PART, dim=1)):
            found = find_corners(part, packing)
            found.drop_points_from(points - number * PART)
            parts.append(store.keep(found))
        keys = _merged([part.keys for part in parts])
        del store, found  # what lasts needs the room
        self.size = len(keys)
        self._matrices, self._rows = [], []
        while parts:
            part = parts.pop(0)
            self._matrices.append(Matrix(part))
            self._rows.append(torch.searchsorted(keys, part.keys, out_int32=True))
        flags = torch.zeros_like(keys, dtype=torch.int16)
        self._marks = [_mark(keys, axis, flags, 1 << 2 * number) for number, axis in enumerate(packing.axes)]

    def scale(self, factors: Tensor) -> None:
        """Multiply each point's weights by its factor, (N,)."""
        for matrix, part in zip(self._matrices, factors.split(PART), strict=True):
            matrix.weights *= part[:, None]

    def splat(self, values: Tensor, result: Tensor) -> None:
        """Write the sums of values (N, C) at the corners, (M + 1, C); the last row is zero and stands for no corner."""
        result[:] = 0
        for matrix, rows, part in zip(self._matrices, self._rows, values.split(PART), strict=True):
            for own, sums in matrix.splat(part, matrix.by_corner()):
                result[rows[own]] = result[rows[own]] + sums

    def blur(self, axis: int, values: Tensor, result: Tensor) -> None:
        """Write the values (M + 1, C), with half of both neighbours along an axis added to each corner."""
        _blur(self._marks[axis], values, result)

    def slice(self, values: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield some of the points, and values (M + 1, C) interpolated there, (points, C)."""
        for number, (matrix, rows) in enumerate(zip(self._matrices, self._rows, strict=True)):
            for points, result in matrix.slice(values, matrix.by_point(rows)):
                yield slice(number * PART + points.start, number * PART + points.stop), result


class _Store:
    """One piece of memory for each table of all parts: many lasting tensors of middling size would leave gaps.

    Each is as large as it can ever be; what is not written takes no memory, as systems give out pages at first use.
    """

    def __init__(self, features: Tensor, packing: Packing):
        corners_each = len(packing.axes)
        most = (features.shape[1] + 1) * corners_each
        self._room = Corners(
            torch.empty(most, dtype=packing.dtype, device=features.device),
            torch.empty(most, dtype=torch.int32, device=features.device),
            torch.empty(most, dtype=torch.int32, device=features.device),
            features.new_empty(features.shape[1], corners_each),
        )

    def keep(self, part: Corners) -> Corners:
        """The same corners in this memory."""
        kept = {}
        for name in (field.name for field in fields(Corners)):
            room, table = getattr(self._room, name), getattr(part, name)
            kept[name] = room[: len(table)].copy_(table)
            setattr(self._room, name, room[len(table) :])
        return Corners(**kept)


@dataclass(frozen=True)
class _Marks:
    """Neighbours along an axis in a small part of the memory of a table, since their order is that of the keys.

    Attributes:
        flags: int16 (M,), shared by all axes.
        has_next: The bit that says which corners have a next one.
        has_previous: The bit that says which corners have a previous one: the k-th of them is the next corner of the
            k-th that has one.
        cuts: Where, for each `PIECE` of corners, their next ones begin.
    """

    flags: Tensor
    has_next: int
    has_previous: int
    cuts: list[int]


def _mark(keys: Tensor, axis: int, flags: Tensor, bit: int) -> _Marks:
    """Set two bits of the flags, `bit` and the one above, for the neighbours along an axis."""
    for behind, ahead in neighbour_pairs(keys, axis):
        flags[behind] |= bit
        flags[ahead] |= 2 * bit
    cuts = [*torch.searchsorted(keys, keys[:: corners.PIECE] + axis).tolist(), len(keys)]
    return _Marks(flags, bit, 2 * bit, cuts)


def _blur(marks: _Marks, values: Tensor, result: Tensor) -> None:
    """Add half of both neighbours along an axis to each corner."""
    result.copy_(values)
    piece = corners.PIECE
    for start, (first, last) in zip(range(0, len(marks.flags), piece), pairwise(marks.cuts), strict=True):
        behind = (marks.flags[start : start + piece] & marks.has_next).nonzero().squeeze(1) + start
        ahead = (marks.flags[first:last] & marks.has_previous).nonzero().squeeze(1) + first
        # No corner stands twice in either list: nothing that is added gets lost.
        result[behind] = result[behind].add_(values[ahead], alpha=0.5)
        result[ahead] = result[ahead].add_(values[behind], alpha=0.5)


def _merged(parts: list[Tensor]) -> Tensor:
    """The distinct keys of several ascending lists, ascending.

    Sorting all at once would take several times the memory of the keys: they are taken range by range.
    """
    samples = torch.cat([part[:: corners.PIECE] for part in parts]).sort()[0]
    limits = samples[:: max(1, corners.BLOCK // corners.PIECE)].contiguous()
    cuts = [[0, *torch.searchsorted(part, limits).tolist(), len(part)] for part in parts]
    merged = parts[0].new_empty(sum(map(len, parts)))
    size = 0
    for bounds in zip(*(pairwise(cut) for cut in cuts), strict=True):
        near = torch.cat([part[first:last] for part, (first, last) in zip(parts, bounds, strict=True)])
        near = near.sort()[0].unique_consecutive()
        merged[size : size + len(near)] = near
        size += len(near)
    return merged[:size]
