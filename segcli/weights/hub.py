"""Files of the Hugging Face Hub, through its own cache, with each of its failures told in one line.

huggingface_hub reads HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN and HF_HOME from the environment when it is imported;
HF_TOKEN goes to whatever host HF_ENDPOINT names. It checks the size of what it downloads, never a hash: that is the
work of `weights`.
"""

import errno
import logging
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import (
    HfFileMetadata,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import tqdm

from segcli import __version__
from segcli.errors import WeightsError
from segcli.files.download import LARGEST_FILE, MEGABYTE, OWN_FILE, Progress, require_space
from segcli.files.pace import LEAST, Pace, StalledError
from segcli.weights.manifest import HubFile

SHA256 = re.compile("[0-9a-f]{64}")
"""What an ETag is if it is a sha256; the Hub's for a small file is git's SHA-1, and a mirror's may be anything."""
_NAME = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,127}")
"""What an ETag and a commit must be, since huggingface_hub names files by them."""
UNFINISHED, REUSED = "*.incomplete", re.compile(r"[0-9a-f]+\.incomplete")
"""The names of half a download in the Hub's cache, and of one that huggingface_hub goes on with (2.4 never does)."""
ABANDONED = 3600.0
"""The seconds after its last byte in which half a download may still be somebody's."""


@dataclass(frozen=True)
class CachedFile:
    """A file in the Hub's cache and the commit it belongs to."""

    path: Path
    commit: str


def offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids the network."""
    return constants.HF_HUB_OFFLINE


def fetch(source: HubFile, progress: Progress | None = None) -> CachedFile:
    """The file, downloaded unless the Hub's cache has it.

    Args:
        source: Which; its revision may be a branch, which costs a request even when the file is cached.
        progress: Called as bytes arrive; not at all for a cached file.

    Raises:
        WeightsError: It cannot be had.
    """
    if constants.HF_HUB_CACHE.startswith("~"):
        message = "this user has no home folder, where the Hub's cache could be"
        raise WeightsError(message, "Set HF_HOME to a folder of yours.")
    pace = Pace()
    try:
        with _silent(), _cleared(source):
            path = pace.wait(lambda: _downloaded(source, pace, progress))
    except WeightsError:
        raise
    except Exception as error:  # addresses that are none raise many kinds
        raise _explained(error, source) from error
    return CachedFile(Path(path), Path(path).parents[len(PurePosixPath(source.file).parts) - 1].name)


def _downloaded(source: HubFile, pace: Pace, progress: Progress | None) -> str:
    """The path in the Hub's cache of a file that is downloaded if need be."""
    if not offline() and not try_to_load_from_cache(source.repo, source.file, revision=source.revision):
        _probe(source)
    return hf_hub_download(
        source.repo,
        source.file,
        revision=source.revision,
        library_name="segcli",
        library_version=__version__,
        tqdm_class=_reporting(source, pace, progress),
    )


@contextmanager
def _cleared(source: HubFile) -> Iterator[None]:
    """Within it, half a download that nobody will go on with does not stay in the Hub's cache.

    Of one that others may be at only its age tells that it is left over; ours goes when the block raises, unless
    huggingface_hub would go on with it.
    """
    blobs = _blobs(source)
    before = set(blobs.glob(UNFINISHED))
    with suppress(OSError):
        for path in _abandoned(source):
            if not REUSED.fullmatch(path.name):
                path.unlink(missing_ok=True)
    try:
        yield
    except BaseException as error:
        refused = isinstance(error, WeightsError)
        for path in set(blobs.glob(UNFINISHED)) - before:
            if refused or not REUSED.fullmatch(path.name):
                with suppress(OSError):  # Windows keeps a file that is still open
                    path.unlink(missing_ok=True)
        raise


def forget_unfinished(source: HubFile) -> int:
    """Delete half downloads from the file's repository that nobody is at; returns the bytes freed."""
    freed = 0
    with suppress(OSError):  # another process may clear them too; Windows keeps a file that is open
        for path in _abandoned(source):
            size = path.stat().st_size
            path.unlink()
            freed += size
    return freed


def _abandoned(source: HubFile) -> list[Path]:
    """Half downloads from the file's repository to which nothing was added for `ABANDONED` seconds."""
    return [path for path in _blobs(source).glob(UNFINISHED) if time.time() - path.stat().st_mtime > ABANDONED]


def _blobs(source: HubFile) -> Path:
    """The folder in the Hub's cache with the contents of a repository's files."""
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source.repo, repo_type="model") / "blobs"


def host() -> str:
    """The address of the Hub, or of its mirror that HF_ENDPOINT names."""
    return constants.ENDPOINT


def stated_sha256(file: CachedFile, source: HubFile) -> str:
    """The sha256 that the Hub states of a file in its cache; empty where it states none, or cannot be asked.

    Of a large file it is the ETag, which huggingface_hub names the content by. Where the cache has no links (Windows),
    that name is lost, and the Hub is asked again.
    """
    etag = file.path.resolve().name if file.path.is_symlink() else _etag(replace(source, revision=file.commit))
    return etag.lower() if SHA256.fullmatch(etag.lower()) else ""


def _etag(source: HubFile) -> str:
    """What the Hub says now to tell this file's content from any other; empty where it cannot be asked."""
    if offline():
        return ""
    try:
        with _silent():
            return Pace().wait(lambda: _metadata(source).etag) or ""
    except (HTTPError, OSError, StalledError):
        return ""


