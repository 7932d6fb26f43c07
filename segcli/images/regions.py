"""Regions: the connected parts of a label map, and those that are too small to be worth a person's time."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


def without_specks(label_map: np.ndarray, smallest: int, classes: Iterable[int], blank: int) -> tuple[np.ndarray, int]:
    """A label map without its small regions, and the number of those.

    A region is what `polygons.outlines` outlines: pixels of one class that touch along an edge, not only at a corner.

    Args:
        label_map: uint8 or uint16 (H, W).
        smallest: The fewest pixels of a region that stays.
        classes: The ids whose regions count; the others, such as background and void, stay as they are.
        blank: The id that takes the place of small regions.
    """
    runs = _Runs(label_map)
    counted = np.zeros(65536, bool)
    counted[list(classes)] = True
    region = _joined(len(runs.starts), *runs.touching())
    pixels = np.bincount(region, runs.lengths, len(region))
    small = (pixels[region] < smallest) & counted[runs.values]
    specks = np.count_nonzero(small & (region == np.arange(len(region))))
    if not specks:
        return label_map, 0
    return np.where(
        np.repeat(small, runs.lengths).reshape(label_map.shape), label_map.dtype.type(blank), label_map
    ), specks


@dataclass(frozen=True)
class Regions:
    """The connected regions of a label map, as the runs of equal pixels in its rows, row after row.

    Attributes:
        starts: int64 (n,), the flat index of each run's first pixel.
        lengths: int64 (n,), the pixels of each run.
        values: The id of each run.
        region: int64 (n,), the number of the region that each run belongs to, which is that of its first run.
    """

    starts: np.ndarray
    lengths: np.ndarray
    values: np.ndarray
    region: np.ndarray


def connected(label_map: np.ndarray) -> Regions:
    """The regions of a label map (H, W): pixels of one id that touch along an edge, not only at a corner."""
    runs = _Runs(label_map)
    return Regions(runs.starts, runs.lengths, runs.values, _joined(len(runs.starts), *runs.touching()))


class _Runs:
    """The runs of equal pixels in each row of a label map, row after row.

    Attributes:
        starts: The flat index of each run's first pixel.
        lengths: Pixels of each run.
        values: The id of each run.
    """

    def __init__(self, label_map: np.ndarray):
        self.label_map = label_map
        self.begins = np.ones(label_map.shape, bool)
        self.begins[:, 1:] = label_map[:, 1:] != label_map[:, :-1]
        self.starts = np.flatnonzero(self.begins)
        self.lengths = np.diff(self.starts, append=label_map.size)
        self.values = label_map.ravel()[self.starts]

    def touching(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the upper and the lower run of each pair of equal ones that touch."""
        width = self.label_map.shape[1]
        # Two runs touch first where one of them begins.
        first = (self.label_map[1:] == self.label_map[:-1]) & (self.begins[1:] | self.begins[:-1])
        upper = np.flatnonzero(first)
        return tuple(np.searchsorted(self.starts, place, "right") - 1 for place in (upper, upper + width))


def _joined(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smallest number among all that are joined to each of `count` numbers, by pairs of one and another."""
    root = np.arange(count)
    while len(one):
        low, high = np.minimum(root[one], root[other]), np.maximum(root[one], root[other])
        apart = low != high
        one, other = one[apart], other[apart]
        np.minimum.at(root, high[apart], low[apart])
        while not np.array_equal(root, further := root[root]):
            root = further
    return root
