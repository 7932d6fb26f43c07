"""The weights on this computer: downloaded, verified, converted once, remembered.

SEGCLI_CACHE_DIR (or the platform's cache folder) holds, for each entry of the manifest that was ever used,

    NAME/record.json              what was downloaded: source, commit, sha256; and the sha256 of the next
    NAME/SHA256-KEY.safetensors   the same as a segcli checkpoint; KEY stands for all that conversion depends on

A sha256 that nobody publishes is recorded at first use and enforced from then on. Downloads by URL are deleted once
they are converted; files of the Hub stay in the Hub's own cache.
"""

import hashlib
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.utils import WeakFileLock
from torch import Tensor

from segcli import labels
from segcli.errors import UsageError, WeightsError
from segcli.files import atomic, download, paths
from segcli.files.download import Progress
from segcli.labels import LabelSet
from segcli.models.networks.deeplab import build
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights import checkpoint, foreign, hub, manifest
from segcli.weights.checkpoint import Checkpoint
from segcli.weights.convert.layouts import convert
from segcli.weights.manifest import HubFile, PackagedFile, WeightsEntry

RECORD, LOCK = "record.json", "lock"
_BUILT_IN = "Or use what is part of segcli: `--model street` labels street scenes and needs no download."
CONVERSION = 1
"""To be raised with every change of a rename table or of a network's tensor names."""


@dataclass(frozen=True)
class Record:
    """What is known about an entry that was used before.

    Attributes:
        source: Where it came from; another source in the manifest makes the record void.
        sha256: Of the download.
        commit: Of the Hub, which the revision then meant.
        converted_sha256: Of the converted file.
    """

    source: str
    sha256: str
    commit: str = ""
    converted_sha256: str = ""


@dataclass(frozen=True)
class Cached:
    """Weights that are here.

    Attributes:
        name: Of the manifest's entry.
        path: The converted file, or the Hub's file of a backbone.
        record: Where it came from.
        bytes: Its size; 0 if it is gone.
        newly_recorded: Whether the sha256 was taken on trust just now, since nobody publishes it.
        built_in: Whether it is installed with segcli: then nothing but installing segcli anew mends it.
    """

    name: str
    path: Path
    record: Record
    bytes: int = 0
    newly_recorded: bool = False
    built_in: bool = False

    def problem(self) -> str:
        """What is wrong with the file, in a few words; empty if its sha256 is the recorded one."""
        if not self.path.is_file():
            return "is missing"
        expected = self.record.converted_sha256 or self.record.sha256
        return "" if atomic.sha256(self.path) == expected else "is damaged"

    def note(self) -> str:
        """What the user should be told about it; empty unless its sha256 was taken on trust just now."""
        if not self.newly_recorded:
            return ""
        return (
            f"first download of {self.name}: its publisher states no checksum, so this file's "
            f"({self.record.sha256[:12]}...) is remembered and must match from now on"
        )


