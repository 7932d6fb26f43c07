"""Units: the coordinates and lengths in which people speak of places on earth."""

from typing import Annotated, Literal

from msgspec import Meta

GeoJsonCrs = Literal["wgs84", "own"]
"""The coordinates of polygons: longitude and latitude, as the standard wants them, or the picture's own."""
GroundResolution = Annotated[float, Meta(gt=0, le=1e6)]
"""Centimetres of ground a pixel."""
