"""Crs: the coordinate reference system of a picture, as geokeys or text state it, and what its units are in metres.

Only what most maps use is understood here, and nothing is guessed: what is not understood is left to rasterio.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from segcli.files.formats import RASTER

MODEL, RASTER_TYPE, GEOGRAPHIC, ANGULAR_UNIT = 1024, 1025, 2048, 2054
PROJECTED, LINEAR_UNIT, UNIT_SIZE = 3072, 3076, 3077
"""The geokeys that are looked at (GeoTIFF 1.1, annex B)."""
PROJECTED_MODEL, GEOGRAPHIC_MODEL, PIXEL_IS_POINT, USER_DEFINED = 1, 2, 2, 32767
DEGREE = 9102
WGS84, WEB_MERCATOR = 4326, 3857
UNITS = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}
"""EPSG's code of a unit of length -> metres: metre, foot, US survey foot."""
MERCATORS = (3857, 3395, 3785, 900913)
"""The EPSG codes of Mercator's projection, whose metres are shorter the farther from the equator one goes."""
LIKE_WGS84 = (4326, 4258, 4269, 4283, 7844)
"""Longitude and latitude that differ from those of WGS 84 by a metre or two at most, and are taken as they are."""
_METRES = (
    *(range(32601, 32661), range(32701, 32761), range(25828, 25839), range(23028, 23039), range(26901, 26924)),
    *(range(26701, 26723), range(31466, 31470), range(28348, 28359), range(31254, 31260)),
    *((epsg,) for epsg in (3857, 3395, 2154, 27700, 28992, 2056, 21781, 31370, 3034, 3035, 3006, 3067, 2180, 2193)),
)
"""Projected systems in metres: UTM, Gauss-Krueger, and the large countries' own."""
_PROJECTED_NODES = ("PROJCS", "PROJCRS", "PROJECTEDCRS")
_GEOGRAPHIC_START = re.compile(r"\s*(GEOGCS|GEOGCRS|GEOGRAPHICCRS|GEODCRS)\s*[\[(]", re.I)
_TOKEN = re.compile(r"\"[^\"]*\"|[\[\]()]|[A-Za-z_]\w*|[-+]?\d+\.?\d*(?:[Ee][-+]?\d+)?")
_LAST_CODE = re.compile(r"(?:AUTHORITY|ID)\s*[\[(]\s*\"EPSG\"\s*,\s*\"?(\d{4,6})\"?\s*[\])]\s*[\])]\s*$", re.I)
_MERCATOR_METHOD = re.compile(r"(?:PROJECTION|METHOD)\s*[\[(]\s*\"(?!Transverse|.*Oblique)[^\"]*Mercator", re.I)
_MERCATOR_RADIUS = 6378137.0


@dataclass(frozen=True)
class Crs:
    """A coordinate reference system.

    Attributes:
        keys: Geokey -> its number or text, as a GeoTIFF states them.
        wkt: Well-known text, of a .prj or .aux.xml file, which goes before the keys; empty for none.
        arrays: The tags that hold the geokeys: the directory, its numbers, its text.
    """

    keys: Mapping[int, float | str] = field(default_factory=dict)
    wkt: str = ""
    arrays: Mapping[int, np.ndarray | bytes] = field(default_factory=dict, compare=False)

    @property
    def is_known(self) -> bool:
        """Whether anything is stated."""
        return bool(self.wkt or PROJECTED in self.keys or GEOGRAPHIC in self.keys or MODEL in self.keys)

    @cached_property
    def epsg(self) -> int | None:
        """EPSG's code of the system; None where it has none, or does not say."""
        if self.wkt:
            found = _LAST_CODE.search(self.wkt)
            return int(found[1]) if found else _by_name(self.wkt)
        code = self.keys.get(GEOGRAPHIC if self.is_geographic else PROJECTED, USER_DEFINED)
        return int(code) if not isinstance(code, str) and 1024 <= code < USER_DEFINED else None

    @cached_property
    def is_geographic(self) -> bool:
        """Whether coordinates are longitude and latitude."""
        if self.wkt:
            return _GEOGRAPHIC_START.match(self.wkt) is not None
        return self.keys.get(MODEL, None if PROJECTED in self.keys else GEOGRAPHIC_MODEL) == GEOGRAPHIC_MODEL

    @property
    def in_degrees(self) -> bool:
        """Whether coordinates are longitude and latitude in degrees."""
        return (
            self.is_known and self.is_geographic and (bool(self.wkt) or self.keys.get(ANGULAR_UNIT, DEGREE) == DEGREE)
        )

    @cached_property
    def metres(self) -> float | None:
        """The metres of a unit of a projected system; None where there is no such, or it is not known."""
        if not self.is_known or self.is_geographic:
            return None
        stated = _unit_of(self.wkt) if self.wkt else self._unit_of_keys()
        if stated is None and any(self.epsg in codes for codes in _METRES):
            return 1.0
        return stated if stated is not None else _unit_by_rasterio(self)

    def _unit_of_keys(self) -> float | None:
        if self.keys.get(MODEL, PROJECTED_MODEL) != PROJECTED_MODEL:
            return None
        unit = self.keys.get(LINEAR_UNIT)
        size = self.keys.get(UNIT_SIZE) if unit == USER_DEFINED else UNITS.get(unit)
        return size if isinstance(size, float) and _is_length(size) else None

    @cached_property
    def is_mercator(self) -> bool:
        """Whether its metres are those of Mercator's projection."""
        return self.epsg in MERCATORS or bool(self.wkt and _MERCATOR_METHOD.search(self.wkt))

    def shrinkage(self, x: float, y: float) -> float | None:
        """The metres on the ground of a metre of the map at a point; None where that is not known."""
        if not self.is_mercator:
            return 1.0
        return 1 / np.cosh(y / _MERCATOR_RADIUS) if abs(y) < 3e7 and abs(x) < 3e7 else None

    @property
    def name(self) -> str:
        """A name for messages."""
        if self.epsg:
            return f"EPSG:{self.epsg}"
        quoted = re.search(r"\"([^\"]{1,60})\"", self.wkt)
        return quoted[1] if quoted else "a coordinate system without an EPSG code"


