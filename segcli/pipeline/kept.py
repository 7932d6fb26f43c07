"""Kept records: those of manifest.jsonl, read from it as they are asked for."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, overload

import msgspec

from segcli import decoding
from segcli.errors import SegcliError
from segcli.pipeline.records import Record

_FILES = 1 << 16
"""More files of records than this are never read at once."""
_FAST = msgspec.json.Decoder(Record)
"""Reads a line in a fifth of the time of `decode_json`."""
_BUFFER = 1 << 16
"""Bytes read at once: the records that are asked for one after another mostly lie in this order too."""


class KeptRecords(Mapping[str, Record]):
    """The last record by name of some files of records: where each one's line begins is all that stays in memory.

    Names are in the order in which they first came. A line that is torn, or says what cannot be, is passed over. A
    record whose line is gone meanwhile is a KeyError.
    """

    def __init__(self):
        self._files: list[_Lines] = []
        self._places: dict[str, int] = {}

    def add_file(self, path: Path) -> None:
        """Take all records of a file, which count more than those that are known."""
        lines = self._lines(path)
        for offset, record in lines.records():
            self._note(record.name, lines, offset)

    def add(self, record: Record, path: Path, offset: int) -> None:
        """Take one record, whose line begins at that byte of a file."""
        self._note(record.name, self._lines(path), offset)

    def _note(self, name: str, lines: _Lines, offset: int) -> None:
        self._places[name] = offset * _FILES + lines.number

    def _lines(self, path: Path) -> _Lines:
        for lines in self._files:
            if lines.path == path:
                return lines
        self._files.append(_Lines(path, len(self._files)))
        return self._files[-1]

    def __getitem__(self, name: str) -> Record:
        record = self.at(self._places[name])
        if record is None or record.name != name:
            raise KeyError(name)
        return record

    def at(self, place: int) -> Record | None:
        """The record of a place that `place` gave; None where its line is gone."""
        offset, number = divmod(place, _FILES)
        return self._files[number].record(offset)

    def place(self, name: str) -> int | None:
        """A whole number that stands for the record of a name; None where there is none."""
        return self._places.get(name)

    def close(self) -> None:
        """Let go of the files until they are needed again."""
        for lines in self._files:
            lines.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places


class _Lines:
    """The lines of one file, by the byte at which they begin."""

    def __init__(self, path: Path, number: int):
        self.path = path
        self.number = number
        self._file: BinaryIO | None = None
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
                self._file = self._file or self.path.open("rb", buffering=_BUFFER)
                self._file.seek(offset)
                line = self._file.readline()
        except OSError:
            return None
        return parse(line.splitlines()[0]) if line else None

    def close(self) -> None:
        """Let go of the file until it is needed again."""
        with self._lock:
            if self._file:
                self._file.close()
            self._file = None


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
