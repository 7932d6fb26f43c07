"""Records: what became of each input of a run, as a line of manifest.jsonl says it; and run.toml."""

import errno
import hashlib
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from segcli import decoding
from segcli.decoding import between
from segcli.errors import UsageError
from segcli.files.atomic import writing
from segcli.files.encoding import to_json
from segcli.files.paths import nearest_existing, shown

REVISION = 1
"""The revision of what segcli makes of the same settings. A release whose outputs differ raises it, so that older ones
are made again; other upgrades leave what is done as it is."""
DONE, FAILED = "done", "failed"
"""The two values of a record's status."""
RUN_FILE = "run.toml"
"""The name of the file that says how an output folder was made."""
RUN_FILE_HINT = "Give the run.toml of an output folder."
EMPTY_CUTOUT = "Its cutout is empty: no pixel has a class to keep."
"""The note of a photo of which nothing is cut out."""
OLD_RESULTS = "The mask or overlay that is still there was made before the file changed."
"""The note of a photo that failed, with results of an earlier run."""
_OPTIONAL = ("specks", "pixel_area", "objects", "no_data", "frames", "etag")
_Count = Annotated[int, between(0, 2**53)]
_Measure = Annotated[float, between(0, 1e18)]
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Record:
    """What became of one input.

    Attributes:
        name: The input's place in the output tree, without suffix; the record's key.
        input: The input's path as it was given or found.
        status: "done" or "failed".
        settings: Fingerprint of everything that decides the outputs; another one means that they are stale.
        bytes, mtime_ns, sha256: The input as it was read; there is no time of what lies in a store.
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
        etag: The store's ETag of an input that lies in one; None where it has none.
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
    etag: str | None = None
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
    if path[:1] not in ("", "/", ".") and "/." not in path and "\0" not in path:  # nearly all, in a tenth of the time
        return True
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in path


def state(beside: Path | None) -> str:
    """What changes when the file beside an input does: its size and modification time; OSError where it is gone."""
    if beside is None:
        return ""
    facts = beside.stat()
    return f"{facts.st_size} bytes of {facts.st_mtime_ns} ns"


def fingerprint(settings: dict) -> str:
    """A short stable name for JSON-plain settings and REVISION: equal settings, equal name."""
    return hashlib.sha256(to_json([REVISION, settings], sort_keys=True).encode()).hexdigest()[:16]


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
