"""Kept records: those of manifest.jsonl, read from it as they are asked for."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, overload

import msgspec

from segcli import decoding
from segcli.errors import SegcliError
from segcli.pipeline.index import Index, hashed
from segcli.pipeline.records import DONE, Record

_FILES = 1 << 16
"""More files of records than this are never read at once."""
_FAST = msgspec.json.Decoder(Record)
"""Reads a line in a fifth of the time of `decode_json`."""
_BUFFER, _ONE = 1 << 16, 1 << 11
"""Bytes read at once: of records that are asked for in the order in which they lie, and of others about a line."""


class Facts(NamedTuple):
    """What is known of a record without reading its line.

    Attributes:
        settings: Its fingerprint.
        is_done: Whether its status is "done".
        has_specks, has_objects: Whether it has any specks, and whether objects were asked for.
        uncertainty: As in the record.
    """

    settings: str
    is_done: bool
    has_specks: bool
    has_objects: bool
    uncertainty: float | None


_DONE, _SPECKS, _OBJECTS = 1, 2, 4


class KeptRecords(Mapping[str, Record]):
    """The last record by name of some files of records: some fifty bytes of each are all that stays in memory.

    These tell where its line begins, its name and its input by a hash, and its `Facts`. Names are in the order in which
    they first came, and have the numbers from 0 on. A line that is torn, or says what cannot be, is passed over. A
    record whose line is gone meanwhile is a KeyError.

    Attributes:
        replaced: How many lines were read, or added, that later ones for the same name have replaced.
    """

    def __init__(self):
        self._files: list[_Lines] = []
        self._index = Index()
        self._places, self._inputs, self._settings = array("Q"), array("Q"), array("I")
        self._marks, self._uncertainties = bytearray(), array("d")
        self._fingerprints: dict[str, int] = {}
        self._texts: list[str] = []
        self._lock = threading.Lock()
        self.replaced = 0

    def add_file(self, path: Path) -> None:
        """Take all records of a file, which count more than those that are known."""
        lines = self._lines(path)
        for offset, record in lines.records():
            self._note(record, lines, offset)

    def add(self, record: Record, path: Path, offset: int) -> None:
        """Take one record, whose line begins at that byte of a file."""
        self._note(record, self._lines(path), offset)

    def _note(self, record: Record, lines: _Lines, offset: int) -> None:
        place, source = offset * _FILES + lines.number, hashed(record.input)
        marks = (_DONE if record.status == DONE else 0) | (_SPECKS if record.specks else 0)
        marks |= 0 if record.objects is None else _OBJECTS
        uncertainty = math.nan if record.uncertainty is None else record.uncertainty
        with self._lock:
            settings = self._fingerprints.setdefault(record.settings, len(self._texts))
            if settings == len(self._texts):
                self._texts.append(record.settings)
            columns = (self._places, self._inputs, self._settings, self._marks, self._uncertainties)
            values = (place, source, settings, marks, uncertainty)
            number = self._index.number(record.name)
            if number is None:
                for column, value in zip(columns, values, strict=True):
                    column.append(value)
                self._index.add(record.name)  # only now others see it
            else:
                self.replaced += 1
                for column, value in zip(columns, values, strict=True):
                    column[number] = value

    def _lines(self, path: Path) -> _Lines:
        for lines in self._files:
            if lines.path == path:
                return lines
        self._files.append(_Lines(path, len(self._files)))
        return self._files[-1]

    def __getitem__(self, name: str) -> Record:
        number = self._index.number(name)
        record = None if number is None else self.at(self._places[number])
        if record is None or record.name != name:
            raise KeyError(name)
        return record

    def number(self, name: str) -> int | None:
        """The number of a name; None where there is no record of it."""
        return self._index.number(name)

    def facts(self, number: int) -> Facts:
        """What is known of a record without reading its line."""
        marks, uncertainty = self._marks[number], self._uncertainties[number]
        known = None if math.isnan(uncertainty) else uncertainty
        settings = self._texts[self._settings[number]]
        return Facts(settings, bool(marks & _DONE), bool(marks & _SPECKS), bool(marks & _OBJECTS), known)

    @property
    def settings(self) -> tuple[str, ...]:
        """The fingerprints that records have, or had before another took their place."""
        return tuple(self._texts)

    def is_replaced(self, name: str, path: Path, offset: int) -> bool:
        """Whether another line than the one at that byte of a file counts for a name."""
        number = self._index.number(name)
        return number is not None and self._places[number] != offset * _FILES + self._lines(path).number

    def is_of(self, name: str, source: str) -> bool:
        """Whether there is a record of that name and that input."""
        number = self._index.number(name)
        return number is not None and self._inputs[number] == hashed(source)

    def at(self, place: int) -> Record | None:
        """The record of a place that `place` gave; None where its line is gone."""
        offset, number = divmod(place, _FILES)
        return self._files[number].record(offset)

    def place(self, number: int) -> int:
        """A whole number that stands for the line of the record that has a number now."""
        return self._places[number]

    def close(self) -> None:
        """Let go of the files until they are needed again."""
        for lines in self._files:
            lines.close()

    def __iter__(self) -> Iterator[str]:
        for number, place in enumerate(self._places):
            record = self.at(place)
            if record is not None and self._index.number(record.name) == number:
                yield record.name

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._index.number(name) is not None


class _Lines:
    """The lines of one file, by the byte at which they begin."""

    def __init__(self, path: Path, number: int):
        self.path = path
        self.number = number
        self._near: BinaryIO | None = None
        self._far: BinaryIO | None = None
        self._after = 0
        self._lock = threading.Lock()

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every record, with its line's first byte."""
        with self.path.open("rb") as file:
            for offset, line in lines_of(file):
                if (record := parse(line)) is not None:
                    yield offset, record

    def record(self, offset: int) -> Record | None:
        """The record whose line begins there; None where there is none."""
        try:
            with self._lock:
                line = self._line(offset)
        except OSError:
            return None
        return parse(line.splitlines()[0]) if line else None

    def _line(self, offset: int) -> bytes:
        """From a byte on; lines one after another come out of one large piece, others each out of a small one."""
        is_near = 0 <= offset - self._after < _BUFFER
        self._after = offset
        if is_near:
            file = self._near = self._near or self.path.open("rb", buffering=_BUFFER)
        else:
            file = self._far = self._far or self.path.open("rb", buffering=_ONE)
        file.seek(offset)
        return file.readline()

    def close(self) -> None:
        """Let go of the file until it is needed again."""
        with self._lock:
            for file in filter(None, (self._near, self._far)):
                file.close()
            self._near = self._far = None