def folder() -> Path:
    """Where converted weights are kept."""
    if chosen := os.environ.get("SEGCLI_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "segcli" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "segcli"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segcli"


def obtain(entry: WeightsEntry, progress: Progress | None = None) -> Cached:
    """The entry's weights on this computer, downloaded and converted if they are not here, intact in any case.

    A backbone stays as it is in the Hub's cache; other weights become a checkpoint, as built-in ones are already.

    Raises:
        WeightsError: They cannot be had, are not the published or recorded bytes, or do not fit the model.
    """
    if isinstance(entry.source, PackagedFile):
        here = _installed(entry, entry.source)
        if problem := here.problem():
            raise WeightsError(f"the file of the built-in weights, {here.path}, {problem}", "Install segcli anew.")
        return here
    with explained():
        if here := _intact(entry):
            return here
        with _locked(entry):
            return _intact(entry) or _obtained(entry, _record(entry), progress)


def _installed(entry: WeightsEntry, source: PackagedFile) -> Cached:
    size = source.path.stat().st_size if source.path.is_file() else 0
    return Cached(entry.name, source.path, Record(str(source), entry.sha256), size, built_in=True)


@contextmanager
def _locked(entry: WeightsEntry) -> Iterator[None]:
    """Alone with the entry's folder: several processes may start at once."""
    _home(entry).mkdir(parents=True, exist_ok=True)
    with WeakFileLock(_home(entry) / LOCK):
        yield


@contextmanager
def explained() -> Iterator[None]:
    """Within it, a failure of the cache's files is a WeightsError that says where else they could be."""
    try:
        yield
    except OSError as error:
        raise WeightsError(
            f"the weights cache {paths.shown(folder())} cannot be used ({error.strerror or error})",
            "Set SEGCLI_CACHE_DIR to a folder of yours.",
        ) from error


def _intact(entry: WeightsEntry) -> Cached | None:
    """The converted file if it is here and sound; needs no right to write."""
    record = _record(entry)
    if entry.role == "backbone" or not record:
        return None
    here = _converted(entry, record)
    return None if here.problem() else replace(here, bytes=here.path.stat().st_size)


def _obtained(entry: WeightsEntry, record: Record | None, progress: Progress | None) -> Cached:
    """Download, verify, convert and remember."""
    try:
        path, commit = _download(entry, record, progress)
    except WeightsError as error:
        if entry.role == "backbone":
            raise
        raise WeightsError(error.message, f"{error.hint} {_BUILT_IN}".strip()) from error
    made = Record(str(entry.source), _verified(entry, record, path), commit)
    result = Cached(entry.name, path, made, newly_recorded=not (record or entry.sha256))
    try:
        saved = _understood(entry, made, path) if entry.role == "segmentation" or result.newly_recorded else None
    except WeightsError:
        if result.newly_recorded:  # nothing says that these are the right bytes: they may be a network's login page
            _discard(entry, path)
        raise
    if saved:
        result = replace(result, path=_converted(entry, made).path)
        checkpoint.write(result.path, saved)
        result = replace(result, record=replace(made, converted_sha256=atomic.sha256(result.path)))
    with atomic.write_whole(_home(entry) / RECORD) as file:
        file.write(json.dumps(asdict(result.record), indent=1).encode())
    if not isinstance(entry.source, HubFile):
        path.unlink()
    for older in set(_home(entry).glob("*.safetensors")) - {result.path}:
        older.unlink()
    return replace(result, bytes=result.path.stat().st_size)


def _understood(entry: WeightsEntry, record: Record, path: Path) -> Checkpoint | None:
    """A download as a checkpoint; None for a backbone, which only has to be readable."""
    tensors = foreign.read(path)
    if entry.role == "backbone":
        return None
    spec, classes = entry.model_spec(), labels.get(entry.labels)
    return converted(tensors, entry.format, spec, classes, entry.preprocessing, provenance(entry, record))


def _verified(entry: WeightsEntry, record: Record | None, path: Path) -> str:
    """The sha256 of a download, if it is the recorded or else the published one; otherwise the file is deleted."""
    expected = record.sha256 if record else entry.sha256
    digest = atomic.sha256(path)
    if digest.startswith(expected):
        return digest
    _discard(entry, path)
    raise WeightsError(
        f"the file of {entry.name} has sha256 {digest[:12]}..., not {expected[:12]}... as "
        f"{'at its first use' if record else 'published'}, and was deleted",
        f"Run the command again; if it stays so, the file has changed: `segcli weights remove {entry.name}` "
        "forgets the old one, if you trust the new.",
    )


def _download(entry: WeightsEntry, record: Record | None, progress: Progress | None) -> tuple[Path, str]:
    """The file as its source has it, and the Hub's commit."""
    if isinstance(entry.source, HubFile):
        pinned = replace(entry.source, revision=record.commit) if record else entry.source
        file = hub.fetch(pinned, progress)
        return file.path, file.commit
    path = _home(entry) / entry.source.url.rpartition("/")[2]
    if path.is_file():  # a run was interrupted while it converted
        return path, ""
    if hub.offline():
        raise WeightsError(
            f"{entry.name} is not in the cache, and HF_HUB_OFFLINE forbids to download it",
            f"Run once without HF_HUB_OFFLINE, for example `segcli weights pull {entry.name}`.",
        )
    download.download(entry.source.url, path, progress)
    return path, ""


def _discard(entry: WeightsEntry, path: Path) -> None:
    """Delete a download: in the Hub's cache a link and its content; a link in our own was made by the user."""
    if isinstance(entry.source, HubFile):
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def converted(
    tensors: Mapping[str, Tensor],
    layout: str,
    spec: ModelSpec,
    classes: LabelSet,
    preprocessing: Preprocessing,
    origin: Mapping[str, str],
) -> Checkpoint:
    """Foreign tensors as a checkpoint, every one of them accounted for; of a backbone's file, `backbone.*` alone.

    Raises:
        UsageError: There is no such layout, or it has no such model.
        WeightsError: A tensor is missing, unknown or of another shape than the model and the labels need.
    """
    state = convert(tensors, layout, spec)
    with torch.device("meta"):
        network = build(spec, max(len(classes), 1))  # a backbone's file has no classes
    module, own = network, state
    if all(key.startswith("backbone.") for key in state):
        module, own = network.backbone, {k.removeprefix("backbone."): t for k, t in state.items()}
    checkpoint.check(module, own, origin["weights"])
    return Checkpoint(spec, classes, preprocessing, state, provenance=origin)


def provenance(entry: WeightsEntry, record: Record) -> dict[str, str]:
    """Where weights come from, for checkpoints and run.toml."""
    facts = {"weights": entry.name, "source": record.source, "commit": record.commit}
    return {k: v for k, v in (facts | {"sha256": record.sha256, "licence": entry.licence}).items() if v}


def cached() -> list[Cached]:
    """The weights of the manifest that are here, in its order; those installed with segcli always are."""
    found = []
    for entry in manifest.entries():
        if isinstance(entry.source, PackagedFile):
            found.append(_installed(entry, entry.source))
        elif record := _record(entry):
            here = _located(entry, record)
            size = here.path.stat().st_size if here.path.is_file() else 0
            found.append(replace(here, bytes=size))
    return found


def verify(names: Collection[str] = ()) -> Iterator[tuple[Cached, str]]:
    """Hash what is here of these entries, or everything; yields each with its `problem`."""
    for here in cached():
        if not names or here.name in names:
            yield here, here.problem()


def remove(name: str) -> int:
    """Delete an entry's weights and its record, also from the Hub's cache; returns the bytes freed.

    Folders in the entry's folder are not ours and stay.

    Raises:
        UsageError: There is no such entry, or it is part of segcli.
        WeightsError: The cache cannot be used.
    """
    entry = manifest.find(name)
    if isinstance(entry.source, PackagedFile):
        raise UsageError(f"the weights {entry.name} are part of segcli and cannot be removed")
    freed = 0
    with explained():
        with _locked(entry):
            if hub_file := _hub_file(entry, _record(entry)):
                freed += hub_file.stat().st_size
                _discard(entry, hub_file)
            for path in _home(entry).iterdir():
                if path.name != LOCK and (path.is_symlink() or not path.is_dir()):
                    freed += path.lstat().st_size
                    path.unlink()
        with suppress(OSError):  # somebody else may be at work again, or keep a folder there
            (_home(entry) / LOCK).unlink(missing_ok=True)
            _home(entry).rmdir()
    return freed


def _home(entry: WeightsEntry) -> Path:
    return folder() / entry.name


def _located(entry: WeightsEntry, record: Record) -> Cached:
    if entry.role == "segmentation":
        return _converted(entry, record)
    return Cached(entry.name, _hub_file(entry, record) or _home(entry) / "model", record)


def _hub_file(entry: WeightsEntry, record: Record | None) -> Path | None:
    if not isinstance(entry.source, HubFile):
        return None
    revision = record.commit if record else entry.source.revision
    path = try_to_load_from_cache(entry.source.repo, entry.source.file, revision=revision)
    return Path(path) if isinstance(path, str) else None


def _converted(entry: WeightsEntry, record: Record) -> Cached:
    """Where the converted file is, or will be: a change of anything it depends on gives it another name."""
    facts = (entry.model_spec(), labels.get(entry.labels), entry.preprocessing)
    text = json.dumps([CONVERSION, *(fact.to_dict() for fact in facts)])
    key = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Cached(entry.name, _home(entry) / f"{record.sha256[:12]}-{key}.safetensors", record)


def _record(entry: WeightsEntry) -> Record | None:
    """What is remembered of the entry; None at first use, or if the manifest has another source or sha256 now."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        record = Record(**json.loads((_home(entry) / RECORD).read_text(encoding="utf-8")))
        if record.source == str(entry.source) and record.sha256.startswith(entry.sha256):
            return record
    return None
