"""Values: those of the photos that a range is measured on, and the range that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcli.errors import InputError
from segcli.images import bands, ranges
from segcli.images.measure import ORDINARY, Page
from segcli.images.opening import TooLargeError
from segcli.images.photo import data_mask, numbers, taken_bands
from segcli.images.ranges import Statistics
from segcli.images.raster import Range, Raster
from segcli.images.read import read_raster
from segcli.images.reading import PhotoReading
from segcli.images.strips.source import opened_strips
from segcli.images.strips.survey import statistics


@dataclass(frozen=True)
class Values:
    """The values of one photo, and the range that its file states; one of 8 bits is not measured."""

    kind: str
    statistics: Statistics
    stated: tuple[Range, ...] = ()
    stated_by: str = ""


def by_kind(photos: Sequence[Page], reading: PhotoReading) -> dict[str, list[Values]]:
    """The values of photos by their kind, such as "uint16", in its order; those that cannot be read are left out."""
    found: dict[str, list[Values]] = {}
    for path, page in photos:
        values = _values(path, page, reading, len(photos))
        if values is not None:
            found.setdefault(values.kind, []).append(values)
    return dict(sorted(found.items()))


def judged(parts: Sequence[Values], auto: bool, one_for_all: bool) -> tuple[Range | None, str]:
    """The range of the photos of one kind, and how it was found; None where each states its own.

    Args:
        parts: Their values; at least one.
        auto: Whether percentiles are taken where no file states a range.
        one_for_all: Whether the photos whose files say different things are measured too.
    """
    measured = parts if one_for_all or _agree(parts) else _silent(parts)
    return _range(parts[0].kind, measured, auto) if measured else (None, "")


def _values(path: Path, page: int | None, reading: PhotoReading, photos: int) -> Values | None:
    try:
        raster = read_raster(path, reading, page)
        if raster is None or raster.kind == ORDINARY:
            return Values(ORDINARY, Statistics.of(np.empty(0)))
        numbers = _data(raster, reading)
    except TooLargeError:
        return _values_in_parts(path, page, reading, photos)
    except InputError:  # whoever reads it says why
        return None
    return Values(raster.kind, Statistics.of(numbers, photos), raster.stated, raster.stated_by)


def _values_in_parts(path: Path, page: int | None, reading: PhotoReading, photos: int) -> Values | None:
    """The same of a photo that is too large to be read as a whole."""
    try:
        with opened_strips(path, reading, page) as strips:
            first = strips.raster(0, min(strips.band, strips.size[0]))
            if first.kind == ORDINARY:
                return Values(ORDINARY, Statistics.of(np.empty(0)))
            return Values(first.kind, statistics(strips, reading, photos), first.stated, first.stated_by)
    except InputError:  # whoever reads it says why
        return None


def _data(raster: Raster, reading: PhotoReading) -> np.ndarray:
    """The values of the chosen bands where there is data."""
    taken = bands.chosen(raster, reading.bands)
    alpha, _ = bands.transparency(raster, taken, reading)
    valid = data_mask(raster, taken, alpha == "mask")
    return numbers(raster, taken_bands(raster, taken), valid)


def extremes(parts: Sequence[Values]) -> Range:
    """The lowest and the highest value of photos of one kind, of what has data."""
    together = Statistics.together(part.statistics for part in parts)
    return together.low, together.high


def _agree(parts: Sequence[Values]) -> bool:
    """Whether all photos of a kind state the same range, or none states any."""
    return len({part.stated for part in parts}) == 1


def _silent(parts: Sequence[Values]) -> list[Values]:
    """The photos that state no range."""
    return [part for part in parts if not part.stated]


def _range(kind: str, parts: Sequence[Values], auto: bool) -> tuple[Range, str]:
    """The range of the photos of one kind, and how it was found."""
    count = f"{len(parts)} photo{'s' * (len(parts) != 1)}"
    if _agree(parts) and len(parts[0].stated) == 1:
        low, high = parts[0].stated[0]
        return (low, high), f"range {low:g} to {high:g} of {kind}, as {parts[0].stated_by} says"
    together = Statistics.together(part.statistics for part in parts)
    if auto:
        low, high = together.percentiles()
        return (low, high), f"range {low:g} to {high:g} of {kind}, measured over {count}"
    bounds, said = ranges.likely(together)
    return bounds, f"{count} of {kind}: {said[0].lower()}{said[1:].rstrip('.')}" if said else ""