class Chosen(Sequence[Record]):
    """Some of the kept records, in an order of their own; each is read as it is asked for.

    Args:
        kept: All of them.
        places: The place of each.

    Raises:
        SegcliError: At the time when a record is asked for: its line is gone.
    """

    def __init__(self, kept: KeptRecords, places: Iterable[int]):
        self._kept = kept
        self._places = array("Q", places)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> Chosen: ...

    def __getitem__(self, index: int | slice) -> Record | Chosen:
        if isinstance(index, slice):
            return Chosen(self._kept, self._places[index])
        return self._record(self._places[index])

    def __iter__(self) -> Iterator[Record]:
        return map(self._record, self._places)

    def name(self, index: int) -> str:
        """The name of one."""
        return self._record(self._places[index]).name

    def _record(self, place: int) -> Record:
        record = self._kept.at(place)
        if record is None:
            raise SegcliError("manifest.jsonl was changed while it was read", "Give the same command again.")
        return record


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines of a file without their ends, which some editor may have changed, each with its first byte's place."""
    offset = 0
    for whole in file:
        for line in whole.splitlines(keepends=True):
            yield offset, line.rstrip(b"\r\n")
            offset += len(line)


def parse(line: bytes) -> Record | None:
    """The record of a line; None where it is torn, or says what cannot be."""
    try:
        record = _FAST.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # also for texts that are no Unicode, which it lacks
        record = decoding.decode_json(Record, line)
    return record if record is not None and record.is_sound else None
