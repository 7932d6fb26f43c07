"""ROI: one region of ImageJ as its ROI Manager saves it, decoded from the bytes.

A header of 64 bytes, all numbers big-endian, is followed by points or a path, and from version 221 on by a second
header with the name. The layout is that of ImageJ's own `RoiDecoder`.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from segcli.data.forms.shapes import box, ellipse
from segcli.errors import DatasetError

SUBPIXEL_VERSION, SUBPIXEL_BOX_VERSION, LARGE_GROUP_VERSION = 222, 223, 229
"""The first versions whose points are fractions, whose rectangles and ovals are, and whose groups pass 255."""
MAX_CURVES = 20_000
"""The most curves of one path; 5,000 ovals have as many."""
CURVE_POINTS = 64
"""The points that stand for one curve, mostly the quarter of an oval: 0.1 pixels off where its radius is 1000."""
LOWEST = -5000
"""ImageJ takes 16-bit numbers below this one for numbers above 32767."""

_HEADER, _SECOND_HEADER = 64, 52
_POLYGON, _RECTANGLE, _OVAL, _FREEHAND, _TRACED = 0, 1, 2, 7, 8
_NO_AREA = {3: "line", 4: "line", 5: "line", 6: "empty", 9: "line", 10: "point"}
_TEXT, _ELLIPSE, _IMAGE, _TURNED_RECTANGLE = 1, 3, 4, 5
_SPLINE, _SUBPIXEL = 1, 128
_PATH_POINTS = {0: 1, 1: 1, 2: 2, 3: 3, 4: 0}
"""A path's command (start, line, quadratic and cubic curve, close) -> the points that follow it."""

_PARTS = np.linspace(0, 1, CURVE_POINTS + 1)[1:]
_BERNSTEIN = {
    degree: np.stack([comb(degree, i) * _PARTS**i * (1 - _PARTS) ** (degree - i) for i in range(degree + 1)], 1)
    for degree in (2, 3)
}
"""The weights, float64 (CURVE_POINTS, degree + 1), of a Bezier curve's points."""


@dataclass(frozen=True)
class Roi:
    """One region.

    Attributes:
        rings: Its outlines, float64 (n, 2) each of x and y in pixels from the top left corner, even-odd.
        nothing: Why it encloses no pixels, such as "point" or "line"; empty where it does.
        name: As it is stored inside; often the place, such as "0012-0345".
        group: Its group, 0 for none.
        properties: Its own keys, in lower case, and values.
        plane: The slice of a stack that it belongs to; empty for all of them.
        is_box: Whether it is an upright rectangle.
        is_spline: Whether ImageJ bends its outline through the points.
    """

    rings: tuple[np.ndarray, ...]
    nothing: str
    name: str
    group: int
    properties: dict[str, str]
    plane: tuple[int, ...]
    is_box: bool
    is_spline: bool


@dataclass(frozen=True)
class _Header:
    """The numbers of the first header that decide what the region is."""

    data: bytes
    version: int
    kind: int
    bounds: tuple[int, int, int, int]
    count: int
    path: int
    subtype: int
    options: int
    arc: int

    @property
    def subpixel(self) -> bool:
        return bool(self.options & _SUBPIXEL) and self.version >= SUBPIXEL_VERSION

    def floats(self, offset: int, count: int) -> np.ndarray:
        """float64 (count,) of the 32-bit numbers at an offset."""
        return _numbers(self.data, ">f4", offset, count)


def decode(data: bytes) -> Roi:
    """The region in the bytes of a .roi file; DatasetError where they end early or are none."""
    header = _header(data)
    nothing = {_TEXT: "text", _IMAGE: "image"}.get(header.subtype, "") if header.kind == _RECTANGLE else ""
    if not nothing and not header.path:
        nothing = _NO_AREA.get(header.kind, "")
    rings = () if nothing else tuple(_rings(header))
    plain = header.kind == _RECTANGLE and not header.path and not header.arc
    name, properties, group, plane = _second_header(header)
    spline = bool(header.options & _SPLINE) and header.kind in (_POLYGON, _FREEHAND, _TRACED)
    return Roi(rings, nothing, name, group, properties, plane, plain and not nothing, spline)


def _header(data: bytes) -> _Header:
    if not data.startswith(b"Iout"):
        raise DatasetError("it does not start like an ImageJ ROI")
    if len(data) < _HEADER:
        raise DatasetError("the ROI ends too early")
    version, kind, *bounds, count = struct.unpack_from(">hBx4hH", data, 4)
    path, subtype, options, arc = struct.unpack_from(">i8xhH2xh", data, 36)
    top, left, bottom, right = (number + 65536 if number < LOWEST else number for number in bounds)
    if path > 0 and kind != _RECTANGLE:
        raise DatasetError(f"a composite ROI has type {kind}, which does not exist")
    if not count and kind not in (_RECTANGLE, _OVAL):
        (count,) = struct.unpack_from(">i", data, 18)
    return _Header(data, version, kind, (left, top, right, bottom), count, max(path, 0), subtype, options, arc)


def _numbers(data: bytes, kind: str, offset: int, count: int) -> np.ndarray:
    """float64 (count,) of numbers at an offset."""
    if count < 0 or offset < 0 or offset + count * np.dtype(kind).itemsize > len(data):
        raise DatasetError("the ROI ends too early")
    numbers = np.frombuffer(data, kind, count, offset).astype(np.float64)
    if not np.all(np.isfinite(numbers)):
        raise DatasetError("the ROI has a coordinate that is not a number")
    return numbers


