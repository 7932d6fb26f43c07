"""Groups: photos that are neighbours, which must not be held out and learned from at once.

Frames of one video, tiles of one picture and photos of one place look so much alike that a network which has learned
from one scores the others too well. They are told by their folders, the first parts of their names, the times at which
they were taken, and the order of their numbers: the coarsest of these counts that makes groups small enough.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Literal

from segcli.data.dataset import Sample
from segcli.errors import InputError
from segcli.files.atomic import sha256
from segcli.images.taken import taken

Kind = Literal["folder", "prefix", "time", "block"]
"""What makes photos a group: their folder, the first part of their names, the time, consecutive names."""
PAUSES = (3600, 600, 60, 10)
"""Seconds without a photo that end a group, the longest first."""
GAP = 4
"""How many times the usual step between two numbers ends a run of consecutive photos."""
_PARTS = re.compile(r"\d+|[^\W\d_]+")
_HASH = re.compile(r"(?=.*[a-f])(?=.*\d)[0-9a-f]{8,}(-[0-9a-f]{4,})*")
_EXPORTED = ".rf."
"""What Roboflow puts between a photo's name and a hash, of which copies that it has altered have one each."""

Part = tuple[str, int | str]
Level = tuple[Kind, Part]


@dataclass(frozen=True)
class Group:
    """Photos that stay on one side.

    Attributes:
        kind: What they share.
        members: Their indices in the list that was given, in the order of their names.
    """

    kind: Kind
    members: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.members)


def find(samples: Sequence[Sample], most: int, block: int) -> tuple[Group, ...]:
    """The groups of photos, in the order of their names; every photo is in one. No pixel is read.

    Args:
        samples: The photos.
        most: Larger groups are cut where their names, times or order allow.
        block: The number of consecutive photos in a piece of a larger run.
    """
    levels = [_levels(sample.image) for sample in samples]
    ordered = sorted(range(len(samples)), key=lambda index: (_order(levels[index]), samples[index].name))
    ranks = {index: rank for rank, index in enumerate(ordered)}
    groups = _Cutter(samples, levels, most, max(1, block)).cut("folder", ordered, 0)
    return _copies_together(samples, sorted(groups, key=lambda group: ranks[group.members[0]]))


def _levels(path: Path) -> tuple[Level, ...]:
    """What a photo's path says of it, from the coarsest to the finest."""
    stem = (path.name.partition(_EXPORTED)[0] if _EXPORTED in path.name else path.stem).lower()
    parts = [stem] if _HASH.fullmatch(stem) else _PARTS.findall(stem) or [stem]
    folders = [("folder", ("text", part)) for part in path.parent.parts]
    return (*folders, *(("prefix", ("number", int(part)) if part.isdecimal() else ("text", part)) for part in parts))


def _order(levels: Sequence[Level]) -> list[Part]:
    """The key by which names with numbers are sorted as people do: 9 before 10."""
    return [part for _, part in levels]


