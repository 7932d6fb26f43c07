"""Lattice: the permutohedral lattice, Gaussian filtering in many dimensions (Adams, Baek and Davis 2010).

Points are embedded so that one standard deviation is one edge of the lattice. Each point hands its values to the d + 1
corners of the simplex around it (splat), corners exchange with their neighbours along d + 1 axes (blur), and each point
collects from its corners again (slice). Embedding repeats the float32 steps of Krähenbühl's densecrf, so that every
point falls into the same simplex there and here; the data structure is another one.

The lattice's axes are a_i = (d + 1) e_i - (1, ..., 1): as keys of corners are packed, each is one number, which leads
from any key to its neighbour's.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from segcli.crf.permutohedral import corners
from segcli.crf.permutohedral.large import LargeLattice
from segcli.crf.permutohedral.simplex import packing
from segcli.crf.permutohedral.small import SmallLattice


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
        kind = SmallLattice if points <= corners.BLOCK else LargeLattice
        packed = packing(features)
        self._axes = len(packed.axes)
        self._tables = kind(features, points, packed)
        self._normalise(features.new_ones(points, 1))

    def _normalise(self, ones: Tensor) -> None:
        sums = torch.cat([row_sums.squeeze(1) for _, row_sums in self.filter(ones, Workspace())])
        self._tables.scale((sums + 1e-20).rsqrt_())

    def filter(self, values: Tensor, workspace: Workspace) -> Iterator[tuple[slice, Tensor]]:
        """Filter values, some points at a time.

        Args:
            values: float32 (N, C), contiguous.
            workspace: Memory to work in; its slots 0 and 1 are in use until the iterator ends.

        Yields:
            Which points, and their filtered values, float32 (points, C).
        """
        shape = self._tables.size + 1, values.shape[1]
        sums, spare = (workspace.take(slot, values, *shape) for slot in (0, 1))
        self._tables.splat(values, sums)
        for axis in range(self._axes):
            self._tables.blur(axis, sums, spare)
            sums, spare = spare, sums
        yield from self._tables.slice(sums)
