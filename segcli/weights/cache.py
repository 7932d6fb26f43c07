"""The weights on this computer: downloaded, verified, converted once, remembered.

SEGCLI_CACHE_DIR (or the platform's cache folder) holds, for each entry of the manifest that was ever used,

    NAME/record.json              what was downloaded: source, commit, sha256; and the sha256 of the next
    NAME/SHA256-KEY.safetensors   the same as a segcli checkpoint; KEY stands for all that conversion depends on

A sha256 that the manifest does not know is the one that the Hub states, where it states one; it is recorded at first
use and enforced from then on. Downloads by URL are deleted once they are converted; files of the Hub stay in the Hub's
own cache.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from segcli import decoding, labels
from segcli.errors import UsageError, WeightsError
from segcli.files import atomic, paths
from segcli.files.encoding import to_json
from segcli.weights import manifest
from segcli.weights.manifest import HubFile, PackagedFile, WeightsEntry
from segcli.weights.reference import CHECKPOINT_SUFFIX

if TYPE_CHECKING:
    from segcli.files.download import Progress
    from segcli.weights.checkpoint import Checkpoint

RECORD_FILE, LOCK_FILE = "record.json", "lock"
"""Names in an entry's folder: what is remembered of it, and what keeps two processes apart."""
CONVERSION_REVISION = 1
"""The revision of what conversion makes. Every change of a rename table or of a network's tensor names raises it, so
that older files are made again."""


@dataclass(frozen=True)
class Record:
    """What is known about an entry that was used before.

    Attributes:
        source: Where it came from; another source in the manifest makes the record void.
        sha256: The download's hash.
        commit: The Hub's commit which the revision then meant; empty for a download by URL.
        converted_sha256: The converted file's hash; empty for a backbone, which is not converted.
    """

    source: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]  # it names files
    commit: Annotated[str, Meta(pattern="^[0-9a-f]*$")] = ""
    converted_sha256: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""


@dataclass(frozen=True)
class Cached:
    """Weights that are here.

    Attributes:
        name: The name of the manifest's entry.
        path: The converted file, or the Hub's file of a backbone.
        record: Where it came from.
        bytes: Its size; 0 if it is gone.
        newly_recorded: Whether the sha256 was recorded just now, since the manifest does not know it.
        known: What others say of this sha256; empty where nobody was asked.
        built_in: Whether it is installed with segcli: then nothing but installing segcli anew mends it.
    """

    name: str
    path: Path
    record: Record
    bytes: int = 0
    newly_recorded: bool = False
    known: str = ""
    built_in: bool = False

    def problem(self) -> str:
        """What is wrong with the file, in a few words; empty if its sha256 is the recorded one."""
        if not self.path.is_file():
            return "is missing"
        expected = self.record.converted_sha256 or self.record.sha256
        return "" if atomic.sha256(self.path) == expected else "is damaged"

    def note(self) -> str:
        """What the user should be told about it; empty unless its sha256 was recorded just now."""
        if not self.newly_recorded:
            return ""
        return (
            f"first download of {self.name}: {self.known or 'no checksum of it is known'}; later downloads must be the "
            f"same file ({self.record.sha256[:12]}...)"
        )

    def notes(self) -> tuple[str, ...]:
        """The note, if there is one."""
        return (self.note(),) if self.newly_recorded else ()


def folder() -> Path:
    """The folder where converted weights are kept; WeightsError for a user without a home, as containers have."""
    try:
        return _folder()
    except RuntimeError as error:
        hint = "Set SEGCLI_CACHE_DIR to a folder of yours."
        raise WeightsError("this user has no home folder, where weights could be kept", hint) from error


