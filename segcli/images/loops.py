"""Loops: closed borders of regions that may come to a corner twice, cut into rings that do not."""

from collections.abc import Iterator, Sequence

import numpy as np


def simple(loop: list[int], corners: Sequence[int]) -> Iterator[list[int]]:
    """A loop of pieces cut into rings where it comes to a corner twice; `corners` are the pieces' starts."""
    if len(loop) == len({corners[piece] for piece in loop}):
        yield loop
        return
    ring: list[int] = []
    places: dict[int, int] = {}  # corner -> its place in the ring
    for piece in loop:
        corner = corners[piece]
        if corner in places:
            cut = places[corner]
            yield ring[cut:]
            for gone in ring[cut:]:
                del places[corners[gone]]
            ring = ring[:cut]
        places[corner] = len(ring)
        ring.append(piece)
    yield ring


def simple_rings(points: np.ndarray) -> Iterator[np.ndarray]:
    """A loop of turns, int (n, 2) of x, y, cut into rings where it comes to a point twice."""
    if len(np.unique(points @ np.array([1, 2**32]))) == len(points):
        yield points
        return
    corners = list(map(tuple, points.tolist()))
    yield from (points[ring] for ring in simple(list(range(len(corners))), corners))


def twice_inside(ring: np.ndarray) -> int:
    """Twice the pixels inside a ring of x, y, positive where it runs clockwise on the screen, as outer rings do."""
    x, y = ring.T
    return int(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
