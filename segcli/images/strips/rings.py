"""Rings: the regions of a label map that comes in strips of rows, as `polygons.with_holes` has those of a whole one.

The borders of a class are pieces, directed so that inside lies on their right. Where a strip ends, at most one piece of
a class crosses each column of corners: a chain that goes down has its tail there, one that comes up its head. In the
next strip a piece goes on from the tail, and another leads into the head; a chain that meets itself is a ring. Regions
are told apart by runs of pixels, joined from strip to strip; one that the last row of a strip does not hold is whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from segcli.images.loops import simple_rings, twice_inside
from segcli.images.polygons import Area
from segcli.images.regions import Regions, connected
from segcli.images.strips.pieces import Pieces

_NOTHING = -1
"""The id of what lies beyond the map."""


def areas(bands: Iterable[np.ndarray], classes: Iterable[int]) -> Iterator[tuple[int, Area]]:
    """The regions of classes in a label map, each with the id of its class, in the order in which they are whole.

    What is in memory is a strip, and the rings of regions that are not whole.

    Args:
        bands: The map's rows, uint8 or uint16 (rows, W), from top to bottom.
        classes: The ids whose regions are asked for.
    """
    wanted, seam = sorted(set(classes)), None
    for band in bands:
        seam = seam or _Seam(-1, np.full(band.shape[1], _NOTHING, np.int32))
        seam, whole = _next(seam, band.astype(np.int32), wanted)
        yield from map(_Region.area, whole)
    if seam is not None:
        _, whole = _next(seam, np.full((1, len(seam.pixels)), _NOTHING, np.int32), wanted)
        yield from map(_Region.area, whole)


@dataclass(eq=False)
class _Chain:
    """The turns of a border that is not closed yet: x, y, x, y, ..."""

    points: array = field(default_factory=lambda: array("i"))
    into: _Chain | None = None

    def found(self) -> _Chain:
        """The chain that this one has become a part of."""
        one = self
        while one.into is not None:
            one = one.into
        return one


@dataclass(eq=False)
class _Region:
    """A region that is not whole: its class, its pixels, and the rings that are closed.

    A sea has as many rings as islands: they lie one after the other, 8 bytes a corner.

    Attributes:
        points: x, y, x, y, ... of all rings.
        lengths: The numbers in `points` that each ring takes.
    """

    label: int
    pixels: int = 0
    points: array = field(default_factory=lambda: array("i"))
    lengths: array = field(default_factory=lambda: array("i"))
    into: _Region | None = None

    def found(self) -> _Region:
        """The region that this one has been joined to."""
        one = self
        while one.into is not None:
            one = one.into
        return one

    def join(self, other: _Region) -> _Region:
        """Take another region of the same class in; the one that both are."""
        one, two = sorted((self.found(), other.found()), key=lambda region: -len(region.points))
        if one is not two:
            one.pixels += two.pixels
            one.points.extend(two.points)
            one.lengths.extend(two.lengths)
            two.into, two.points, two.lengths = one, array("i"), array("i")
        return one

    def close(self, chain: _Chain) -> None:
        """Take a ring."""
        self.points.extend(chain.points)
        self.lengths.append(len(chain.points))

    def area(self) -> tuple[int, Area]:
        """The region once it is whole, with its class."""
        whole = np.array(self.points, np.int64).reshape(-1, 2)
        closed = np.split(whole, np.cumsum(self.lengths)[:-1] // 2)
        rings = [ring for points in closed for ring in simple_rings(points)]
        outer = [ring for ring in rings if twice_inside(ring) > 0]
        holes = tuple(ring for ring in rings if twice_inside(ring) < 0)
        return self.label, Area(outer[0], holes, self.pixels)


@dataclass(eq=False)
class _Seam:
    """What is open between two strips.

    Attributes:
        row: The number of the last row of pixels.
        pixels: Its ids, int32 (W,).
        regions: Column of the first pixel of each run of a wanted class in it -> the run's region.
        tails: Class and column of corners -> the chain that goes down there.
        heads: The same of chains that come up.
    """

    row: int
    pixels: np.ndarray
    regions: dict[int, _Region] = field(default_factory=dict)
    tails: dict[tuple[int, int], _Chain] = field(default_factory=dict)
    heads: dict[tuple[int, int], _Chain] = field(default_factory=dict)


def _next(seam: _Seam, band: np.ndarray, wanted: list[int]) -> tuple[_Seam, list[_Region]]:
    """The seam below a band of rows, and the regions that are whole there."""
    rows = np.concatenate([seam.pixels[None], band])
    found = connected(rows)
    regions = _regions(seam, rows, found, wanted)
    following = _Seam(seam.row + len(band), band[-1].copy())
    present = np.flatnonzero(np.bincount(rows.ravel() + 1, minlength=2))[1 if (rows == _NOTHING).any() else 0 :] - 1
    for label in (label for label in wanted if label in set(present.tolist())):
        _Strip(label, seam, following, Pieces(rows == label), found, regions).follow(rows.shape[1])
    last = found.run_of(np.int64((len(rows) - 1) * rows.shape[1]))
    following.regions = {
        int(start % rows.shape[1]): regions[region].found()
        for start, region in zip(found.starts[last:].tolist(), found.region[last:].tolist(), strict=True)
        if region in regions
    }
    still = set(map(id, following.regions.values()))
    every = {id(one): one for one in (region.found() for region in regions.values())}
    return following, [one for key, one in every.items() if key not in still]


def _regions(seam: _Seam, rows: np.ndarray, found: Regions, wanted: list[int]) -> dict[int, _Region]:
    """The region of each number in `found`, for the wanted classes, with the pixels of the rows below the seam."""
    width = rows.shape[1]
    kept = np.isin(found.values, wanted)
    numbers, lengths, starts = found.region[kept], found.lengths[kept], found.starts[kept]
    regions: dict[int, _Region] = {}
    labels = found.values[numbers]
    for number, label in zip(numbers.tolist(), labels.tolist(), strict=True):
        if number not in regions:
            regions[number] = _Region(label)
    above = starts < width
    for start, number in zip(starts[above].tolist(), numbers[above].tolist(), strict=True):
        regions[number] = seam.regions[start].join(regions[number])
    pixels = np.bincount(numbers[~above], lengths[~above], len(found.region)).astype(np.int64)
    for number in np.unique(numbers[~above]).tolist():
        regions[number].found().pixels += int(pixels[number])
    return regions


@dataclass
class _Strip:
    """The borders of a class in the rows between two seams, the row above the upper one included.

    Attributes:
        label: The class.
        above, below: The seams.
        pieces: The borders' pieces.
        found: The runs of these rows.
        regions: The region of each number in `found`.
    """

    label: int
    above: _Seam
    below: _Seam
    pieces: Pieces
    found: Regions
    regions: dict[int, _Region]

    def follow(self, width: int) -> None:
        """Follow the borders: rings go to their regions, chains to the seam below."""
        pieces = self.pieces
        seen = np.zeros(pieces.count, bool)
        for first in pieces.from_above.tolist():
            column = pieces.column(first)
            self._walk(first, self.above.tails.pop((self.label, column)).found(), seen)
        for first in pieces.from_below.tolist():
            chain = self.below.heads[self.label, pieces.column(first)] = _Chain()
            self._walk(first, chain, seen)
        for first in range(pieces.rights):
            if not seen[first]:
                row, column = pieces.start(first)
                self._close(self._walk(first, _Chain(array("i", self._point(first))), seen), row * width + column)

    def _walk(self, first: int, chain: _Chain, seen: np.ndarray) -> _Chain:
        """Go on with a chain from a piece whose start it has, to where it ends; the chain."""
        pieces, piece = self.pieces, first
        while True:
            seen[piece] = True
            following = pieces.following[piece]
            if following == first:
                return chain
            if following < 0:
                self._end(piece, chain)
                return chain
            piece = following
            chain.points.extend(self._point(piece))

    def _point(self, piece: int) -> tuple[int, int]:
        """The x, y where a piece starts."""
        row, column = self.pieces.start(piece)
        return column, row + self.above.row

    def _end(self, piece: int, chain: _Chain) -> None:
        """Leave a chain at the seam that its last piece leads to."""
        column = self.pieces.column(piece)
        if self.pieces.is_down(piece):
            self.below.tails[self.label, column] = chain
            return
        head = self.above.heads.pop((self.label, column)).found()
        if head is chain:
            self._close(chain, column)  # inside lies to the right of a piece that comes up
        else:
            chain.points.extend(head.points)
            head.into, head.points = chain, array("i")

    def _close(self, chain: _Chain, place: int) -> None:
        """Give a ring to the region that holds the pixel at a place, counted row by row."""
        number = int(self.found.region[self.found.run_of(np.int64(place))])
        self.regions[number].found().close(chain)
