"""Randomness of surfaces: smooth noise that tiles, and a random number for each cell of a grid."""

from functools import cache

import numpy as np

TILE = 512


@cache
def _tile(roughness: float) -> np.ndarray:
    """(TILE, TILE) periodic noise, mean 0 and deviation 1; its amplitude falls as frequency to that power."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(np.random.default_rng(5).standard_normal((TILE, TILE))) * frequency**-roughness
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (TILE, TILE))
    return (noise / noise.std()).astype(np.float32)


def smooth(u: np.ndarray, v: np.ndarray, period: float, roughness: float = 1.3, fine: bool = False) -> np.ndarray:
    """Cloudy noise over a plane.

    Args:
        u: Coordinates in metres, any shape.
        v: Likewise.
        period: The noise repeats after so many metres.
        roughness: 0.5 grainy, 1.3 patchy, 2 very soft.
        fine: Interpolate between the tile's points, for what is seen larger than they are.

    Returns:
        float32, mean 0 and deviation 1.
    """
    tile, scale = _tile(roughness), np.float32(TILE / period)
    x, y = u * scale, v * scale
    i, j = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    near = tile[i & TILE - 1, j & TILE - 1]
    if not fine:
        return near
    fx, fy = x - i, y - j
    i, j, k, m = i & TILE - 1, j & TILE - 1, i + 1 & TILE - 1, j + 1 & TILE - 1
    return (near * (1 - fx) + tile[k, j] * fx) * (1 - fy) + (tile[i, m] * (1 - fx) + tile[k, m] * fx) * fy


@cache
def _table() -> np.ndarray:
    return np.random.default_rng(7).random(8192).astype(np.float32)


def cell(i: np.ndarray, j: np.ndarray, salt=0) -> np.ndarray:
    """float32 in 0..1 for each cell (i, j) of a grid, another grid for another salt."""
    code = i.astype(np.int32) * 73 + j.astype(np.int32) * 1741 + np.asarray(salt, np.int32) * 2801
    return _table()[(code ^ (code >> 5)) & 8191]
