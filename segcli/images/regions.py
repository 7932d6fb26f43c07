"""Regions: the connected parts of a label map, and those that are too small to be worth a person's time."""

from collections.abc import Iterable, Iterator
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
    found = connected(label_map)
    counted = np.zeros(65536, bool)
    counted[list(classes)] = True
    pixels = np.bincount(found.region, found.lengths, len(found.region))
    small = (pixels[found.region] < smallest) & counted[found.values]
    specks = int(np.count_nonzero(small & (found.region == np.arange(len(found.region)))))
    if not specks:
        return label_map, 0
    left_out = np.repeat(small, found.lengths).reshape(label_map.shape)
    return np.where(left_out, label_map.dtype.type(blank), label_map), specks


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

    def run_of(self, place: np.ndarray) -> np.ndarray:
        """The number of the run that holds the pixel at each flat index, int64 (n,)."""
        return np.searchsorted(self.starts, place, "right") - 1


def connected(label_map: np.ndarray) -> Regions:
    """The regions of a label map (H, W): pixels of one id that touch along an edge, not only at a corner."""
    begins = np.ones(label_map.shape, bool)
    begins[:, 1:] = label_map[:, 1:] != label_map[:, :-1]
    starts = np.flatnonzero(begins)
    region = joined(len(starts), *_touching(label_map, begins, starts))
    return Regions(starts, np.diff(starts, append=label_map.size), label_map.ravel()[starts], region)


def _touching(label_map: np.ndarray, begins: np.ndarray, starts: np.ndarray) -> Iterator[np.ndarray]:
    """The numbers of the upper and the lower run of each pair of equal ones that touch, two int64 (n,)."""
    # Two runs touch first where one of them begins.
    upper = np.flatnonzero((label_map[1:] == label_map[:-1]) & (begins[1:] | begins[:-1]))
    for place in (upper, upper + label_map.shape[1]):
        yield np.searchsorted(starts, place, "right") - 1


def joined(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
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
