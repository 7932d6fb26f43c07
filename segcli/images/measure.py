"""Measuring: one range for all the photos of a run, since a stretch by photo gives colours another meaning."""

from abc import abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from segcli.errors import InputError
from segcli.files import glance
from segcli.images import bands, ranges
from segcli.images.opening import TooLargeError
from segcli.images.photo import data_mask, numbers, taken_bands
from segcli.images.ranges import Statistics
from segcli.images.raster import Range, Raster
from segcli.images.read import is_deep, may_be_deep, read_raster
from segcli.images.reading import AUTO, PhotoReading
from segcli.images.strips.source import opened_strips
from segcli.images.strips.survey import statistics

MOST = 64
"""The number of photos, evenly spread over a run's, that a range is measured on."""
ORDINARY = "uint8"
"""The kind of values of ordinary photos."""
Page = tuple[Path, int | None]
"""A file, and which of its pages; None for the first."""


class Glanced(Sequence[Page]):
    """Photos at which somebody has looked already."""

    @abstractmethod
    def glance(self, index: int) -> int:
        """What is known of the first bytes of one: a `files.glance`."""


@dataclass(frozen=True)
class Measured:
    """The ranges of a run's photos.

    Attributes:
        ranges: The value that becomes black and the one that becomes white, by kind of values such as "uint16"; empty
            where all photos have 8 bits.
        notes: How they were found, by kind, where that is not plain.
        extremes: The lowest and the highest value by kind, of what has data.
        looked_at: The number of photos that were measured, by kind.
        ordinary: The number of photos of 8 bits, as far as they were looked at.
    """

    ranges: dict[str, Range] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    extremes: dict[str, Range] = field(default_factory=dict)
    looked_at: dict[str, int] = field(default_factory=dict)
    ordinary: int = 0


def measured(photos: Sequence[Page], reading: PhotoReading, one_for_all: bool = False) -> Measured:
    """Measure the photos of more than 8 bits among these; those that cannot be read are passed over.

    The file's own word counts where all photos of a kind say the same; where only some do, these keep it and the others
    are measured. "auto" takes percentiles of the values, and without any word of the user the full range of the type is
    taken, or the fewer bits that all values fit into.

    Args:
        photos: The photos of a run.
        reading: How they are read; its `ranges` are not looked at.
        one_for_all: Measure also the photos whose files say different things, as a model's range must fit all.
    """
    deep = array("Q", _deep(photos))
    looked_at = [photos[number] for number in deep[:: -(-len(deep) // MOST)]] if deep else []
    found: dict[str, list[_Values]] = {}
    for path, page in looked_at:
        values = _values(path, page, replace(reading, ranges={}), len(looked_at))
        if values is not None:
            found.setdefault(values.kind, []).append(values)
    ordinary = len(photos) - len(deep) + len(found.pop(ORDINARY, []))
    return _measured(dict(sorted(found.items())), ordinary, reading.value_range == AUTO, one_for_all)


def _deep(photos: Sequence[Page]) -> Iterator[int]:
    """The numbers of the photos that may hold more than 8 bits a value."""
    if not isinstance(photos, Glanced):
        return (number for number, (path, _) in enumerate(photos) if may_be_deep(path))
    by_glance = [None if seen == glance.UNSEEN else is_deep(seen) for seen in range(glance.COUNT)]
    known = (by_glance[photos.glance(number)] for number in range(len(photos)))
    return (number for number, deep in enumerate(known) if (may_be_deep(photos[number][0]) if deep is None else deep))


def _measured(found: Mapping[str, Sequence["_Values"]], ordinary: int, auto: bool, one_for_all: bool) -> Measured:
    """What the values of the photos of each kind come to."""
    silent = {kind: parts if one_for_all or _agree(parts) else _silent(parts) for kind, parts in found.items()}
    results = {kind: _range(kind, parts, auto) for kind, parts in silent.items() if parts}
    return Measured(
        {kind: bounds for kind, (bounds, _) in results.items()},
        {kind: note for kind, (_, note) in results.items() if note},
        {kind: _extremes(parts) for kind, parts in found.items()},
        {kind: len(parts) for kind, parts in found.items()},
        ordinary,
    )


@dataclass(frozen=True)
class _Values:
    """The values of one photo, and the range that its file states; one of 8 bits is not measured."""

    kind: str
    statistics: Statistics
    stated: tuple[Range, ...] = ()
    stated_by: str = ""


def _values(path: Path, page: int | None, reading: PhotoReading, photos: int) -> _Values | None:
    try:
        raster = read_raster(path, reading, page)
        if raster is None or raster.kind == ORDINARY:
            return _Values(ORDINARY, Statistics.of(np.empty(0)))
        numbers = _data(raster, reading)
    except TooLargeError:
        return _values_in_parts(path, page, reading, photos)
    except InputError:  # whoever reads it says why
        return None
    return _Values(raster.kind, Statistics.of(numbers, photos), raster.stated, raster.stated_by)


def _values_in_parts(path: Path, page: int | None, reading: PhotoReading, photos: int) -> _Values | None:
    """The same of a photo that is too large to be read as a whole."""
    try:
        with opened_strips(path, reading, page) as strips:
            first = strips.raster(0, min(strips.band, strips.size[0]))
            if first.kind == ORDINARY:
                return _Values(ORDINARY, Statistics.of(np.empty(0)))
            return _Values(first.kind, statistics(strips, reading, photos), first.stated, first.stated_by)
    except InputError:  # whoever reads it says why
        return None


def _data(raster: Raster, reading: PhotoReading) -> np.ndarray:
    """The values of the chosen bands where there is data."""
    taken = bands.chosen(raster, reading.bands)
    alpha, _ = bands.transparency(raster, taken, reading)
    valid = data_mask(raster, taken, alpha == "mask")
    return numbers(raster, taken_bands(raster, taken), valid)


def _extremes(parts: Sequence[_Values]) -> Range:
    together = Statistics.together(part.statistics for part in parts)
    return together.low, together.high


def _agree(parts: Sequence[_Values]) -> bool:
    """Whether all photos of a kind state the same range, or none states any."""
    return len({part.stated for part in parts}) == 1


def _silent(parts: Sequence[_Values]) -> list[_Values]:
    """The photos that state no range."""
    return [part for part in parts if not part.stated]


def _range(kind: str, parts: Sequence[_Values], auto: bool) -> tuple[Range, str]:
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