def _folder() -> Path:
    if chosen := os.environ.get("SEGCLI_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "segcli" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "segcli"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segcli"


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


def obtain(entry: WeightsEntry, progress: Progress | None = None) -> Cached:
    """The entry's weights on this computer, downloaded and converted if they are not here, intact in any case.

    A backbone stays as it is in the Hub's cache; other weights become a checkpoint, as built-in ones are already.

    Raises:
        WeightsError: They cannot be had, are not the published or recorded bytes, or do not fit the model.
    """
    if isinstance(entry.source, PackagedFile):
        here = _built_in(entry, entry.source)
        if problem := here.problem():
            raise WeightsError(f"the file of the built-in weights, {here.path}, {problem}", "Install segcli anew.")
        return here
    with explained():
        if here := intact(entry):
            return here
        with _locked(entry):
            return intact(entry) or _fetched(entry, progress)


def cached() -> list[Cached]:
    """The weights of the manifest that are here, in its order; those installed with segcli always are."""
    found = []
    for entry in manifest.entries():
        if isinstance(entry.source, PackagedFile):
            found.append(_built_in(entry, entry.source))
        elif record := recorded(entry):
            found.append(_at(_kept_path(entry, record), entry, record))
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
    with explained():
        with _locked(entry):
            freed = _emptied(entry)
        with suppress(OSError):  # somebody else may be at work again, or keep a folder there
            (home(entry) / LOCK_FILE).unlink(missing_ok=True)
            home(entry).rmdir()
    return freed


def provenance(entry: WeightsEntry, record: Record) -> dict[str, str]:
    """Where weights come from, for checkpoints and run.toml."""
    facts = {"weights": entry.name, "source": record.source, "commit": record.commit}
    return {k: v for k, v in (facts | {"sha256": record.sha256, "licence": entry.licence}).items() if v}


def converted_path(entry: WeightsEntry, record: Record) -> Path:
    """Where the converted file is, or will be: a change of anything it depends on gives it another name."""
    facts = (entry.model_spec(), labels.get(entry.labels), entry.preprocessing)
    text = to_json([CONVERSION_REVISION, *(fact.to_dict() for fact in facts)])
    key = hashlib.sha256(text.encode()).hexdigest()[:8]
    return home(entry) / f"{record.sha256[:12]}-{key}{CHECKPOINT_SUFFIX}"


def home(entry: WeightsEntry) -> Path:
    """The entry's folder."""
    return folder() / entry.name


@contextmanager
def _locked(entry: WeightsEntry) -> Iterator[None]:
    """Alone with the entry's folder: several processes may start at once."""
    from huggingface_hub.utils import WeakFileLock  # the Hub's client takes longer to import than a photo to segment

    home(entry).mkdir(parents=True, exist_ok=True)
    with WeakFileLock(home(entry) / LOCK_FILE):
        yield


def recorded(entry: WeightsEntry) -> Record | None:
    """What is remembered of the entry; None at first use, or if the manifest has another source or sha256 now."""
    with suppress(OSError, ValueError, WeightsError):  # the last: there is no cache
        record = decoding.decode_json(Record, (home(entry) / RECORD_FILE).read_text(encoding="utf-8"))
        if record and _is_of(record, entry) and record.sha256.startswith(entry.sha256):
            return record
    return None


def _is_of(record: Record, entry: WeightsEntry) -> bool:
    """Whether a record is of the entry's source: also one of `main` that then meant the commit which is pinned now."""
    if isinstance(entry.source, HubFile) and record.commit == entry.source.revision:
        return record.source in (str(entry.source), str(replace(entry.source, revision="main")))
    return record.source == str(entry.source)


def _at(path: Path, entry: WeightsEntry, record: Record) -> Cached:
    """The weights at a path, which may be gone."""
    return Cached(entry.name, path, record, path.stat().st_size if path.is_file() else 0)


def _built_in(entry: WeightsEntry, source: PackagedFile) -> Cached:
    return replace(_at(source.path, entry, Record(str(source), entry.sha256)), built_in=True)


def intact(entry: WeightsEntry) -> Cached | None:
    """The converted file if it is here and sound; needs no right to write."""
    record = recorded(entry)
    if entry.role == "backbone" or not record:
        return None
    here = _at(converted_path(entry, record), entry, record)
    return None if here.problem() else here


def _fetched(entry: WeightsEntry, progress: Progress | None) -> Cached:
    """The weights once they are downloaded, verified, converted and remembered."""
    from segcli.weights import fetch

    known = recorded(entry)
    download = fetch.fetch(entry, home(entry), known.commit if known else "", progress)
    expected = fetch.expected(entry, download, known.sha256 if known else "")
    sha256 = fetch.verified_sha256(entry, download.path, expected)
    path, record = download.path, Record(str(entry.source), sha256, download.commit)
    if made := _understood(entry, record, path, on_trust=not expected.sha256):
        from segcli.weights import checkpoint

        path = converted_path(entry, record)
        checkpoint.write(path, made)
        record = replace(record, converted_sha256=atomic.sha256(path))
    _remember(entry, record)
    _tidy(entry, download.path, path)
    newly = not (known or entry.sha256)
    return replace(_at(path, entry, record), newly_recorded=newly, known=fetch.known(entry, expected, sha256))


def _understood(entry: WeightsEntry, record: Record, path: Path, *, on_trust: bool) -> Checkpoint | None:
    """A download as a checkpoint; None for a backbone, which is used as it is.

    A download that is taken on trust and turns out to be no weights is deleted: nothing says that these are the right
    bytes, and they may be a network's login page.
    """
    from segcli.weights import fetch, foreign
    from segcli.weights.conversion import converted

    try:
        if entry.role == "segmentation":
            origin = provenance(entry, record)
            spec, classes = entry.model_spec(), labels.get(entry.labels)
            return converted(foreign.read(path), entry.format, spec, classes, entry.preprocessing, origin)
        if on_trust:
            foreign.read(path)
    except WeightsError:
        if on_trust:
            fetch.discard(entry, path)
        raise
    return None


def _remember(entry: WeightsEntry, record: Record) -> None:
    with atomic.write_whole(home(entry) / RECORD_FILE, durable=True) as file:
        file.write(to_json(asdict(record), indent=1).encode())


def _tidy(entry: WeightsEntry, downloaded: Path, kept: Path) -> None:
    """Delete a download by URL, and what was converted before."""
    if not isinstance(entry.source, HubFile):
        downloaded.unlink()
    for older in set(home(entry).glob(f"*{CHECKPOINT_SUFFIX}")) - {kept}:
        older.unlink()


def _emptied(entry: WeightsEntry) -> int:
    """Delete an entry's files, here and in the Hub's cache; returns the bytes freed."""
    from segcli.weights import fetch

    freed = 0
    if hub_file := hub_path(entry, recorded(entry)):
        freed += hub_file.stat().st_size
        fetch.discard(entry, hub_file)
    freed += fetch.forget_unfinished(entry)
    for path in home(entry).iterdir():
        if path.name != LOCK_FILE and (path.is_symlink() or not path.is_dir()):
            freed += path.lstat().st_size
            path.unlink()
    return freed


def _kept_path(entry: WeightsEntry, record: Record) -> Path:
    """Where the weights are, or were: the converted file, or a backbone's in the Hub's cache."""
    if entry.role == "segmentation":
        return converted_path(entry, record)
    return hub_path(entry, record) or home(entry) / "model"


def hub_path(entry: WeightsEntry, record: Record | None) -> Path | None:
    """The entry's file in the Hub's cache; None if it is not there."""
    if not isinstance(entry.source, HubFile):
        return None
    from huggingface_hub import try_to_load_from_cache

    revision = record.commit if record else entry.source.revision
    path = try_to_load_from_cache(entry.source.repo, entry.source.file, revision=revision)
    return Path(path) if isinstance(path, str) else None
