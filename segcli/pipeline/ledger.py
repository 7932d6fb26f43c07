"""manifest.jsonl: at the end of a run one line per input, by which a later run knows what is done."""

import errno
import os
import stat
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from segcli.files.atomic import PARTIAL, append_lines, sha256, sync, write_whole, writing
from segcli.files.encoding import to_json
from segcli.files.listing import Source, chosen, inputs_of, trees_of
from segcli.files.lookup import Lookup
from segcli.files.paths import folded, is_same
from segcli.pipeline.index import hashed
from segcli.pipeline.kept import KeptRecords, lines_of, parse
from segcli.pipeline.records import DONE, Record, state
from segcli.storage.address import is_address

ABANDONED = 3600
"""A half-written file of this age in seconds belongs to no run that still lives."""

SMALL = 64 << 20
"""The bytes of a manifest.jsonl, of some 100,000 photos, that is written anew for each line which another replaces."""
MERGED = 10_000
"""So many lines are brought into manifest.jsonl at once."""


class Ledger:
    """The manifest.jsonl of an output folder.

    Lines are only ever appended; the last one for a name counts, and `compact` leaves out the others. A line that was
    torn by a crash, or says what cannot be, is passed over when reading; a torn one is completed by a newline before
    the next is written. Whatever a line says, no file outside the folder is looked at because of it.

    Args:
        folder: The output folder.
        rank: Which of several processes this is: each appends to a file of its own, which `merge` brings in later.

    Attributes:
        records: The last record by name.
        appended: The names of the records that were appended here.
        is_home: Whether the files stay in the folder, so that they are brought to its disk before they are recorded.
    """

    is_home: ClassVar[bool] = True

    def __init__(self, folder: Path, rank: int | None = None):
        self.folder = folder
        self.path = folder / ("manifest.jsonl" if rank is None else f"manifest.{rank}.jsonl")
        self.appended: set[str] = set()
        self._inside: dict[Path, bool] = {}
        self._read()

    def _read(self) -> None:
        self.records = KeptRecords()
        self._bytes_read = _bytes_of(self.folder / "manifest.jsonl")
        for path in (self.folder / "manifest.jsonl", *_parts(self.folder)):  # what killed processes left is done too
            if path.exists():
                self.records.add_file(path)

    def append(self, record: Record) -> None:
        """Write a line through to the operating system at once, so that a killed run loses none."""
        self.require()
        offset = append_lines(self.path, to_json(record.to_dict()).encode() + b"\n")
        self.records.add(record, self.path, offset)
        self.appended.add(record.name)

    def compact(self) -> bool:
        """Leave out the lines of manifest.jsonl that later ones replace; the records must be read again then.

        A large file is written anew only where half of its lines are replaced. Not for one of several processes.
        """
        if not self.records.replaced or not self.path.exists():
            return False
        if self.path.stat().st_size > SMALL and self.records.replaced < len(self.records):
            return False
        self.records.close()
        with write_whole(self.path, durable=True) as new, self.path.open("rb") as file:
            for offset, line in lines_of(file):
                record = parse(line)
                if record is None or not self.records.is_replaced(record.name, self.path, offset):
                    new.write(line + b"\n")
        return True

    def refresh(self) -> bool:
        """Read the records anew where another process has added some, before any are appended here; whether it has."""
        if _bytes_of(self.folder / "manifest.jsonl") == self._bytes_read:
            return False
        self.records.close()
        vars(self).pop("_by_fold", None)
        self._read()
        return True

    def require(self) -> None:
        """FileNotFoundError where the lines that were appended here are gone: somebody has removed the folder."""
        if self.appended and not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))

    def to_do(self, sources: Sequence[Source], settings: str, verify: bool = False) -> Sequence[Source]:
        """The sources whose outputs are not proved to stand."""
        return chosen(sources, lambda source: not self.proves_done(source, settings, verify))

    def other_input(self, source: Source) -> str:
        """The file whose finished outputs this source would replace, if that is another one and still there; or ""."""
        record = self.records.get(source.tree.as_posix()) or self._twin(source.tree.as_posix())
        if record is None or record.status != DONE or record.input == source.input:
            return ""
        if is_address(record.input) or source.origin is not None:  # whether it is still there is not asked
            return record.input
        try:
            return "" if Path(record.input).samefile(source.path) else record.input
        except OSError:
            return ""

    def _twin(self, name: str) -> Record | None:
        """The record of another spelling of a name whose files stand where this name's would go; None for none."""
        for record in map(self.records.at, self._by_fold.of(hashed(folded(name)))):
            if record is None or folded(record.name) != folded(name):
                continue
            for path in (output["path"] for output in record.outputs.values()):
                if is_same(self.folder / path, self.folder / path.replace(record.name, name)):
                    return record
        return None

    @cached_property
    def _by_fold(self) -> Lookup:
        """The places of the records as the run began, by hashes of their folded names."""
        keys, places = array("Q"), array("q")
        for number in range(len(self.records)):
            place = self.records.place(number)
            if (record := self.records.at(place)) is not None:
                keys.append(hashed(folded(record.name)))
                places.append(place)
        return Lookup(keys, places)

    def conflict(self, sources: Sequence[Source]) -> tuple[Source, str] | None:
        """The first source whose outputs would replace those of another file, and that file; None for none."""
        named = zip(trees_of(sources), inputs_of(sources), strict=True)
        for number, (name, path) in enumerate(named):
            if not self.records.is_of(name, path) and (other := self.other_input(sources[number])):
                return sources[number], other
        return None

    def proves_done(self, source: Source, settings: str, verify: bool = False) -> bool:
        """Whether the outputs of a source stand as it and these settings would make them again.

        Size and modification time decide; where the input's differ, or with `verify`, its content's hash does. With
        `verify` the outputs' contents are hashed as well, where the record has their hashes. Of an input in a store
        whose copy is not there, address, size and ETag decide, and with `verify` nothing proves it.
        """
        name = source.tree.as_posix()
        record = self.records.get(name) if self._is_said_done(name, settings) else None
        if record is None or record.status != DONE or record.settings != settings:
            return False
        if not all(self._stands(output, verify) for output in record.outputs.values()):
            return False
        if source.origin is not None and not source.path.exists():
            return not verify and _is_same_object(source, record)
        return _is_same_file(source, record, verify)

    def count_of_others(self, sources: Iterable[Source], settings_for: Callable[[Source], str]) -> int:
        """How many of these sources were done with other settings than those that they are to be done with."""
        numbers = ((source, self.records.number(source.tree.as_posix())) for source in sources)
        facts = ((source, self.records.facts(number)) for source, number in numbers if number is not None)
        return sum(fact.is_done and fact.settings != settings_for(source) for source, fact in facts)

    def _is_said_done(self, name: str, settings: str) -> bool:
        number = self.records.number(name)
        facts = None if number is None else self.records.facts(number)
        return facts is not None and facts.is_done and facts.settings == settings

    def holds(self, record: Record) -> bool:
        """Whether anything is there of what was made of a photo; of one that nothing was made of it is."""
        return not record.outputs or any(self._size(output) is not None for output in record.outputs.values())

    def file(self, record: Record, kind: str) -> Path | None:
        """A record's file of a kind; None where there is none, or it lies elsewhere by way of links."""
        output = record.outputs.get(kind)
        known = output is not None and self._size(output) is not None and self._is_inside(output)
        return self.folder / output["path"] if known else None

    def _stands(self, output: dict[str, Any], verify: bool) -> bool:
        if self._size(output) != output["bytes"]:
            return False
        try:
            return not (verify and "sha256" in output) or sha256(self.folder / output["path"]) == output["sha256"]
        except OSError:
            return False

    def _size(self, output: dict[str, Any]) -> int | None:
        """The bytes of an output's file; None where there is none. Its folder may be a link, as to a larger disk."""
        try:
            facts = os.lstat(f"{self.folder}/{output['path']}")  # pathlib takes longer than the disk
        except OSError:
            return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    def _is_inside(self, output: dict[str, Any]) -> bool:
        """Whether an output's file lies in the folder once links are followed: only such a one is read."""
        parent = (self.folder / output["path"]).parent
        if parent not in self._inside:
            try:
                self._inside[parent] = parent.resolve().is_relative_to(self.folder.resolve())
            except (OSError, RuntimeError):  # the latter for links that lead in a circle
                self._inside[parent] = False
        return self._inside[parent]


