"""Reprojection: coordinates of a map as longitude and latitude of WGS 84.

The systems that most pictures have are computed here, so that nobody needs a large package for them: UTM, web
Mercator, and degrees. All others take rasterio, the extra "raster".
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from segcli.errors import InputError
from segcli.files.formats import RASTER
from segcli.images.geo.crs import LIKE_WGS84, WEB_MERCATOR, WGS84, Crs
from segcli.images.geo.geotags import KEY_TEXT, KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

_UTM = {range(32601, 32661): (32600, 0.0), range(32701, 32761): (32700, 1e7), range(25828, 25839): (25800, 0.0)}
"""EPSG codes of UTM on WGS 84 and on ETRS89 -> what is taken off for the zone, and the false northing in metres."""
_FARTHEST = 1e8
"""Metres beyond which nothing on earth lies."""
_EQUATOR, _FLATTENING, _SCALE, _FALSE_EASTING = 6378137.0, 1 / 298.257223563, 0.9996, 500_000.0


def needs_extra(crs: Crs) -> bool:
    """Whether `to_degrees` takes rasterio for a system, and it is not installed."""
    return _by_hand(crs) is None and not RASTER.installed


def to_degrees(crs: Crs, points: np.ndarray) -> np.ndarray:
    """The longitude and latitude of points (n, 2) of a system, float64 (n, 2) in degrees.

    Raises:
        InputError: The system is not known, the points have no place in it, or the extra is not installed.
    """
    convert = _by_hand(crs) or _through_rasterio(crs)
    with np.errstate(all="ignore"):
        degrees = convert(np.asarray(points, np.float64))
    nowhere = np.any(np.abs(points) > _FARTHEST) or np.any(np.abs(degrees) > (540, 90))
    if nowhere or not np.isfinite(degrees).all():
        raise InputError(f"its coordinates have no place in {crs.name}")
    return degrees


def _by_hand(crs: Crs) -> Callable[[np.ndarray], np.ndarray] | None:
    if crs.in_degrees and crs.epsg in LIKE_WGS84:
        return lambda points: points
    if crs.metres != 1.0:
        return None
    if crs.epsg == WEB_MERCATOR:
        return _from_web_mercator
    for codes, (base, false_northing) in _UTM.items():
        if crs.epsg in codes:
            return lambda points: _from_utm(points, crs.epsg - base, false_northing)
    return None


def _from_web_mercator(points: np.ndarray) -> np.ndarray:
    x, y = (points / _EQUATOR).T
    return np.degrees(np.stack([x, np.arctan(np.sinh(y))], axis=1))


def _from_utm(points: np.ndarray, zone: int, false_northing: float) -> np.ndarray:
    """Krueger's series of 1912 to the fourth order, true to less than a micrometre inside a zone."""
    n = _FLATTENING / (2 - _FLATTENING)
    radius = _EQUATOR / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    beta = (
        n / 2 - 2 * n**2 / 3 + 37 * n**3 / 96 - n**4 / 360,
        n**2 / 48 + n**3 / 15 - 437 * n**4 / 1440,
        17 * n**3 / 480 - 37 * n**4 / 840,
        4397 * n**4 / 161280,
    )
    xi = (points[:, 1] - false_northing) / (_SCALE * radius)
    eta = (points[:, 0] - _FALSE_EASTING) / (_SCALE * radius)
    north = xi - sum(b * np.sin(2 * j * xi) * np.cosh(2 * j * eta) for j, b in enumerate(beta, 1))
    east = eta - sum(b * np.cos(2 * j * xi) * np.sinh(2 * j * eta) for j, b in enumerate(beta, 1))
    longitude = np.degrees(np.arctan2(np.sinh(east), np.cos(north))) + 6 * zone - 183
    return np.stack([longitude, np.degrees(_geodetic(np.arcsin(np.sin(north) / np.cosh(east))))], axis=1)


def _geodetic(conformal: np.ndarray) -> np.ndarray:
    """The latitude of a conformal latitude, in radians, by Newton's method."""
    eccentricity = np.sqrt(_FLATTENING * (2 - _FLATTENING))
    wanted, tangent = np.tan(conformal), np.tan(conformal)
    for _ in range(4):
        root = np.hypot(1, tangent)
        sigma = np.sinh(eccentricity * np.arctanh(eccentricity * tangent / root))
        found = tangent * np.hypot(1, sigma) - sigma * root
        slope = (1 - eccentricity**2) * np.hypot(1, tangent) / (1 + (1 - eccentricity**2) * tangent**2)
        tangent = tangent + (wanted - found) / np.hypot(1, found) / slope
    return np.arctan(tangent)


def _through_rasterio(crs: Crs) -> Callable[[np.ndarray], np.ndarray]:
    if not RASTER.installed:
        message = f"its coordinates, in {crs.name}, need an extra package to become longitude and latitude"
        raise InputError(message, f'Install segcli\'s extra "{RASTER.name}": {RASTER.install}')
    known = by_rasterio(crs)
    if known is None:
        raise InputError(f"its coordinate system is not known: {crs.name}", "Give it one with gdal_translate -a_srs.")

    def convert(points: np.ndarray) -> np.ndarray:
        from rasterio.warp import transform

        try:
            return np.stack(transform(known, f"EPSG:{WGS84}", points[:, 0], points[:, 1]), axis=1)
        except Exception:  # errors of GDAL's own kinds, for systems that have nothing to do with the earth
            return np.full(points.shape, np.nan)

    return convert


def by_rasterio(crs: Crs) -> Any:
    """The CRS of rasterio for a coordinate system; None where it does not know it, or is not installed."""
    arrays = tuple((tag, bytes(values), len(values)) for tag, values in sorted(crs.arrays.items()))
    return _known(crs.wkt, arrays) if crs.is_known and RASTER.installed else None


@lru_cache(maxsize=64)
def _known(wkt: str, arrays: tuple[tuple[int, bytes, int], ...]) -> Any:
    from rasterio.crs import CRS

    try:
        return CRS.from_wkt(wkt) if wkt else _of_geokeys(arrays)
    except Exception:  # GDAL raises whatever it likes about data and settings of strangers
        return None


def _of_geokeys(arrays: tuple[tuple[int, bytes, int], ...]) -> Any:
    """The system of geokeys, asked of a TIFF of one pixel in memory: GDAL gets to see nothing else of a file."""
    import io

    import rasterio.io
    import tifffile

    file = io.BytesIO()
    kinds = {KEYS: (3, np.uint16), KEY_TEXT: (2, None)}
    tags = [(33550, 12, 3, (1.0, 1.0, 0.0), True), (33922, 12, 6, (0.0,) * 6, True)]
    for tag, data, count in arrays:
        kind, dtype = kinds.get(tag, (12, np.float64))
        values = data if dtype is None else tuple(np.frombuffer(data, dtype).tolist())
        tags.append((tag, kind, count, values, True))
    tifffile.imwrite(file, np.zeros((1, 1), np.uint8), metadata=None, extratags=tags)
    with rasterio.io.MemoryFile(file.getvalue()) as memory, memory.open(driver="GTiff") as dataset:
        return dataset.crs or None
