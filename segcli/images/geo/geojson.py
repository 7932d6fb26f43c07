"""GeoJSON: the regions of a label map as polygons on a map, with their holes (RFC 7946)."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from msgspec import Struct, convert

from segcli.decoding import parse_json
from segcli.errors import InputError
from segcli.files import parts as parts_of
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.images.geo import affine, reprojection
from segcli.images.geo.ground import pixel_area
from segcli.images.geo.place import Place
from segcli.images.geo.units import GeoJsonCrs
from segcli.images.polygons import UNCORRECTED, Area, with_holes
from segcli.labels import BACKGROUND, LabelSet

DECIMALS = 7
"""The decimals of a degree, a centimetre; more where pixels are so small that their corners would be moved."""
_PARTS_OF_A_PIXEL = 10


def refusal(place: Place | None, system: GeoJsonCrs = "wgs84") -> str:
    """Why a picture has no polygons on a map, in a sentence; empty where it has."""
    if place is None:
        return "It has no place on earth, and so no GeoJSON."
    if place.transform is None:
        return "Its place is known by control points only, and so it has no GeoJSON; gdalwarp makes a map of it."
    if not place.crs.is_known:
        return "Its coordinate system is not stated, and so it has no GeoJSON."
    if system == "own" and not _name(place):
        return "Its coordinate system has no name that GeoJSON could state, and so it has no GeoJSON."
    try:
        _outline(place, None if system == "own" else DECIMALS)
    except InputError as error:
        return f"It has no GeoJSON: {error.message}."
    return ""


def _outline(place: Place, decimals: int | None) -> None:
    """Try the picture's own outline; InputError where it has none."""
    height, width = place.size
    _ring(np.array([(0, 0), (width, 0), (width, height), (0, height)]), place, decimals, hole=False)


def write(
    path: Path, label_map: np.ndarray, labels: LabelSet, place: Place, system: GeoJsonCrs = "wgs84", title: str = ""
) -> None:
    """Write the regions of all classes but background, one feature a line.

    Outer rings run counter-clockwise, holes clockwise, each along the edges of the pixels. A feature's properties are
    its class, the class's id, its pixels and, where that is known, its square metres.

    Args:
        path: Replaced as a whole, or untouched if anything fails.
        label_map: uint8 or uint16 (H, W).
        labels: The classes.
        place: Where the picture lies; `refusal` must have nothing against it.
        system: What the coordinates are; "own" adds the member `crs` of GeoJSON before the standard.
        title: What the photo is called.

    Raises:
        InputError: A corner cannot be brought to longitude and latitude.
    """
    features = list(_features(_areas(label_map, labels), labels, place.of_size(label_map.shape), system, title))
    write_features(path, features, place, system)


def write_areas(
    path: Path,
    areas: Iterable[tuple[int, Area]],
    labels: LabelSet,
    place: Place,
    system: GeoJsonCrs = "wgs84",
    title: str = "",
) -> None:
    """Write regions, each with the id of its class, as `write` does, one at a time in memory.

    Args:
        path: Replaced as a whole, or untouched if anything fails.
        areas: The regions.
        labels: The classes.
        place: Where the picture lies, at the size that the regions' pixels have.
        system: As for `write`.
        title: What the photo is called.

    Raises:
        InputError: A corner cannot be brought to longitude and latitude.
    """
    write_features(path, _features(areas, labels, place, system, title), place, system)


def write_features(path: Path, features: Iterable[str], place: Place, system: GeoJsonCrs) -> None:
    """Write features, which are JSON, as one file."""
    head = {"type": "FeatureCollection", **UNCORRECTED}
    if system == "own":
        head["crs"] = {"type": "name", "properties": {"name": _name(place)}}
    with write_whole(path) as file:
        _write(file.write, head, features)


def _write(write: Any, head: dict, features: Iterable[str]) -> None:
    write(to_json(head).encode()[:-1] + b', "features": [')
    for number, feature in enumerate(features):
        write((",\n" if number else "\n").encode() + feature.encode())
    write(b"\n]}\n")


