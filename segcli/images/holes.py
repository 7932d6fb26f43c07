"""Holes: parts of the background that one region alone surrounds."""

from collections.abc import Iterable

import numpy as np

from segcli.images.regions import Regions, connected, joined

Pairs = tuple[np.ndarray, np.ndarray]
"""The numbers of the runs of pairs of runs, two int64 (n,)."""


def without_holes(label_map: np.ndarray, classes: Iterable[int], blank: int) -> tuple[np.ndarray, int]:
    """A label map whose regions have no holes, and the number of those that were filled.

    Background that reaches the photo's border, or that touches another region or void, be it at a corner, is no hole.
    Background connects at corners, since regions do not: else both would cross there.

    Args:
        label_map: uint8 or uint16 (H, W).
        classes: The ids whose regions are filled.
        blank: The id of the background.
    """
    found = connected(label_map)
    corners = _corners(label_map, found, blank)
    part = _parts(found, corners, blank)
    lowest, highest = _surrounding(found, part, (_edges(label_map, found), corners), blank)
    counted = np.zeros(65536, bool)
    counted[list(classes)] = True
    closed = (lowest == highest) & ~_at_border(label_map, found, part)
    closed[closed] = counted[found.values[lowest[closed]]]
    filled = closed[part] & (found.values == blank)
    holes = int(np.count_nonzero(filled & (part == np.arange(len(part)))))
    if not holes:
        return label_map, 0
    values = found.values.copy()
    values[filled] = found.values[lowest[part[filled]]]
    return np.repeat(values, found.lengths).reshape(label_map.shape), holes


def _edges(label_map: np.ndarray, found: Regions) -> Pairs:
    """The runs that touch along an edge and are unequal; a pair may come several times."""
    width = label_map.shape[1]
    inner = np.flatnonzero(found.starts % width)
    begins = np.zeros(label_map.size, bool)
    begins[found.starts] = True
    begins = begins.reshape(label_map.shape)
    upper = np.flatnonzero((label_map[1:] != label_map[:-1]) & (begins[1:] | begins[:-1]))
    above, below = (found.run_of(place) for place in (upper, upper + width))
    return np.concatenate([inner - 1, above]), np.concatenate([inner, below])


def _corners(label_map: np.ndarray, found: Regions, blank: int) -> Pairs:
    """The runs that touch at a corner only, one of them at least of background, between pixels of other regions."""
    width = label_map.shape[1]
    empty = label_map == blank
    pairs = []
    for left, right, step in ((slice(0, -1), slice(1, None), 1), (slice(1, None), slice(0, -1), -1)):
        one, other = (slice(0, -1), left), (slice(1, None), right)
        beside = (slice(0, -1), right), (slice(1, None), left)
        meet = empty[one] | empty[other]
        for place in beside:
            meet &= ~empty[place] & (label_map[place] != label_map[one]) & (label_map[place] != label_map[other])
        rows, columns = np.nonzero(meet)
        first = rows * width + columns + (left.start or 0)
        pairs.append((found.run_of(first), found.run_of(first + width + step)))
    return tuple(np.concatenate(ends) for ends in zip(*pairs, strict=True))


def _parts(found: Regions, corners: Pairs, blank: int) -> np.ndarray:
    """The first run of the part that each run belongs to, where background connects at corners too, int64 (n,)."""
    one, other = corners
    both = (found.values[one] == blank) & (found.values[other] == blank)
    return joined(len(found.starts), found.region[one[both]], found.region[other[both]])[found.region]


def _surrounding(found: Regions, part: np.ndarray, touching: Iterable[Pairs], blank: int) -> Pairs:
    """The lowest and the highest number of the regions that touch each part of the background."""
    lowest, highest = np.full(len(part), len(part)), np.full(len(part), -1)
    for pair in touching:
        for one, other in (pair, pair[::-1]):
            beside = (found.values[one] == blank) & (found.values[other] != blank)
            place, region = part[one[beside]], found.region[other[beside]]
            np.minimum.at(lowest, place, region)
            np.maximum.at(highest, place, region)
    return lowest, highest


def _at_border(label_map: np.ndarray, found: Regions, part: np.ndarray) -> np.ndarray:
    """Whether each part, by the number of its first run, touches the border of the photo, bool (n,)."""
    height, width = label_map.shape
    rows, columns = np.divmod(found.starts, width)
    touches = (rows == 0) | (rows == height - 1) | (columns == 0) | (columns + found.lengths == width)
    result = np.zeros(len(part), bool)
    result[part[touches]] = True
    return result