def _metadata(source: HubFile) -> HfFileMetadata:
    return get_hf_file_metadata(hf_hub_url(source.repo, source.file, revision=source.revision))


def _probe(source: HubFile) -> None:
    """Ask for the file's size once: without a network this fails at once, hf_hub_download after 23 seconds."""
    try:
        metadata = _metadata(source)
    except HfHubHTTPError:
        raise
    except HTTPError as error:
        raise _unreachable(source) from error
    for value in (metadata.etag, metadata.commit_hash):
        if value is None or not _NAME.fullmatch(value):
            raise WeightsError(f"{host()} does not answer as the Hub does", "Check HF_ENDPOINT.")
    cache = Path(constants.HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    require_space(cache, metadata.size or 0)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep huggingface_hub from printing, and let it take small pieces, so that a slow download is not a stalled one.

    What is worth knowing comes back as an error.
    """
    logger = logging.getLogger("huggingface_hub")
    level, piece = logger.level, constants.DOWNLOAD_CHUNK_SIZE
    logger.setLevel(logging.CRITICAL)
    constants.DOWNLOAD_CHUNK_SIZE = LEAST
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        constants.DOWNLOAD_CHUNK_SIZE = piece


def _reporting(source: HubFile, pace: Pace, progress: Progress | None) -> type[tqdm]:
    """A progress bar class that draws nothing and reports the furthest of its bars (hf_xet has two).

    It ends a download that brings more than it should, or that nobody waits for any more.
    """
    furthest = 0

    class Reporting(tqdm):
        def __init__(self, *args: Any, **options: Any):
            super().__init__(*args, **options | {"disable": True})
            self.total, self.n = options.get("total"), options.get("initial", 0)
            self.update(0)

        def update(self, n: float = 1) -> None:
            nonlocal furthest
            self.n += n
            furthest = max(furthest, int(self.n))
            total = int(self.total) if self.total else None
            pace.add(int(n))
            _bound(source, furthest, total)
            if progress:
                progress(source.file, furthest, total)

    return Reporting


def _bound(source: HubFile, done: int, total: int | None) -> None:
    """Raise WeightsError for more bytes than were announced, or than the disk has room for."""
    if done > (total or LARGEST_FILE):
        message = f"{host()} sends more of {source.repo}/{source.file} than it announced"
        raise WeightsError(message, "Nothing of it is used.")
    if total is None:
        require_space(Path(constants.HF_HUB_CACHE), MEGABYTE)


def _explained(error: Exception, source: HubFile) -> WeightsError:
    """What each of huggingface_hub's exceptions means here; the most specific first."""
    for kind, message, hint in (
        (
            GatedRepoError,
            f"{source.repo} is gated",
            f"Accept its terms at {host()}/{source.repo}, then log in with `hf auth login` or set HF_TOKEN.",
        ),
        (
            RepositoryNotFoundError,
            f"{source.repo} is not on {host()}, or it is private",
            "Check HF_ENDPOINT; for a private repository log in with `hf auth login` or set HF_TOKEN.",
        ),
        (
            RevisionNotFoundError,
            f"{source.repo} has no revision {source.revision}",
            "A newer segcli may know where the weights went; `segcli models` shows others.",
        ),
        (
            RemoteEntryNotFoundError,
            f"{source.repo} has no file {source.file} at {source.revision}",
            "A newer segcli may know where the weights went; `segcli models` shows others.",
        ),
    ):
        if isinstance(error, kind):
            return WeightsError(message, hint)
    return _transport(error, source)


def _transport(error: Exception, source: HubFile) -> WeightsError:
    """Failures below the Hub's own: network, server, addresses."""
    name = f"{source.repo}/{source.file}"
    if isinstance(error, LocalEntryNotFoundError) and offline():
        return WeightsError(
            f"{name} is not in the cache, and HF_HUB_OFFLINE forbids to download it",
            "Run once without HF_HUB_OFFLINE, for example `segcli weights pull`.",
        )
    if isinstance(error, LocalEntryNotFoundError):
        return _unreachable(source)
    if isinstance(error, HfHubHTTPError):
        return WeightsError(
            f"{host()} refuses {name} (HTTP {error.response.status_code})",
            "Try again later, or set HF_ENDPOINT to a mirror.",
        )
    if isinstance(error, OSError) and error.errno:
        return _disk(error)
    if isinstance(error, HTTPError | OSError | RuntimeError | StalledError):  # RuntimeError: hf_xet's own
        why = str(error) if isinstance(error, StalledError) else type(error).__name__
        return WeightsError(f"the download of {name} was cut short ({why})", "Run the command again.")
    return _unreachable(source, str(error))


def _disk(error: OSError) -> WeightsError:
    if error.errno == errno.ENOSPC:
        return WeightsError("the disk of the Hub's cache is full", "Free some space, or set HF_HOME to another disk.")
    return WeightsError(f"the Hub's cache cannot be used ({error})", "Set HF_HOME to a folder of yours.")


def _unreachable(source: HubFile, reason: str = "") -> WeightsError:
    why = f" ({reason})" if reason else ""
    return WeightsError(
        f"cannot reach {host()}{why}, and {source.repo}/{source.file} is not in the cache",
        "Check the network connection and HTTPS_PROXY, or set HF_ENDPOINT to a mirror of the Hub; then run the command "
        f"again. {OWN_FILE}",
    )
