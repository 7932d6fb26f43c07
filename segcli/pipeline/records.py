"""manifest.jsonl: one line per input, from which a later run knows what is done and what areas.csv holds."""

import errno
import hashlib
import os
import re
import stat
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from segcli import decoding
from segcli.decoding import at_least, between
from segcli.errors import UsageError
from segcli.files.atomic import PARTIAL, append_lines, sha256, sync, writing
from segcli.files.encoding import to_json
from segcli.files.paths import folded, is_same, nearest_existing, shown
from segcli.files.sources import Source

REVISION = 1
"""The revision of what segcli makes of the same settings. A release whose outputs differ raises it, so that older ones
are made again; other upgrades leave what is done as it is."""
DONE, FAILED = "done", "failed"
"""The two values of a record's status."""
RUN_FILE = "run.toml"
"""The name of the file that says how an output folder was made."""
RUN_FILE_HINT = "Give the run.toml of an output folder."
_OPTIONAL = ("specks", "pixel_area", "objects", "no_data", "frames")
_Count = Annotated[int, at_least(0)]
_Measure = Annotated[float, between(0, 1e18)]
_SHA256 = re.compile("[0-9a-f]{64}")
ABANDONED = 3600
"""A half-written file of this age in seconds belongs to no run that still lives."""


@dataclass(frozen=True)
class Record:
    """What became of one input.

    Attributes:
        name: The input's place in the output tree, without suffix; the record's key.
        input: The input's path as it was given or found.
        status: "done" or "failed".
        settings: Fingerprint of everything that decides the outputs; another one means that they are stale.
        bytes, mtime_ns, sha256: The input as it was read.
        beside: The state of the file beside it, where it has one.
        width, height: The photo's size in pixels after its EXIF orientation.
        outputs: Kind ("mask", "overlay", ...) -> {"path": relative to the output folder, "bytes": file size, "sha256":
            of the content}; those of earlier versions have no sha256.
        areas: Class name -> pixels, for the classes that were found.
        uncertainty: How unsure the network was, 0..1; None where nobody asked it.
        specks: Regions left out of the label files by `--min-area`; None without it.
        pixel_area: The square metres of ground that a pixel shows; None where that is not known.
        objects: Class name -> objects of it; None where they were not asked for.
        no_data: The pixels of which the photo has no data; None where it has all.
        frames: How many frames of a film there are, over which `areas` are summed up; None for a photo.
        seconds: Stage ("read", "network", ...) -> seconds.
        notes: What the user should know of this file though it could be used.
        error: The one line that says why it failed; of a film that breaks off there are outputs nevertheless.
    """

    name: str
    input: str
    status: Literal["done", "failed"]
    settings: str = ""
    bytes: _Count = 0
    mtime_ns: int = 0
    sha256: str = ""
    beside: str = ""
    width: _Count = 0
    height: _Count = 0
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    areas: dict[str, _Count] = field(default_factory=dict)
    uncertainty: Annotated[float, between(0, 1.001)] | None = None
    specks: _Count | None = None
    pixel_area: _Measure | None = None
    objects: dict[str, _Count] | None = None
    no_data: _Count | None = None
    frames: _Count | None = None
    seconds: dict[str, _Measure] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain values; what few photos have only where it is known."""
        return {key: value for key, value in asdict(self).items() if key not in _OPTIONAL or value is not None}

    @property
    def is_sound(self) -> bool:
        """Whether what it says can be: somebody may have edited its line, or a disk."""
        sizes = (self.width > 0) == (self.height > 0)
        return sizes and all(map(_is_output, self.outputs.values()))


def _is_output(output: dict[str, Any]) -> bool:
    """Whether an output is one as records keep it, at a place below the output folder."""
    path, size, digest = output.get("path"), output.get("bytes"), output.get("sha256", "0" * 64)
    if not (isinstance(path, str) and type(size) is int and isinstance(digest, str) and _SHA256.fullmatch(digest)):
        return False
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in path


class Ledger:
    """The manifest.jsonl of an output folder.

    Lines are only ever appended; the last one for a name counts. A line that was torn by a crash, or says what cannot
    be, is passed over when reading; a torn one is completed by a newline before the next is written. Whatever a line
    says, no file outside the folder is looked at because of it.

    Args:
        folder: The output folder.
        rank: Which of several processes this is: each appends to a file of its own, which `merge` brings in later.

    Attributes:
        records: The last record by name.
        appended: The names of the records that were appended here.
    """

    def __init__(self, folder: Path, rank: int | None = None):
        self.folder = folder
        self.path = folder / ("manifest.jsonl" if rank is None else f"manifest.{rank}.jsonl")
        self.records: dict[str, Record] = {}
        self.appended: set[str] = set()
        self._inside: dict[Path, bool] = {}
        for path in (folder / "manifest.jsonl", *_parts(folder)):  # what killed processes left is done too
            if path.exists():
                self._read(path)

    def _read(self, path: Path) -> None:
        for line in path.read_bytes().splitlines():
            record = _parse(line)
            if record is not None:
                self.records[record.name] = record

    def append(self, record: Record) -> None:
        """Write a line through to the operating system at once, so that a killed run loses none."""
        self.require()
        append_lines(self.path, to_json(record.to_dict()).encode() + b"\n")
        self.records[record.name] = record
        self.appended.add(record.name)

    def require(self) -> None:
        """FileNotFoundError where the lines that were appended here are gone: somebody has removed the folder."""
        if self.appended and not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))

    def to_do(self, sources: Iterable[Source], settings: str, verify: bool = False) -> list[Source]:
        """The sources whose outputs are not proved to stand."""
        return [source for source in sources if not self.proves_done(source, settings, verify)]

    def other_input(self, source: Source) -> str:
        """The file whose finished outputs this source would replace, if that is another one and still there; or ""."""
        record = self.records.get(source.tree.as_posix()) or self._twin(source.tree.as_posix())
        if record is None or record.status != DONE:
            return ""
        try:
            return "" if Path(record.input).samefile(source.path) else record.input
        except OSError:
            return ""

    def _twin(self, name: str) -> Record | None:
        """The record of another spelling of a name whose files stand where this name's would go; None for none."""
        for record in self._by_fold.get(folded(name), ()):
            for path in (output["path"] for output in record.outputs.values()):
                if is_same(self.folder / path, self.folder / path.replace(record.name, name)):
                    return record
        return None

    @cached_property
    def _by_fold(self) -> dict[str, list[Record]]:
        """The records as the run began, by their folded names."""
        found = defaultdict(list)
        for record in self.records.values():
            found[folded(record.name)].append(record)
        return found

    def proves_done(self, source: Source, settings: str, verify: bool = False) -> bool:
        """Whether the outputs of a source stand as it and these settings would make them again.

        Size and modification time decide; where the input's differ, or with `verify`, its content's hash does. With
        `verify` the outputs' contents are hashed as well, where the record has their hashes.
        """
        record = self.records.get(source.tree.as_posix())
        if record is None or record.status != DONE or record.settings != settings:
            return False
        if not all(self._stands(output, verify) for output in record.outputs.values()):
            return False
        try:
            facts = source.path.stat()
            if state(source.beside) != record.beside:
                return False
            if not verify and (facts.st_size, facts.st_mtime_ns) == (record.bytes, record.mtime_ns):
                return True
            return facts.st_size == record.bytes and sha256(source.path) == record.sha256
        except OSError:
            return False

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
            facts = (self.folder / output["path"]).lstat()
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