def _is_same_file(source: Source, record: Record, verify: bool) -> bool:
    """Whether a file is the one of a record, as it was read, and so is the file beside it."""
    try:
        facts = source.path.stat()
        if state(source.beside) != record.beside:
            return False
        if not verify and (facts.st_size, facts.st_mtime_ns) == (record.bytes, record.mtime_ns):
            return True
        return facts.st_size == record.bytes and sha256(source.path) == record.sha256
    except OSError:
        return False


def _is_same_object(source: Source, record: Record) -> bool:
    """Whether an object in a store is the one of a record, in the state in which it was read."""
    size, etag = source.origin.size, source.origin.etag
    return bool(etag) and (source.input, etag) == (record.input, record.etag) and size in (None, record.bytes)


def _bytes_of(path: Path) -> int:
    """The size of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _parts(folder: Path) -> list[Path]:
    """Every process's own file, by its number's text."""
    return sorted(folder.glob("manifest.*.jsonl"))


def merge(folder: Path) -> int:
    """Bring the lines of every process's own file into manifest.jsonl, and give their files' number.

    A crash on the way costs none: lines that are there twice count once.
    """
    parts = _parts(folder)
    for part in parts:
        with part.open("rb") as file:
            lines = (line + b"\n" for _, line in lines_of(file) if parse(line))
            while group := b"".join(islice(lines, MERGED)):
                append_lines(folder / "manifest.jsonl", group)
        sync([folder / "manifest.jsonl"])
        part.unlink()
    return len(parts)


def open_folder(folder: Path) -> int:
    """Make an output folder ready: there, writable, merged, and without what killed runs left half written.

    Returns:
        How many files of processes were merged, whose records stand elsewhere since.

    Raises:
        SegcliError: It cannot be made or written to.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.jsonl").open("ab").close()
        merged = merge(folder)
        for path in _half_written(folder):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink(missing_ok=True)
    return merged


def _half_written(folder: Path) -> Iterator[Path]:
    begin, end = PARTIAL.split("{}")
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(begin) and name.endswith(end):
                yield Path(place, name)
