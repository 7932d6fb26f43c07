"""Measuring: one range for all the photos of a run, since a stretch by photo gives colours another meaning."""

from abc import abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segcli.files import glance
from segcli.images.headers import is_deep, may_be_deep
from segcli.images.raster import Range
from segcli.images.reading import AUTO, PhotoReading

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
    if not deep:
        return Measured(ordinary=len(photos))
    from segcli.images import values

    found = values.by_kind([photos[number] for number in deep[:: -(-len(deep) // MOST)]], replace(reading, ranges={}))
    ordinary = len(photos) - len(deep) + len(found.pop(ORDINARY, []))
    judged = {kind: values.judged(parts, reading.value_range == AUTO, one_for_all) for kind, parts in found.items()}
    return Measured(
        {kind: bounds for kind, (bounds, _) in judged.items() if bounds},
        {kind: note for kind, (_, note) in judged.items() if note},
        {kind: values.extremes(parts) for kind, parts in found.items()},
        {kind: len(parts) for kind, parts in found.items()},
        ordinary,
    )


def _deep(photos: Sequence[Page]) -> Iterator[int]:
    """The numbers of the photos that may hold more than 8 bits a value."""
    if not isinstance(photos, Glanced):
        return (number for number, (path, _) in enumerate(photos) if may_be_deep(path))
    by_glance = [None if seen == glance.UNSEEN else is_deep(seen) for seen in range(glance.COUNT)]
    known = (by_glance[photos.glance(number)] for number in range(len(photos)))
    return (number for number, deep in enumerate(known) if (may_be_deep(photos[number][0]) if deep is None else deep))
