"""Ground: how many metres of ground a pixel of a placed picture shows, at the picture's centre."""

import math

from segcli.errors import InputError
from segcli.images.geo import affine
from segcli.images.geo.place import Place

MOST_ENLARGED = 4
"""How many times a side may be enlarged to a finer ground resolution: beyond, there is nothing in it to be seen."""
LEAST_SIDE = 33
"""The fewest pixels that the longer side may come to."""
_EQUATOR, _FLATTENING = 6378137.0, 1 / 298.257223563


def pixel_area(place: Place | None) -> float | None:
    """The square metres of a pixel; None where the coordinate system is none in a unit of length that is known.

    Mercator's, such as that of web maps, shows all larger the farther it is from the equator; this is undone.
    """
    unit = _unit(place)
    return None if unit is None else affine.area(place.transform) * unit**2


def resolution(place: Place | None) -> tuple[float, float] | None:
    """The metres of a step of one row, and of one column; None where they are not known."""
    if place is not None and place.transform is not None and place.crs.in_degrees:
        return _of_degrees(place)
    unit = _unit(place)
    if unit is None:
        return None
    across, down = affine.steps(place.transform)
    return down * unit, across * unit


def working_size(place: Place | None, centimetres: float) -> tuple[int, int]:
    """The (height, width) at which a pixel of the picture shows so many centimetres of ground.

    Raises:
        InputError: It is not known how large its pixels are, or they are so much larger or smaller that nothing would
            be seen.
    """
    metres = resolution(place)
    if metres is None:
        hint = "Leave out --gsd, or give it a place first (gdal_translate -a_srs, gdalwarp)."
        raise InputError("it has no place in metres, so that --gsd cannot say how large its pixels are", hint)
    scales = [100 * step / centimetres for step in metres]
    own = " x ".join(f"{100 * step:.3g}" for step in dict.fromkeys(metres))
    if max(scales) > MOST_ENLARGED:
        message = f"its pixels show {own} cm of ground, more than {MOST_ENLARGED} times the {centimetres:g} cm of --gsd"
        raise InputError(message, "Give a coarser --gsd: what its pixels do not show cannot be found.")
    height, width = (max(1, round(side * scale)) for side, scale in zip(place.size, scales, strict=True))
    if max(height, width) < LEAST_SIDE:
        message = f"at {centimetres:g} cm a pixel it has {width} x {height} pixels, too few to see anything"
        raise InputError(message, f"Its own pixels show {own} cm of ground; give a finer --gsd.")
    return height, width


def _unit(place: Place | None) -> float | None:
    """The metres on the ground of a unit of the map."""
    if place is None or place.transform is None or place.crs.metres is None:
        return None
    shrinkage = place.crs.shrinkage(*_centre(place))
    return None if shrinkage is None else place.crs.metres * shrinkage


def _centre(place: Place) -> tuple[float, float]:
    height, width = place.size
    x, y = affine.applied(place.transform, [(width / 2, height / 2)])[0]
    return float(x), float(y)


def _of_degrees(place: Place) -> tuple[float, float] | None:
    """The metres of a step of one row and column where the map has degrees, on the ellipsoid of WGS 84."""
    longitude, latitude = _centre(place)
    if abs(latitude) >= 90 or abs(longitude) > 540:
        return None
    sine, square = math.sin(math.radians(latitude)), _FLATTENING * (2 - _FLATTENING)
    bend = 1 - square * sine**2
    east = math.radians(1) * _EQUATOR / math.sqrt(bend) * math.cos(math.radians(latitude))
    north = math.radians(1) * _EQUATOR * (1 - square) / bend**1.5
    a, b, _, d, e, _ = place.transform
    return math.hypot(b * east, e * north), math.hypot(a * east, d * north)