@dataclass(frozen=True)
class _Cutter:
    """Cuts photos into groups; the fields are as for `find`, with each photo's levels."""

    samples: Sequence[Sample]
    levels: Sequence[Sequence[Level]]
    most: int
    block: int

    def cut(self, kind: Kind, members: list[int], level: int) -> Iterator[Group]:
        """The groups of photos that share all levels before `level`.

        Those that are few enough, or whose names say no more, are one group.
        """
        deepest = max((len(self.levels[index]) for index in members), default=0)
        apart = self._apart(members, level)
        while len(apart) == 1 and level < deepest:
            level += 1
            apart = self._apart(members, level)
        if len(apart) == 1 or len(members) <= self.most:
            yield Group(kind, tuple(members))
            return
        numbered = {part[1]: some for (_, part), some in apart.items() if part[0] == "number"}
        for (one, part), some in apart.items():
            if part[0] != "number":
                yield from self.cut(one, some, level + 1)
        if numbered:
            yield from self._by_number(numbered, level)

    def _apart(self, members: Sequence[int], level: int) -> dict[Level, list[int]]:
        """The photos by what their names say at a level, where a shorter name has an empty text."""
        apart: dict[Level, list[int]] = {}
        for index in members:
            levels = self.levels[index]
            found = levels[level] if level < len(levels) else ("prefix", ("text", ""))
            apart.setdefault(found, []).append(index)
        return apart

    def _by_number(self, units: dict[int, list[int]], level: int) -> Iterator[Group]:
        """The groups of photos that differ in a number: by time where all have one, else by that number.

        A number names a sequence or a picture of tiles where several photos have it and are numbered below it.
        """
        members = [index for unit in units.values() for index in unit]
        times = self._times(members) if len(members) > self.most else {}
        if len(set(times.values())) > 1:
            yield from self._by_time(sorted(members, key=lambda index: (times[index], index)), times, PAUSES)
        elif len(members) >= 2 * len(units) and self._are_numbered(members, level + 1):
            for unit in units.values():
                yield from self.cut("prefix", unit, level + 1)
        else:
            yield from self._blocks(units)

    def _times(self, members: Sequence[int]) -> dict[int, datetime]:
        """When each of the photos was taken; empty where one does not tell."""
        times: dict[int, datetime] = {}
        for index in members:
            moment = taken(self.samples[index].image)
            if moment is None:
                return {}
            times[index] = moment
        return times

    def _are_numbered(self, members: Sequence[int], level: int) -> bool:
        """Whether most of the photos have a number from a level on."""
        numbered = (any(part[0] == "number" for _, part in self.levels[index][level:]) for index in members)
        return 2 * sum(numbered) > len(members)

    def _by_time(self, members: Sequence[int], times: Mapping[int, datetime], pauses: Sequence[int]) -> Iterator[Group]:
        """Groups of photos between two pauses; what is too large is cut at shorter pauses, and at last into blocks."""
        for some in _runs(members, lambda a, b: (times[b] - times[a]).total_seconds() > pauses[0]):
            if len(some) <= self.most:
                yield Group("time", tuple(some))
            elif len(pauses) > 1:
                yield from self._by_time(some, times, pauses[1:])
            else:
                yield from self._blocks({place: [index] for place, index in enumerate(some)})

    def _blocks(self, units: Mapping[int, Sequence[int]]) -> Iterator[Group]:
        """Blocks of consecutive numbers, none across a gap in them; the photos of one number stay together."""
        numbers = sorted(units)
        usual = median([b - a for a, b in pairwise(numbers)] or [1])
        for run in _runs(numbers, lambda a, b: b - a > GAP * usual):
            count = max(1, round(sum(len(units[number]) for number in run) / self.block))
            for piece in _pieces(run, min(count, len(run))):
                yield Group("block", tuple(index for number in piece for index in units[number]))


def _runs(items: Sequence[int], is_apart: Callable[[int, int], bool]) -> Iterator[list[int]]:
    """The items in runs, cut between two neighbours that are apart."""
    run = list(items[:1])
    for before, item in pairwise(items):
        if is_apart(before, item):
            yield run
            run = []
        run.append(item)
    yield run


def _pieces(items: Sequence[int], count: int) -> Iterator[Sequence[int]]:
    """The items in so many pieces of nearly one length."""
    for piece in range(count):
        yield items[piece * len(items) // count : (piece + 1) * len(items) // count]


def _copies_together(samples: Sequence[Sample], groups: list[Group]) -> tuple[Group, ...]:
    """The groups with photos of the same content all in the group of the first of them."""
    home: dict[str, int] = {}
    members: list[list[int]] = [[] for _ in groups]
    contents = _contents(samples)
    for number, group in enumerate(groups):
        for index in group.members:
            content = contents.get(index)
            members[number if content is None else home.setdefault(content, number)].append(index)
    kept = zip(groups, members, strict=True)
    return tuple(Group(group.kind, tuple(some)) for group, some in kept if some)


def _contents(samples: Sequence[Sample]) -> dict[int, str]:
    """The SHA-256 of those photos that may have copies: others have as many bytes."""
    sizes: dict[int, list[int]] = {}
    for index, sample in enumerate(samples):
        try:
            sizes.setdefault(sample.image.stat().st_size, []).append(index)
        except OSError:
            continue  # reading the photo says why
    found: dict[int, str] = {}
    for alike in sizes.values():
        for index in alike if len(alike) > 1 else ():
            try:
                found[index] = sha256(samples[index].image)
            except (OSError, InputError):
                continue
    return found
