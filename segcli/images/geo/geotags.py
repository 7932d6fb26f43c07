"""Geotags: what the tags of a GeoTIFF say about its place, read within bounds and written again as they were."""

from collections.abc import Mapping

import numpy as np

from segcli.images.decoders.tiff.directory import Directory
from segcli.images.geo import crs
from segcli.images.geo.affine import Transform, is_usable, shifted
from segcli.images.geo.crs import Crs

SCALE, TIEPOINTS, MATRIX, KEYS, KEY_NUMBERS, KEY_TEXT, RPC = 33550, 33922, 34264, 34735, 34736, 34737, 50844
MOST: Mapping[int, int] = {
    SCALE: 3,
    TIEPOINTS: 6 * 10_000,
    MATRIX: 16,
    KEYS: 4 * 1024,
    KEY_NUMBERS: 4096,
    KEY_TEXT: 65_536,
    RPC: 92,
}
"""Tag -> the most values that are believed."""
Tags = Mapping[int, np.ndarray | bytes]
"""Tag -> its values: uint16 (n,) geokeys, text, float64 (n,) others."""


def read(directory: Directory) -> Tags:
    """The geotags of a picture; ValueError where one has absurdly many values, or such as are no numbers."""
    tags: dict[int, np.ndarray | bytes] = {}
    for tag, most in MOST.items():
        entry = directory.entries.get(tag)
        if entry is None:
            continue
        if entry.count > most:
            raise ValueError(f"its tag {tag} has {entry.count} values")
        values = directory.data(tag) if tag == KEY_TEXT else _numbers(directory, tag)
        if len(values):
            tags[tag] = values
    return tags


def _numbers(directory: Directory, tag: int) -> np.ndarray:
    values = directory.numbers(tag)
    if tag == KEYS:
        return values.astype(np.uint16)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"its tag {tag} holds what is no number")
    return values


def crs_of(tags: Tags) -> Crs:
    """The coordinate system that tags state; ValueError where the geokeys are damaged."""
    if KEYS not in tags:
        return Crs()
    keys = crs.keys_of(tags[KEYS], tags.get(KEY_NUMBERS, np.zeros(0)), tags.get(KEY_TEXT, b""))
    return Crs(keys, arrays={tag: tags[tag] for tag in (KEYS, KEY_NUMBERS, KEY_TEXT) if tag in tags})


def half_pixel(system: Crs) -> float:
    """How far the tags' pixels lie from ours, which count from corners: 0.5 where they count from centres."""
    return 0.5 if system.keys.get(crs.RASTER_TYPE) == crs.PIXEL_IS_POINT else 0.0


def transform_of(tags: Tags, system: Crs) -> Transform | None:
    """The transform from pixels to the map; None where tags state none, or only control points.

    As GDAL reads them: rows go down where only a scale is given, whatever its sign.
    """
    points = tags.get(TIEPOINTS, np.zeros(0))
    if len(tags.get(MATRIX, ())) == 16:
        a, b, _, c, d, e, _, f = tags[MATRIX][:8].tolist()
    elif len(tags.get(SCALE, ())) >= 2 and len(points) >= 6:
        column, row, _, x, y = points[:5].tolist()
        a, b, d, e = float(tags[SCALE][0]), 0.0, 0.0, -abs(float(tags[SCALE][1]))
        c, f = x - a * column, y - e * row
    else:
        return None
    transform = shifted((a, b, c, d, e, f), -half_pixel(system))
    if not is_usable(transform):
        raise ValueError("its transform is none")
    return transform


def points_of(tags: Tags, system: Crs) -> np.ndarray:
    """The control points, float64 (n, 6) of column, row, level, x, y, z; none where a transform is given."""
    points = tags.get(TIEPOINTS, np.zeros(0))
    if SCALE in tags or MATRIX in tags or len(points) % 6:
        return np.zeros((0, 6))
    points = points.reshape(-1, 6).copy()
    points[:, :2] += half_pixel(system)
    return points


def replaced(tags: Tags, system: Crs, transform: Transform | None, points: np.ndarray) -> Tags:
    """The tags with another transform, or other control points; what was tied to the pixels otherwise is left out."""
    kept = {tag: values for tag, values in tags.items() if tag in (KEYS, KEY_NUMBERS, KEY_TEXT)}
    half = half_pixel(system)
    if transform is not None:
        a, b, c, d, e, f = shifted(transform, half)
        if b == d == 0 and e < 0 < a:
            return {SCALE: np.array([a, -e, 0.0]), TIEPOINTS: np.array([0.0, 0.0, 0.0, c, f, 0.0]), **kept}
        return {MATRIX: np.array([a, b, 0, c, d, e, 0, f, *([0.0] * 7), 1.0]), **kept}
    if len(points):
        points = points.copy()
        points[:, :2] -= half
        return {TIEPOINTS: points.ravel(), **kept}
    return kept
