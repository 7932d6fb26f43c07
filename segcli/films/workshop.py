"""Workshop: the folder in which a film's finished segments wait to be joined, and from which a stopped run goes on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np

from segcli import decoding
from segcli.decoding import at_least
from segcli.files import arrays, workplaces
from segcli.files.atomic import sync, write_whole
from segcli.files.encoding import to_json
from segcli.files.sources import Source

FRAMES = 100
"""The frames of a segment: what a killed run loses at most."""
_KEY = "film.json"


@dataclass(frozen=True)
class Segment:
    """The facts of a finished segment; its pictures lie beside it.

    Attributes:
        numbers: Each frame's number.
        times: Each frame's time in ticks.
        areas: Each frame's pixels by class name.
        raw: The last frame's time as the film's file states it; None where it cannot be relied on.
        length: The ticks from the frame before the last to the last.
        unsure: The sum of the frames' uncertainties.
        listed: The classes that the legend lists so far, by id.
        notes: What the user should know.
    """

    numbers: tuple[Annotated[int, at_least(0)], ...]
    times: tuple[int, ...]
    areas: tuple[dict[str, int], ...]
    raw: int | None = None
    length: Annotated[int, at_least(1)] = 1
    unsure: float = 0.0
    listed: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether what it says can be."""
        return 0 < len(self.numbers) == len(self.times) == len(self.areas)


@dataclass
class Workshop:
    """The folder of one film's segments within an output folder.

    Attributes:
        folder: The folder; hidden, so that nobody takes it for results.
        kinds: The kinds of pictures that each segment has.
        segments: The finished ones, in order.
    """

    folder: Path
    kinds: tuple[str, ...]
    segments: list[Segment] = field(default_factory=list)

    @classmethod
    def of(cls, output: Path, source: Source, kinds: tuple[str, ...], key: str) -> Workshop:
        """Open the film's, with what an earlier run of the same key left; what another one left goes."""
        shop = cls(workplaces.of_film(output, source.tree.as_posix()), kinds)
        if not shop._is_of(key):
            shutil.rmtree(shop.folder, ignore_errors=True)
            shop.folder.mkdir(parents=True)
            with write_whole(shop.folder / _KEY) as file:
                file.write(key.encode())
        shop._find()
        return shop

    def picture(self, kind: str, number: int | None = None) -> Path:
        """The file with a kind's pictures of a segment; of the one that comes next, where none is given."""
        return self.folder / f"{len(self.segments) if number is None else number:05}.{kind}.mkv"

    def pictures(self, kind: str) -> list[Path]:
        """The files with a kind's pictures of all segments."""
        return [self.picture(kind, number) for number in range(len(self.segments))]

    def add(self, segment: Segment, state: Mapping[str, np.ndarray]) -> None:
        """Keep a segment whose pictures are whole, with the state after it; only then does it count."""
        number = len(self.segments)
        files = [self.picture(kind) for kind in self.kinds]
        with write_whole(self._state(number)) as file:
            np.savez(file, **state)
        sync([*files, self._state(number)])
        with write_whole(self._facts(number), durable=True) as file:
            file.write(to_json(asdict(segment)).encode())
        self._state(number - 1).unlink(missing_ok=True)
        self.segments.append(segment)

    def state(self) -> dict[str, np.ndarray]:
        """The state after the last segment; empty where there is none."""
        if not self.segments:
            return {}
        return arrays.read(self._state(len(self.segments) - 1)) or {}

    def _is_of(self, key: str) -> bool:
        try:
            return (self.folder / _KEY).read_bytes() == key.encode()
        except OSError:
            return False

    def _find(self) -> None:
        while segment := self._whole(len(self.segments)):
            self.segments.append(segment)
        while self.segments and not self._is_state(len(self.segments) - 1):
            self.segments.pop()  # the next run begins before it

    def _whole(self, number: int) -> Segment | None:
        """A finished segment; None where there is none of that number."""
        try:
            segment = decoding.decode_json(Segment, self._facts(number).read_bytes())
        except OSError:
            return None
        there = all(self.picture(kind, number).is_file() for kind in self.kinds)
        return segment if segment is not None and segment.is_sound and there else None

    def _is_state(self, number: int) -> bool:
        found = arrays.read(self._state(number))
        return found is not None and all(array.size for array in found.values())

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:05}.state.npz"

    def _facts(self, number: int) -> Path:
        return self.folder / f"{number:05}.json"


def remove(output: Path, source: Source) -> None:
    """Remove a film's folder with all segments, once the film is on record."""
    workplaces.remove(workplaces.of_film(output, source.tree.as_posix()))
