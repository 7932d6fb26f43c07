"""Rasteriser: the pixels that outlines enclose, exact at pixel centres.

A library would draw other pixels. Pillow's and OpenCV's polygons paint the border on both sides, 5 % too much on small
shapes; scikit-image takes vertices for pixel centres. Tools that draw shapes count from the picture's corner, so that a
pixel belongs to a shape where its centre (x + 0.5, y + 0.5) lies inside, by the even-odd rule.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from segcli.errors import DatasetError

FARTHEST = 1e6
"""The largest coordinate that a point may have, in pixels; no photo is that large."""
CROSSINGS_AT_ONCE = 1 << 20
"""The number of crossings that are computed together, which bounds the memory."""


def fill(rings: Sequence[np.ndarray], height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The pixels whose centres lie inside an odd number of rings.

    Args:
        rings: float (n, 2) each: x and y of the points, in pixels from the picture's top left corner; the last point is
            joined to the first. All rings count together, so that a ring inside another is a hole.
        height: Rows of the picture.
        width: Columns of the picture.

    Returns:
        bool (h, w), the part of the picture that the rings can reach, and the (row, column) where that part begins.

    Raises:
        DatasetError: A point is no number, or lies farther from the picture than any shape can.
    """
    starts, ends = _edges(rings)
    if not len(starts):
        return np.zeros((0, 0), bool), (0, 0)
    low, high = starts.min(0), starts.max(0)
    left, top = (int(np.clip(np.floor(low[axis]), 0, limit)) for axis, limit in enumerate((width, height)))
    right, bottom = (int(np.clip(np.ceil(high[axis]), 0, limit)) for axis, limit in enumerate((width, height)))
    rows, columns = max(0, bottom - top), max(0, right - left)
    if not rows or not columns:
        return np.zeros((0, 0), bool), (0, 0)
    toggles = np.zeros(rows * (columns + 1), np.uint8)
    for row, column in _crossings(starts, ends, top, bottom):
        places = (row - top) * (columns + 1) + np.clip(column - left, 0, columns)
        np.add.at(toggles, places, np.uint8(1))  # which may wrap; whether it is odd is what counts
    inside = np.bitwise_xor.accumulate((toggles & 1).reshape(rows, columns + 1), axis=1)
    return inside[:, :columns].astype(bool), (top, left)


def _edges(rings: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The points where the edges of all rings start and end, float64 (n, 2) each."""
    closed = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings]
    closed = [ring for ring in closed if len(ring) > 2]
    if not closed:
        return np.zeros((0, 2)), np.zeros((0, 2))
    starts = np.concatenate(closed)
    if not np.all(np.abs(starts) <= FARTHEST):  # false for NaN too
        x, y = starts[~np.all(np.abs(starts) <= FARTHEST, axis=1)][0]
        raise DatasetError(f"a shape has a point at ({x:g}, {y:g}), which is outside any photo")
    return starts, np.concatenate([np.roll(ring, -1, 0) for ring in closed])


def _crossings(starts: np.ndarray, ends: np.ndarray, top: int, bottom: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The crossings of edges and centre lines of rows: the row, and the first column whose centre is right of it."""
    # From top to bottom whatever way they run: an edge that two shapes share, or that leads to a hole and back, is then
    # rounded alike both times.
    falls = (starts[:, 1] < ends[:, 1])[:, np.newaxis]
    upper, lower = np.where(falls, starts, ends), np.where(falls, ends, starts)
    first, last = (np.clip(np.ceil(y - 0.5), top, bottom).astype(np.int64) for y in (upper[:, 1], lower[:, 1]))
    spans = last - first
    crossing = np.flatnonzero(spans)
    limits = np.searchsorted(np.cumsum(spans[crossing]), np.arange(0, spans.sum(), CROSSINGS_AT_ONCE), "right")
    for edges in np.split(crossing, limits[1:]):
        if len(edges):
            count = spans[edges]
            edge = np.repeat(edges, count)
            row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first[edges], count)
            (x, y), (far_x, far_y) = upper[edge].T, lower[edge].T
            yield row, np.ceil(x + (row + 0.5 - y) * (far_x - x) / (far_y - y) - 0.5).astype(np.int64)