def _parts(folder: Path) -> list[Path]:
    """Every process's own file, by its number's text."""
    return sorted(folder.glob("manifest.*.jsonl"))


def merge(folder: Path) -> None:
    """Bring the lines of every process's own file into manifest.jsonl; a crash on the way costs none."""
    for part in _parts(folder):
        whole = [line + b"\n" for line in part.read_bytes().splitlines() if _parse(line)]
        append_lines(folder / "manifest.jsonl", b"".join(whole))
        sync([folder / "manifest.jsonl"])
        part.unlink()


def _parse(line: bytes) -> Record | None:
    record = decoding.decode_json(Record, line)
    return record if record is not None and record.is_sound else None


def state(beside: Path | None) -> str:
    """What changes when the file beside an input does: its size and modification time; OSError where it is gone."""
    if beside is None:
        return ""
    facts = beside.stat()
    return f"{facts.st_size} bytes of {facts.st_mtime_ns} ns"


def fingerprint(settings: dict) -> str:
    """A short stable name for JSON-plain settings and REVISION: equal settings, equal name."""
    return hashlib.sha256(to_json([REVISION, settings], sort_keys=True).encode()).hexdigest()[:16]


def open_folder(folder: Path) -> None:
    """Make an output folder ready: there, writable, merged, and without what killed runs left half written.

    Raises:
        SegcliError: It cannot be made or written to.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.jsonl").open("ab").close()
        merge(folder)
        for path in folder.rglob(PARTIAL.format("*")):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """Refuse an output folder that cannot be made or written to, before any work; makes nothing.

    Raises:
        SegcliError: A file has its name, or one of its parents' names, or the folder may not be written to.
    """
    with writing(folder):
        there = nearest_existing(folder)
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


@dataclass(frozen=True)
class RunFile:
    """What a run.toml says of the run that wrote it.

    Attributes:
        inputs: The inputs as they were typed.
        options: The options that were given, by their name in the command's signature, as TOML-plain values.
    """

    inputs: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def read_run(path: Path) -> RunFile:
    """The inputs and options that a run.toml holds.

    Raises:
        UsageError: It cannot be read, or holds no options of a run.
    """
    try:
        values = decoding.read_toml(path)
        if lacking := {"inputs", "options"} - values.keys():
            raise decoding.DecodingError(f"lacks {min(lacking)}")
        if "prior" in values:
            raise decoding.DecodingError("`segcli crf` wrote it")
        return decoding.decode(RunFile, values, ignore_unknown=True)
    except (OSError, decoding.DecodingError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        raise UsageError(f"{shown(path)}: holds no options of a run ({reason})", RUN_FILE_HINT) from error


def engine_of(folder: Path) -> str | None:
    """The engine that an output folder was begun with; None where it has none on record."""
    engine = _model_of(folder).get("engine")
    return engine if isinstance(engine, str) else None


def int8_of(folder: Path) -> dict[str, Any] | None:
    """What an output folder's run.toml says of the 8-bit form that it was begun with; None where there was none."""
    form = _model_of(folder).get("int8")
    return form if isinstance(form, dict) else None


def _model_of(folder: Path) -> dict[str, Any]:
    """What an output folder's run.toml says of its model; empty where it says nothing."""
    try:
        model = decoding.read_toml(folder / RUN_FILE).get("model")
    except (OSError, decoding.DecodingError):
        return {}
    return model if isinstance(model, dict) else {}
