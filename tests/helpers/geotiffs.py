"""Small TIFFs that say where they lie, written tag by tag."""

from pathlib import Path

import numpy as np
import tifffile
from small_runs import smooth

UTM = (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632, 3076, 0, 1, 9001)
"""Geokeys of UTM zone 32 north, whose pixels are areas."""
POINT = (*UTM[:11], 2, *UTM[12:])
"""The same, whose pixels are points."""
DEGREES = (1, 1, 0, 3, 1024, 0, 1, 2, 2048, 0, 1, 4326, 2054, 0, 1, 9102)
WEB = (1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 3857, 3076, 0, 1, 9001)
BELGIAN = (1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 31370, 3076, 0, 1, 9001)
SCALE, TIE, MATRIX, KEYS, TEXT = 33550, 33922, 34264, 34735, 34737
NORTH_UP = {SCALE: (0.5, 0.25, 0.0), TIE: (0.0, 0.0, 0.0, 500_000.0, 5_300_000.0, 0.0)}
ROTATED = {MATRIX: (0.4, 0.3, 0, 5e5, 0.3, -0.4, 0, 5.3e6, 0, 0, 0, 0, 0, 0, 0, 1)}
SOUTH_UP = {MATRIX: (0.5, 0, 0, 5e5, 0, 0.5, 0, 5.3e6, 0, 0, 0, 0, 0, 0, 0, 1)}
_POINTS = (
    *((0, 0, 0, 5e5, 5.3e6, 0), (40, 0, 0, 500_020, 5.3e6, 0), (0, 30, 0, 5e5, 5_299_985, 1)),
    (40, 30, 0, 500_021, 5_299_984, 2),
)
CONTROL_POINTS = {TIE: tuple(number for point in _POINTS for number in point)}
PLACES = {
    "utm": {**NORTH_UP, KEYS: UTM, TEXT: "WGS 84 / UTM zone 32N|WGS 84|"},
    "points": {**NORTH_UP, KEYS: POINT},
    "rotated": {**ROTATED, KEYS: UTM},
    "rotated points": {**ROTATED, KEYS: POINT},
    "south up": {**SOUTH_UP, KEYS: UTM},
    "control points": {**CONTROL_POINTS, KEYS: UTM},
    "degrees": {SCALE: (1e-5, 1e-5, 0), TIE: (0, 0, 0, 9.0, 47.85, 0), KEYS: DEGREES},
    "tied inside": {SCALE: (0.5, 0.5, 0), TIE: (7, 3, 0, 5e5, 5.3e6, 0), KEYS: UTM},
    "web": {SCALE: (0.5, 0.5, 0), TIE: (0, 0, 0, 1e6, 6.1e6, 0), KEYS: WEB},
}
"""Name -> geotags."""


def write(path: Path, tags: dict, height: int = 30, width: int = 40, pixels=None, **options) -> Path:
    """Write a photo of that place, or these pixels; `options` are tifffile's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = list(options.pop("extratags", ()))
    for tag, values in tags.items():
        if tag == TEXT:
            extra.append((tag, 2, None, values, True))
        else:
            extra.append((tag, 3 if tag == KEYS else 12, len(values), tuple(values), True))
    pixels = smooth(3, width, height) if pixels is None else pixels
    assert pixels.shape[:2] == (height, width), pixels.shape
    options = {"photometric": "rgb", "metadata": None, **options}
    tifffile.imwrite(path, np.ascontiguousarray(pixels), extratags=extra, **options)
    return path