def merge(path: Path, parts: Iterable[Path], labels: LabelSet) -> None:
    """Write the polygons of many photos into one file; none where their coordinates are of several systems.

    Raises:
        InputError: A part is damaged.
    """
    names = [str(part) for part in parts if part.stat().st_size]  # as texts, which take less memory
    head = _head(Path(names[0])) if names else None
    if head is None or any(_head(Path(name)) != head for name in names):
        path.unlink(missing_ok=True)
        return
    with write_whole(path) as file:
        _write(file.write, head, (line for name in names for line in _lines(Path(name))))


class _Feature(Struct):
    type: Literal["Feature"]
    properties: dict[str, Any]
    geometry: dict[str, Any]


def _head(part: Path) -> dict:
    with parts_of.understood(part), part.open(encoding="utf-8") as file:
        return {key: value for key, value in parse_json(file.readline() + "]}").items() if key != "features"}


def _lines(part: Path) -> Iterator[str]:
    """The features of a file of `write`."""
    with parts_of.understood(part):
        lines = part.read_text(encoding="utf-8").splitlines()[1:]
        features = [line.removesuffix(",") for line in lines if line.startswith("{")]
        for feature in features:
            convert(parse_json(feature), _Feature)
    yield from features


def _features(
    areas: Iterable[tuple[int, Area]], labels: LabelSet, place: Place, system: GeoJsonCrs, title: str
) -> Iterator[str]:
    metres = pixel_area(place)
    decimals = None if system == "own" else _decimals(place)
    for label, area in areas:
        properties = {"class": labels.names[label], "id": label, "image": title, "pixels": area.pixels}
        if metres is not None:
            properties["m2"] = float(f"{area.pixels * metres:.6g}")
        rings = [
            _ring(points, place, decimals, hole=number > 0) for number, points in enumerate((area.outer, *area.holes))
        ]
        geometry = {"type": "Polygon", "coordinates": rings}
        yield to_json({"type": "Feature", "properties": properties, "geometry": geometry})


def _areas(label_map: np.ndarray, labels: LabelSet) -> Iterator[tuple[int, Area]]:
    pixels = np.bincount(label_map.ravel(), minlength=len(labels))
    for label, name in enumerate(labels.names):
        if name != BACKGROUND and pixels[label]:
            yield from ((label, area) for area in with_holes(label_map == label))


def _ring(points: np.ndarray, place: Place, decimals: int | None, hole: bool) -> list[list[float]]:
    """A closed ring of coordinates; `decimals` of degrees, or None for the picture's own system."""
    placed = affine.applied(place.transform, points)
    if not np.isfinite(placed).all():
        raise InputError("its coordinates are too large for numbers")
    if decimals is not None:
        placed = reprojection.to_degrees(place.crs, placed)
        if np.ptp(placed[:, 0]) > 180 or np.abs(placed[:, 0]).max() > 180:
            hint = "Write the map's own coordinates: --geojson-crs own."
            raise InputError("it lies across the 180th meridian, where GeoJSON's polygons must be cut", hint)
        placed = placed.round(decimals)
    if (_doubled_area(placed) < 0) != hole:
        placed = placed[::-1]
    ring = placed.tolist()
    return [*ring, ring[0]]


def _doubled_area(points: np.ndarray) -> float:
    """Twice the area inside a ring, positive where it runs counter-clockwise."""
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = (points - points[0]).T
        return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _decimals(place: Place) -> int:
    """The decimals of a degree that keep the corners of pixels apart."""
    row, column = (side / 2 for side in place.size)
    corners = affine.applied(place.transform, np.array([(column + 1, row), (column, row), (column, row + 1)]))
    steps = np.abs(np.diff(reprojection.to_degrees(place.crs, corners), axis=0)).max(1)
    least = max(float(steps.min()), 1e-12)
    return max(DECIMALS, math.ceil(-math.log10(least / _PARTS_OF_A_PIXEL)))


def _name(place: Place) -> str:
    """What the old member `crs` calls the picture's system; empty where it has no name."""
    if place.crs.epsg:
        return f"urn:ogc:def:crs:EPSG::{place.crs.epsg}"
    if place.crs.wkt:
        return place.crs.wkt
    known = reprojection.by_rasterio(place.crs)
    return known.to_wkt() if known is not None else ""