def _by_name(wkt: str) -> int | None:
    """The EPSG code of what ESRI's texts call by a name alone."""
    name = (re.match(r"\s*\w+\s*\[\s*\"([^\"]{1,60})\"", wkt) or ("", ""))[1]
    if zone := re.fullmatch(r"(WGS_1984|ETRS_1989)_UTM_Zone_([1-9]|[1-5]\d|60)([NS])", name):
        base = 25800 if zone[1] == "ETRS_1989" else 32600 if zone[3] == "N" else 32700
        return base + int(zone[2])
    return {"GCS_WGS_1984": WGS84, "WGS_1984_Web_Mercator_Auxiliary_Sphere": WEB_MERCATOR}.get(name)


def keys_of(directory: np.ndarray, numbers: np.ndarray, text: bytes) -> dict[int, float | str]:
    """The geokeys of a TIFF; ValueError where they are damaged.

    Args:
        directory: uint16 (4 n,) of tag 34735.
        numbers: float64 of tag 34736.
        text: Of tag 34737.
    """
    if directory.size < 4 or directory[0] != 1:
        raise ValueError("its geokeys do not start as such")
    count = int(directory[3])
    if directory.size < 4 * (count + 1):
        raise ValueError("its geokeys are cut short")
    keys: dict[int, float | str] = {}
    for key, place, length, value in directory[4 : 4 * (count + 1)].reshape(-1, 4).tolist():
        if place == 0:
            keys[key] = value
        elif place == 34736 and length and value + length <= numbers.size:
            keys[key] = float(numbers[value])
        elif place == 34737 and value + length <= len(text):
            keys[key] = text[value : value + length].decode("latin-1").rstrip("|\0")
    return keys


def _unit_of(wkt: str) -> float | None:
    """The metres of the units of the projected system in a well-known text; None where it states none, or several."""
    sizes = set(_own_units(wkt))
    return next((size for size in sizes if len(sizes) == 1 and _is_length(size)), None)


def _is_length(metres: float) -> bool:
    return 1e-3 < metres < 1e4


def _own_units(wkt: str) -> Iterator[float]:
    """The sizes of the units of the projected system and its axes, not of what it is derived from."""
    nodes, word = [], ""
    for token in _TOKEN.findall(wkt):
        if token in "[(":
            nodes.append(word.upper())
        elif token in "])":
            nodes = nodes[:-1]
        elif token[0].isalpha():
            word = token
        elif nodes[-1:] in (["UNIT"], ["LENGTHUNIT"]) and token[0] != '"' and _of_projected(nodes[:-1]):
            yield float(token)


def _of_projected(nodes: list[str]) -> bool:
    return (nodes[:-1] if nodes[-1:] == ["AXIS"] else nodes)[-1:] in ([name] for name in _PROJECTED_NODES)


def _unit_by_rasterio(crs: Crs) -> float | None:
    """What rasterio says where it is installed."""
    if not RASTER.installed:
        return None
    from segcli.images.geo.reprojection import by_rasterio

    known = by_rasterio(crs)
    return known.linear_units_factor[1] if known is not None and known.is_projected else None
