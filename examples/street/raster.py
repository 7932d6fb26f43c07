"""Which triangle each sample sees: spans of scan lines, all triangles at once, resolved by a depth buffer."""

import numpy as np

CHUNK = 3_000_000
"""Fragments at a time: enough for numpy to be fast, few enough for 200 MB."""


def cover(points: np.ndarray, planes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rasterise triangles; the greatest nearness wins.

    Args:
        points: float32 (T, 3, 2): x and y in samples, sample i covering i to i + 1.
        planes: float32 (T, 3): nearness as a x + b y + c.
        size: Width and height in samples.

    Returns:
        int32 (H, W) the triangle seen, -1 for none, and float32 (H, W) its nearness, 0 for none.
    """
    width, height = size
    nearness = np.zeros(width * height, np.float32)
    seen = np.full(width * height, -1, np.int32)
    triangle, row, left, count = _spans(points, width, height)
    a, b, c = planes[triangle].T
    start = (a * (left + 0.5) + b * (row + 0.5) + c).astype(np.float32)
    cuts = np.searchsorted(np.cumsum(count), np.arange(CHUNK, count.sum() + CHUNK, CHUNK))
    for low, high in zip([0, *cuts[:-1] + 1], cuts + 1, strict=True):
        part = slice(low, high)
        step = _counting(count[part])
        near = np.repeat(start[part], count[part]) + np.repeat(a[part], count[part]) * step.astype(np.float32)
        pixel = np.repeat(row[part] * width + left[part], count[part]) + step
        np.maximum.at(nearness, pixel, near)
        first = near == nearness[pixel]
        seen[pixel[first]] = np.repeat(triangle[part], count[part])[first]
    return seen.reshape(height, width), nearness.reshape(height, width)


def _counting(count: np.ndarray) -> np.ndarray:
    """0, 1, .. count[0] - 1, 0, 1, .. count[1] - 1, and so on."""
    return np.arange(count.sum(), dtype=np.int32) - np.repeat(np.cumsum(count) - count, count).astype(np.int32)


def _spans(points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, ...]:
    """Triangle, row, first column and length of each run of samples."""
    x, y = points[..., 0], points[..., 1]
    top = np.ceil(y.min(1) - 0.5).clip(0, height)
    bottom = np.floor(y.max(1) - 0.5).clip(-1, height - 1)
    outside = (x.max(1) < 0) | (x.min(1) > width)
    rows = np.where(outside, 0, (bottom - top + 1).clip(0)).astype(np.int64)
    triangle = np.repeat(np.arange(len(points), dtype=np.int32), rows)
    row = np.repeat(top.astype(np.int32), rows) + _counting(rows)
    middle = row + np.float32(0.5)
    left, right = np.full(len(row), np.inf, np.float32), np.full(len(row), -np.inf, np.float32)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        ya, yb, xa, xb = (values[triangle] for values in (y[:, i], y[:, j], x[:, i], x[:, j]))
        rise = yb - ya
        share = (middle - ya) / np.where(rise == 0, 1, rise)
        crossing = np.where((share >= 0) & (share <= 1) & (rise != 0), xa + share * (xb - xa), np.nan)
        left, right = np.fmin(left, crossing), np.fmax(right, crossing)
    first = np.ceil(left - 0.5).clip(0, width)
    last = (np.ceil(right - 0.5) - 1).clip(-1, width - 1)
    count = (last - first + 1).clip(0)
    kept = count > 0
    return triangle[kept], row[kept], first[kept].astype(np.int32), count[kept].astype(np.int64)


def clip_near(corners: np.ndarray, near: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut off what lies nearer than z = near.

    Args:
        corners: float32 (T, 3, 3) in the camera's axes.
        near: Metres.

    Returns:
        float32 (U, 3, 3) the pieces, and int (U,) the triangle that each comes from.
    """
    inside = corners[..., 2] > near
    number = inside.sum(1)
    whole = np.nonzero(number == 3)[0]
    pieces, sources = [corners[whole]], [whole]
    for keep, lone in ((1, True), (2, False)):
        cut = np.nonzero(number == keep)[0]
        first = np.argmax(inside[cut] == lone, 1)  # the corner that differs from the two others
        a, b, c = (corners[cut, (first + k) % 3] for k in range(3))
        ab, ac = _at_near(a, b, near), _at_near(a, c, near)
        pieces += [np.stack([a, ab, ac], 1)] if lone else [np.stack([ab, b, c], 1), np.stack([ab, c, ac], 1)]
        sources += [cut] if lone else [cut, cut]
    return np.concatenate(pieces), np.concatenate(sources)


def _at_near(a: np.ndarray, b: np.ndarray, near: float) -> np.ndarray:
    """The points on the edges a-b at z = near."""
    rise = b[:, 2:] - a[:, 2:]
    return a + (b - a) * ((near - a[:, 2:]) / np.where(rise == 0, 1, rise))
