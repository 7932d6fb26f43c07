"""manifest.jsonl: one line per input, from which a later run knows what is done and what areas.csv holds."""

import errno
import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segcli import decoding
from segcli.errors import UsageError
from segcli.files.atomic import PARTIAL, append_lines, sha256, sync, writing
from segcli.files.encoding import to_json
from segcli.files.paths import nearest_existing, shown
from segcli.files.sources import Source

REVISION = 1
"""The revision of what segcli makes of the same settings. A release whose outputs differ raises it, so that older ones
are made again; other upgrades leave what is done as it is."""
DONE, FAILED = "done", "failed"
"""The two values of a record's status."""
RUN_FILE = "run.toml"
"""The name of the file that says how an output folder was made."""
RUN_FILE_HINT = "Give the run.toml of an output folder."
_OPTIONAL = ("specks", "pixel_area", "objects")
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
        outputs: Kind ("mask", "overlay", ...) -> {"path": relative to the output folder, "bytes": file size}.
        areas: Class name -> pixels, for the classes that were found.
        uncertainty: How unsure the network was, 0..1; None where nobody asked it.
        specks: Regions left out of the label files by `--min-area`; None without it.
        pixel_area: The square metres of ground that a pixel shows; None where that is not known.
        objects: Class name -> objects of it; None where they were not asked for.
        seconds: Stage ("read", "network", ...) -> seconds.
        notes: What the user should know of this file though it could be used.
        error: The one line that says why it failed.
    """

    name: str
    input: str
    status: str
    settings: str = ""
    bytes: int = 0
    mtime_ns: int = 0
    sha256: str = ""
    beside: str = ""
    width: int = 0
    height: int = 0
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    areas: dict[str, int] = field(default_factory=dict)
    uncertainty: float | None = None
    specks: int | None = None
    pixel_area: float | None = None
    objects: dict[str, int] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain values; the numbers of specks and objects and the size of a pixel only where they are known."""
        return {key: value for key, value in asdict(self).items() if key not in _OPTIONAL or value is not None}


class Ledger:
    """The manifest.jsonl of an output folder.

    Lines are only ever appended; the last one for a name counts. A line that was torn by a crash is
    passed over when reading, and completed by a newline before the next is written.

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
        append_lines(self.path, to_json(record.to_dict()).encode() + b"\n")
        self.records[record.name] = record
        self.appended.add(record.name)

    def to_do(self, sources: Iterable[Source], settings: str, verify: bool = False) -> list[Source]:
        """The sources whose outputs are not proved to stand."""
        return [source for source in sources if not self.proves_done(source, settings, verify)]

    def other_input(self, source: Source) -> str:
        """The file whose finished outputs this source would replace, if that is another one and still there; or ""."""
        record = self.records.get(source.tree.as_posix())
        if record is None or record.status != DONE:
            return ""
        try:
            return "" if Path(record.input).samefile(source.path) else record.input
        except OSError:
            return ""

    def proves_done(self, source: Source, settings: str, verify: bool = False) -> bool:
        """Whether the outputs of a source stand as it and these settings would make them again.

        Size and modification time decide; where the input's differ, or with `verify`, its content's hash does.
        """
        record = self.records.get(source.tree.as_posix())
        if record is None or record.status != DONE or record.settings != settings or not self._stands(record):
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

    def _stands(self, record: Record) -> bool:
        for output in record.outputs.values():
            try:
                if (self.folder / output["path"]).stat().st_size != output["bytes"]:
                    return False
            except (OSError, KeyError, TypeError):
                return False
        return True


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
    return decoding.decode_json(Record, line)


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
    try:
        model = decoding.read_toml(folder / RUN_FILE)["model"]
        engine = model["engine"]
    except (OSError, decoding.DecodingError, KeyError, TypeError):
        return None
    return engine if isinstance(engine, str) else None