def _rings(header: _Header) -> Iterator[np.ndarray]:
    if header.path:
        yield from _path(header.floats(_HEADER, header.path).tolist())
    elif header.kind in (_RECTANGLE, _OVAL):
        yield _upright(header)
    elif header.kind == _FREEHAND and header.subtype in (_ELLIPSE, _TURNED_RECTANGLE):
        yield _turned(header)
    elif header.kind in (_POLYGON, _FREEHAND, _TRACED):
        yield _points(header)
    else:
        raise DatasetError(f"the ROI has type {header.kind}, which is unknown")


def _points(header: _Header) -> np.ndarray:
    """The corners of a polygon: 16-bit numbers from its bounds' corner, or fractions that follow them."""
    count = header.count
    if header.subpixel:
        return header.floats(_HEADER + 4 * count, 2 * count).reshape(2, count).T
    points = _numbers(header.data, ">i2", _HEADER, 2 * count).reshape(2, count).T
    points = np.where(points < LOWEST, points + 65536, np.maximum(points, 0))
    return points + header.bounds[:2]


def _upright(header: _Header) -> np.ndarray:
    """A rectangle, perhaps with rounded corners, or an oval."""
    x0, y0, x1, y1 = header.bounds
    if header.subpixel and header.version >= SUBPIXEL_BOX_VERSION:
        x0, y0, width, height = header.floats(18, 4)
        x1, y1 = x0 + width, y0 + height
    if header.kind == _OVAL:
        return ellipse((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2)
    if header.arc <= 0:
        return box(x0, y0, x1, y1)
    radius = np.clip(header.arc / 2, 0, [abs(x1 - x0) / 2, abs(y1 - y0) / 2])
    arcs = ellipse(0, 0, *radius).reshape(4, -1, 2)  # the quarters, from the right clockwise on the screen
    middles = np.array([(x1, y1), (x0, y1), (x0, y0), (x1, y0)]) + radius * [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    return (arcs + middles[:, None]).reshape(-1, 2)


def _turned(header: _Header) -> np.ndarray:
    """An ellipse or a rectangle around the line between two points, with a ratio or a width across it."""
    x0, y0, x1, y1 = header.floats(18, 4)
    across = header.floats(52, 1)[0]
    along = np.array([x1 - x0, y1 - y0])
    length = np.hypot(*along)
    if header.subtype == _ELLIPSE:
        degrees = np.rad2deg(np.arctan2(along[1], along[0]))
        return ellipse((x0 + x1) / 2, (y0 + y1) / 2, length / 2, length * np.clip(across, 0, 1) / 2, degrees)
    x, y = np.array([-along[1], along[0]]) / (length or 1) * across / 2
    return np.array([(x0 + x, y0 + y), (x1 + x, y1 + y), (x1 - x, y1 - y), (x0 - x, y0 - y)])


def _path(numbers: Sequence[float]) -> Iterator[np.ndarray]:
    """The rings of a composite ROI, which is a path of commands."""
    ring: list[tuple[float, float]] = []
    curves = 0
    for command, points in _commands(numbers):
        if command == 0 and ring:
            yield np.array(ring)
            ring = []
        if len(points) > 1:
            curves += 1
            points = _curve([*(ring[-1:] or points[:1]), *points])  # noqa: PLW2901
        if curves > MAX_CURVES:
            raise DatasetError(f"a composite ROI has more than {MAX_CURVES} curves")
        ring += points
    if ring:
        yield np.array(ring)


def _commands(numbers: Sequence[float]) -> Iterator[tuple[float, list[tuple[float, float]]]]:
    """The commands of a path with the points that follow each."""
    place = 0
    while place < len(numbers):
        command = numbers[place]
        if command not in _PATH_POINTS:
            raise DatasetError(f"a composite ROI has the command {command:g}, which does not exist")
        end = place + 1 + 2 * _PATH_POINTS[command]
        if end > len(numbers):
            raise DatasetError("the ROI ends too early")
        yield command, list(zip(numbers[place + 1 : end : 2], numbers[place + 2 : end : 2], strict=True))
        place = end


def _curve(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points along a quadratic or cubic Bezier curve, without its first."""
    return list(map(tuple, (_BERNSTEIN[len(points) - 1] @ np.array(points)).tolist()))


def _second_header(header: _Header) -> tuple[str, dict[str, str], int, tuple[int, ...]]:
    """The name, properties, group and plane."""
    data = header.data
    slice_, offset = struct.unpack_from(">ii", data, 56)
    if offset <= 0:
        return "", {}, 0, (slice_,) if slice_ > 0 else ()
    if offset + _SECOND_HEADER > len(data):
        raise DatasetError("the ROI ends too early")
    channel, depth, time, name, name_length = struct.unpack_from(">5i", data, offset + 4)
    group, properties, properties_length = data[offset + 30], *struct.unpack_from(">ii", data, offset + 40)
    if header.version >= LARGE_GROUP_VERSION and not group and offset + _SECOND_HEADER + 2 <= len(data):
        (group,) = struct.unpack_from(">H", data, offset + _SECOND_HEADER)
    in_stack = (depth, time) if max(channel, depth, time) > 0 else (slice_,)
    lines = (line.partition(":") for line in _text(data, properties, properties_length).splitlines())
    keys = {key.strip().lower(): value.strip() for key, _, value in lines}
    return _text(data, name, name_length), keys, group, in_stack if max(in_stack) > 0 else ()


def _text(data: bytes, offset: int, length: int) -> str:
    """UTF-16 text of `length` units at an offset; empty where there is none."""
    if offset <= 0 or length <= 0:
        return ""
    if offset + 2 * length > len(data):
        raise DatasetError("the ROI ends too early")
    return data[offset : offset + 2 * length].decode("utf-16-be", errors="replace")
