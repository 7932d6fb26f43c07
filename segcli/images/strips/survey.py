"""Survey: what is decided once for a picture that is read in parts, as `photo.photo_of` decides it of a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from segcli.errors import InputError
from segcli.images import bands, ranges
from segcli.images.photo import (
    View,
    can_hold,
    colour_values,
    data_mask,
    limits_of,
    numbers,
    of_bands,
    rendered,
    void_note,
)
from segcli.images.ranges import Statistics
from segcli.images.raster import Raster
from segcli.images.reading import Alpha, PhotoReading
from segcli.images.strips import filling
from segcli.images.strips.source import Strips


@dataclass(frozen=True)
class Survey:
    """What the values of a picture become, and what fills its pixels without data.

    Attributes:
        view: The bands, the alpha and the ranges.
        notes: Remarks on the whole picture, as a `Photo` has them.
        void: The number of pixels without data.
        blocks: `filling.ground`, where some pixels have no data and some have; else None.
    """

    view: View
    notes: tuple[str, ...] = ()
    void: int = 0
    blocks: np.ndarray | None = None


@dataclass(frozen=True)
class _Count:
    """The data of a picture: pixels without any, values that are numbers and data, the smallest and the largest."""

    void: int = 0
    values: int = 0
    low: float = np.inf
    high: float = -np.inf

    def __add__(self, other: _Count) -> _Count:
        low, high = min(self.low, other.low), max(self.high, other.high)
        return _Count(self.void + other.void, self.values + other.values, low, high)


def surveyed(strips: Strips, reading: PhotoReading) -> Survey:
    """Look at a picture as often as it takes: not at all where all of it is data of 8 bits.

    Raises:
        InputError: The picture is damaged, the bands are not there, or alpha cannot be undone in parts.
    """
    look = _Look.of(strips, reading)
    first, count = look.first, _Count()
    if look.may_lack_data:
        count = look.counted()
    limits, more = limits_of(of_bands(first, look.taken), look.values(first), reading, partial(look.statistics, 1))
    view = View(look.taken, look.alpha, limits)
    said: list[str] = []
    rendered(first, view, look.values(first), said)
    said = [] if look.alpha == "over-white" else said  # what is said of alpha is true of these rows alone
    height, width = strips.size
    void = (void_note(count.void, height * width),) if count.void else ()
    blocks = None
    if count.void:
        blocks = filling.ground(look.shown(raster, view) for raster in look.rasters())
    return Survey(view, (*first.notes, *look.notes, *more, *said, *void), count.void, blocks)


def statistics(strips: Strips, reading: PhotoReading, photos: int = 1) -> Statistics:
    """What the values of a picture come to.

    Args:
        strips: The picture.
        reading: How it is read.
        photos: The number of photos that share a sample; see `Statistics.of`.

    Raises:
        InputError: As for `surveyed`.
    """
    return _Look.of(strips, reading).statistics(photos)


def shown(raster: Raster, view: View) -> tuple[np.ndarray, np.ndarray | None]:
    """The colours, uint8 (H, W, 3), of rows that a raster holds, and where they have data; None: everywhere."""
    rgb = rendered(raster, view, colour_values(raster, view.taken, view.alpha), [])
    return rgb, data_mask(raster, view.taken, view.alpha == "mask")


@dataclass(frozen=True)
class _Look:
    """A picture with the bands that are taken and what is done with alpha.

    Attributes:
        first: Its first rows.
        notes: Remarks on alpha.
    """

    strips: Strips
    first: Raster
    taken: tuple[int, ...]
    alpha: Alpha
    notes: tuple[str, ...]

    @classmethod
    def of(cls, strips: Strips, reading: PhotoReading) -> _Look:
        first = strips.raster(0, min(strips.band, strips.size[0]))
        taken = bands.chosen(first, reading.bands)
        stated = bands.stated_transparency(first, taken, reading)
        alpha, notes = (stated, ()) if stated is not None else _judged(strips, first)
        if alpha != "ignore" and first.kind != "uint8" and (first.premultiplied or alpha == "over-white"):
            message = f"its alpha of {first.kind} cannot be undone in a picture that is read in parts"
            raise InputError(message, "Take the colours as they are: --alpha ignore.")
        return cls(strips, first, taken, alpha, notes)

    @property
    def may_lack_data(self) -> bool:
        """Whether there may be pixels without data."""
        one = self.first
        states = one.valid is not None or (one.nodata is not None and can_hold(one.values.dtype, one.nodata))
        return states or one.values.dtype.kind == "f" or self.alpha == "mask"

    def rasters(self) -> Iterator[Raster]:
        """The picture, band by band."""
        return _rasters(self.strips)

    def values(self, raster: Raster) -> np.ndarray:
        return colour_values(raster, self.taken, self.alpha)

    def shown(self, raster: Raster, view: View) -> tuple[np.ndarray, np.ndarray | None]:
        return shown(raster, view)

    def counted(self) -> _Count:
        """The data of the whole picture."""
        return sum(map(self._count, self.rasters()), _Count())

    def _count(self, raster: Raster) -> _Count:
        valid = data_mask(raster, self.taken, self.alpha == "mask")
        found = self._numbers(raster, valid)
        void = 0 if valid is None else int(valid.size - np.count_nonzero(valid))
        limits = (float(found.min()), float(found.max())) if found.size else (np.inf, -np.inf)
        return _Count(void, found.size, *limits)

    def _numbers(self, raster: Raster, valid: np.ndarray | None) -> np.ndarray:
        found = numbers(raster, self.values(raster), valid)
        return found[np.isfinite(found)] if found.dtype.kind == "f" else found

    def statistics(self, photos: int) -> Statistics:
        """What all values come to, as `Statistics.of` says it of those of a whole picture."""
        count = self.counted()
        step, start, parts = max(1, count.values // max(1, ranges.SAMPLE // photos)), 0, []
        for raster in self.rasters():
            found = self._numbers(raster, data_mask(raster, self.taken, self.alpha == "mask"))
            parts.append(found[-start % step :: step].copy())
            start += found.size
        limits = (count.low, count.high) if count.values else (0.0, 0.0)
        return Statistics(*limits, np.concatenate(parts), self.first.values.dtype.kind != "f")


def _rasters(strips: Strips) -> Iterator[Raster]:
    height = strips.size[0]
    for top in range(0, height, strips.band):
        yield strips.raster(top, min(top + strips.band, height))


def _judged(strips: Strips, first: Raster) -> tuple[Alpha, tuple[str, ...]]:
    """What is done with alpha by its values in the whole picture, and remarks."""
    step, start, parts, most = bands.sample_step(strips.size[0] * strips.size[1]), 0, [], -np.inf
    used = False
    for raster in _rasters(strips):
        values = raster.values[..., raster.alpha].ravel()
        parts.append(values[-start % step :: step].copy())
        start, used, most = start + values.size, used or bool(values.any()), max(most, bands.largest(values))
    return bands.judged(first, np.concatenate(parts), used, bands.opaque_by(first.values.dtype, most))
