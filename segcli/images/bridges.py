"""Bridges: regions whose holes are joined to their outlines, since COCO's polygons know no holes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from segcli.images.polygons import Area, Polygon


def bridged(area: Area) -> Polygon:
    """The region as one outline: from it a line leads down to the top left corner of each hole, and back.

    `polygons.outlines` does the same on a mask, which a picture that is done in parts has not as a whole.
    """
    if not area.holes:
        return Polygon(area.outer, area.pixels)
    ways = _Ways((area.outer, *area.holes))
    ways.join(sorted(ways.met()))
    return Polygon(_turns(np.array(ways.points)[ways.loop()]), area.pixels)


class _Ways:
    """The rings of one region as steps from point to point, which are to become one loop.

    Args:
        rings: The outer ring and then the holes, int (n, 2) of x and y each.

    Attributes:
        points: x and y of each point.
        following: The point after each.
        before: The point before each.
    """

    def __init__(self, rings: tuple[np.ndarray, ...]):
        points, lengths = np.concatenate(rings), [len(ring) for ring in rings]
        ends = np.cumsum(lengths)
        begins = ends - lengths
        following, before = np.arange(1, len(points) + 1), np.arange(-1, len(points) - 1)
        following[ends - 1], before[begins] = begins, ends - 1
        self._array, self._after = points, following
        self._corners = begins[1:] + [int(np.lexsort(ring.T)[0]) for ring in rings[1:]]
        self.points, self.following, self.before = points.tolist(), following.tolist(), before.tolist()

    def met(self) -> Iterator[tuple[int, int, int, int]]:
        """Where the way up from each hole meets a border: y, x, the hole's top left corner, and the border's start.

        Borders that go right have the region below them. From the highest to the lowest they are laid over columns, so
        that each hole finds the lowest one above it.
        """
        x, y = self._array.T
        right = np.flatnonzero((y[self._after] == y) & (x[self._after] > x))
        right = right[np.argsort(y[right], kind="stable")]
        bounds = zip(y[right].tolist(), x[right].tolist(), x[self._after[right]].tolist(), right.tolist(), strict=True)
        latest, borders = np.zeros(int(x.max()) + 1, np.int64), [*bounds][::-1]
        for corner in self._corners[np.argsort(y[self._corners], kind="stable")].tolist():
            column, row = self.points[corner]
            while borders and borders[-1][0] < row:
                _, first, last, start = borders.pop()
                latest[first:last] = start
            border = int(latest[column])
            yield self.points[border][1], column, corner, border

    def join(self, meetings: list[tuple[int, int, int, int]]) -> None:
        """Lead the loop of each hole to the border that was met and back; they come from left to right."""
        latest: dict[int, int] = {}  # the last part that a border was divided into
        for row, column, corner, whole in meetings:
            part = latest.get(whole, whole)
            if self.points[part] != [column, row]:
                part = self._add([column, row], part, self.following[part])
            latest[whole] = part
            outer, last = self.before[part], self.before[corner]
            self._add([column, row], outer, corner)
            self._add(self.points[corner], last, part)

    def _add(self, point: list[int], before: int, following: int) -> int:
        """Put a new point between two; its number."""
        number = len(self.points)
        self.points.append(point)
        self.following.append(following)
        self.before.append(before)
        self.following[before] = self.before[following] = number
        return number

    def loop(self) -> list[int]:
        """The points of the one loop, from the outer ring's first on."""
        loop, point = [0], self.following[0]
        while point != 0:
            loop.append(point)
            point = self.following[point]
        return loop


def _turns(points: np.ndarray) -> np.ndarray:
    """The points of a loop (n, 2) where it turns."""
    steps = np.sign(np.roll(points, -1, 0) - points)
    return points[np.any(steps != np.roll(steps, 1, 0), axis=1)]
