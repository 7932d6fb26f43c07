"""Shapes: the regions that people drew in a labelling tool, and the label maps that they make together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Literal

import numpy as np

from segcli.data.forms import raster
from segcli.errors import DatasetError
from segcli.labels import BACKGROUND, LabelSet

Order = Literal["list", "area"]
"""Which shape lies on top: "list": the last of the file; "area": the smaller one, where a form knows no order."""
ELLIPSE_POINTS = 720
"""The corners of the polygon that stands for an ellipse; it differs from one by 1e-5 of its radius."""


@dataclass(frozen=True)
class Shape:
    """One region of one class.

    Attributes:
        name: The class, as the file calls it.
        rings: Outlines, float (n, 2) each of x and y in pixels from the photo's top left corner. All count together by
            the even-odd rule, so that a ring inside another is a hole.
        bitmap: bool (h, w), instead of rings.
        origin: The (row, column) of the bitmap's first pixel in the photo; parts outside the photo are cut off.
        z: The layer; higher ones lie on top of lower ones, whatever the order.
    """

    name: str
    rings: tuple[np.ndarray, ...] = ()
    bitmap: np.ndarray | None = None
    origin: tuple[int, int] = (0, 0)
    z: int = 0

    def pixels(self, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
        """The region in a photo of that size: bool (h, w), and the (row, column) where it begins in the photo."""
        if self.bitmap is None:
            return raster.fill(self.rings, height, width)
        row, column = self.origin
        cut = self.bitmap[max(0, -row) : max(0, height - row), max(0, -column) : max(0, width - column)]
        return cut, (max(0, row), max(0, column))


def draw(
    shapes: Sequence[Shape], size: tuple[int, int], numbers: Mapping[str, int], order: Order = "list"
) -> np.ndarray:
    """The label map that shapes make together.

    Args:
        shapes: In the order of their file.
        size: (height, width) of the photo.
        numbers: The number, 1 to 65535, of each class's name.
        order: Which shape lies on top where they overlap, within one layer.

    Returns:
        uint16 (H, W) of the numbers; 0 where no shape is.

    Raises:
        DatasetError: A shape has a class without a number, or points that no picture reaches.
    """
    label_map = np.zeros(size, np.uint16)
    for _, layer in groupby(sorted(shapes, key=attrgetter("z")), attrgetter("z")):
        areas = np.full(size, np.iinfo(np.uint32).max, np.uint32) if order == "area" else None
        for shape in layer:
            if shape.name not in numbers:
                raise DatasetError(f"a shape has the class {shape.name!r}, which the file does not list")
            _paint(label_map, areas, shape, numbers[shape.name])
    return label_map


def _paint(label_map: np.ndarray, areas: np.ndarray | None, shape: Shape, number: int) -> None:
    """Draw a shape, but not over smaller ones where the area of the shape at each pixel is given."""
    inside, (row, column) = shape.pixels(*label_map.shape)
    part = np.s_[row : row + inside.shape[0], column : column + inside.shape[1]]
    if areas is not None:
        area = np.count_nonzero(inside)
        inside = inside & (area <= areas[part])
        areas[part][inside] = area
    label_map[part][inside] = number


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """The ring, float64 (4, 2), of a rectangle between two opposite corners."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64)


def is_box(points: np.ndarray) -> bool:
    """Whether a ring (n, 2), open or closed by its first point, is an upright rectangle of four corners."""
    ring = points[:-1] if len(points) == 5 and np.array_equal(points[0], points[-1]) else points
    sides = np.diff(ring, axis=0, append=ring[:1])
    return len(ring) == 4 and bool(np.all((sides == 0).sum(1) == 1) and np.all((sides[0] == 0) != (sides[1] == 0)))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0) -> np.ndarray:
    """The ring, float64 (ELLIPSE_POINTS, 2), of an ellipse around (x, y), turned clockwise on the screen."""
    turn = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    points = np.stack([radius_x * np.cos(turn), radius_y * np.sin(turn)], 1)
    return turned(points + np.array([x, y]), (x, y), degrees)


def turned(points: np.ndarray, centre: tuple[float, float], degrees: float) -> np.ndarray:
    """Points (n, 2) turned around a centre, clockwise on the screen."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - centre) @ matrix + centre


def foreground(labels: LabelSet) -> dict[int, str]:
    """Id -> name of the classes that shapes stand for: all but background, which has none, and void."""
    return {label: name for label, name in enumerate(labels.names) if name != BACKGROUND and label != labels.ignore}
