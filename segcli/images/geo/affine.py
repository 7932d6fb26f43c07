"""Affine transforms from pixels to a map: x = a column + b row + c, y = d column + e row + f.

Columns and rows are counted from the top left corner of the first pixel, as GDAL and rasterio count them.
"""

import math

import numpy as np

Transform = tuple[float, float, float, float, float, float]
"""The numbers a, b, c, d, e, f."""


def is_usable(transform: Transform) -> bool:
    """Whether every pixel has a place of its own."""
    a, b, _, d, e, _ = transform
    area = a * e - b * d
    return all(map(math.isfinite, transform)) and math.isfinite(area) and area != 0


def shifted(transform: Transform, pixels: float) -> Transform:
    """The same where columns and rows are counted from a point that lies so many pixels further right and down."""
    if not pixels:
        return transform
    a, b, c, d, e, f = transform
    return a, b, c + pixels * (a + b), d, e, f + pixels * (d + e)


def applied(transform: Transform, points: np.ndarray) -> np.ndarray:
    """The x, y of points, (n, 2) of column, row: float64 (n, 2)."""
    a, b, c, d, e, f = transform
    columns, rows = np.asarray(points, np.float64).T
    with np.errstate(over="ignore", invalid="ignore"):
        return np.stack([a * columns + b * rows + c, d * columns + e * rows + f], axis=1)


def composed(outer: Transform, inner: Transform) -> Transform:
    """The transform that applies `inner` first, then `outer`."""
    a, b, c, d, e, f = outer
    k, m, n, p, q, r = inner
    made = (a * k + b * p, a * m + b * q, a * n + b * r + c, d * k + e * p, d * m + e * q, d * n + e * r + f)
    return tuple(number + 0.0 for number in made)  # no -0.0, which would be written so


def inverse(transform: Transform) -> Transform:
    """The transform back."""
    a, b, c, d, e, f = transform
    area = a * e - b * d
    return e / area, -b / area, (b * f - c * e) / area, -d / area, a / area, (c * d - a * f) / area


def to_stored(orientation: int, size: tuple[int, int]) -> Transform:
    """The transform from the pixels of an upright picture to those of its file.

    Args:
        orientation: The EXIF orientation of the file, 1..8.
        size: The (height, width) of the picture as it is stored.
    """
    height, width = (float(side) for side in size)
    return {
        2: (-1.0, 0.0, width, 0.0, 1.0, 0.0),
        3: (-1.0, 0.0, width, 0.0, -1.0, height),
        4: (1.0, 0.0, 0.0, 0.0, -1.0, height),
        5: (0.0, 1.0, 0.0, 1.0, 0.0, 0.0),
        6: (0.0, 1.0, 0.0, -1.0, 0.0, height),
        7: (0.0, -1.0, width, -1.0, 0.0, height),
        8: (0.0, -1.0, width, 1.0, 0.0, 0.0),
    }.get(orientation, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))


def area(transform: Transform) -> float:
    """The area of a pixel in square units of the map."""
    a, b, _, d, e, _ = transform
    return abs(a * e - b * d)


def steps(transform: Transform) -> tuple[float, float]:
    """The length of a step of one column, and of one row, in units of the map."""
    a, b, _, d, e, _ = transform
    return math.hypot(a, d), math.hypot(b, e)
