"""Readers of files, the damaged files that they are given, and what becomes of these: the engine of tests/fuzz.py."""

import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from damage import DAMAGES, Outcome, numbered, spliced

from segcli.errors import SegcliError

Damage = Callable[[bytes, random.Random], bytes]
"""A function that damages a file's bytes."""


@dataclass(frozen=True)
class Seed:
    """A file that is whole.

    Attributes:
        path: Its place in a folder of its own.
        content: Its bytes.
        beside: The other files of that folder: place -> bytes.
        form: What its reader has to know of it.
    """

    path: str
    content: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)
    form: str = ""


@dataclass(frozen=True)
class Reader:
    """One of the tool's readers.

    Attributes:
        name: What the counts call it.
        make: Makes the whole files; with a folder for what a writer needs.
        read: Reads the file of a seed in a folder, which is damaged; what it returns does not matter.
        damages: What can happen to such files, beside what can happen to any.
        share: How many of its files are tried for one of another reader's.
        keeps: Whether the files beside stay as they are from one damaged file to the next: the reader writes nothing.
    """

    name: str
    make: Callable[[Path], Sequence[Seed]]
    read: Callable[[Path, Seed], object]
    damages: tuple[Damage, ...] = ()
    share: float = 1.0
    keeps: bool = True


@dataclass(frozen=True)
class Trial:
    """A reader with its whole files, in a folder of its own.

    Attributes:
        reader: The reader.
        seeds: Its whole files.
        folder: Where damaged files are written.
        seed: What all chances depend on.
    """

    reader: Reader
    seeds: Sequence[Seed]
    folder: Path
    seed: int = 0

    @classmethod
    def of(cls, reader: Reader, folder: Path, seed: int = 0) -> "Trial":
        """Make the whole files of a reader, below a folder."""
        made, place = folder / f"made {reader.name}", folder / f"tried {reader.name}"
        made.mkdir(parents=True)
        return cls(reader, tuple(reader.make(made)), place, seed)

    def file(self, number: int) -> tuple[Seed, bytes]:
        """The whole file that the damaged one of a number is made of, and its bytes."""
        whole = self.seeds[number % len(self.seeds)]
        chance = random.Random(f"{self.seed} {self.reader.name} {number}")
        if chance.random() < 0.1:
            return whole, spliced(whole.content, chance.choice(self.seeds).content, chance)
        damages = (*DAMAGES, numbered, *self.reader.damages * 2)
        content = chance.choice(damages)(whole.content, chance)
        return whole, _again(content, chance.choice(damages), chance) if chance.random() < 0.1 else content

    def attempt(self, number: int, outcome: Outcome) -> None:
        """Read the damaged file of a number."""
        whole, content = self.file(number)
        place = self._written(whole, content)
        crashes = len(outcome.crashes)
        outcome.add(lambda _: self.reader.read(place, whole), place)
        outcome.crashes[crashes:] = [f"{self.name(number)}: {told}" for told in outcome.crashes[crashes:]]

    def name(self, number: int) -> str:
        """How a damaged file is made again."""
        whole = self.seeds[number % len(self.seeds)]
        return f"--kind {self.reader.name!r} --first {number} --count 1 --seed {self.seed} ({whole.path} {whole.form})"

    def check(self) -> None:
        """Read every whole file; AssertionError where all are refused, and whatever else one raises."""
        outcome = Outcome()
        for whole in self.seeds:
            outcome.add(lambda place, whole=whole: self.reader.read(place, whole), self._written(whole, whole.content))
        if outcome.crashes or not outcome.counts["read"]:
            raise AssertionError(self.reader.name, *outcome.crashes)

    def _written(self, whole: Seed, content: bytes) -> Path:
        """A folder with a damaged file and what belongs to it."""
        place = self.folder / str(self._places[id(whole)])
        if not self.reader.keeps or not place.exists():
            shutil.rmtree(place, ignore_errors=True)
            for name, data in whole.beside.items():
                _write(place / name, data)
        _write(place / whole.path, content)
        return place

    @cached_property
    def _places(self) -> dict[int, int]:
        return {id(whole): number for number, whole in enumerate(self.seeds)}


def _again(content: bytes, damage: Damage, chance: random.Random) -> bytes:
    """What is damaged already, damaged once more, if it is still what such a damage takes."""
    try:
        return damage(content, chance)
    except (ValueError, IndexError, KeyError, TypeError, LookupError, RecursionError, struct.error, zipfile.BadZipFile):
        return content


def _write(path: Path, data: bytes) -> None:
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True)
    path.write_bytes(data)


def each(*ways: Callable[[], object]) -> None:
    """Read a file in every way that the tool does; the error of one that refuses it, once all have been tried."""
    refused: list[SegcliError] = []
    for way in ways:
        try:
            way()
        except SegcliError as error:
            refused.append(error)
    if refused:
        raise max(refused, key=lambda error: (len(error.message), error.message.count("\n")))


def in_this_process(trial: Trial, numbers: Iterable[int]) -> Outcome:
    """Read damaged files without a process of their own."""
    outcome = Outcome()
    for number in numbers:
        trial.attempt(number, outcome)
    return outcome
