"""Files of the Hugging Face Hub, through its own cache, with each of its failures told in one line.

huggingface_hub reads HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN and HF_HOME from the environment when it is imported;
HF_TOKEN goes to whatever host HF_ENDPOINT names. It checks the size of what it downloads, never a hash: that is the
work of `weights`.
"""

import errno
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
from huggingface_hub.utils import tqdm

from segcli import __version__
from segcli.errors import WeightsError
from segcli.files.download import Progress, require_space
from segcli.weights.manifest import HubFile

SHA256 = re.compile("[0-9a-f]{64}")
"""What an ETag is if it is a sha256; the Hub's for a small file is git's SHA-1, and a mirror's may be anything."""


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
    try:
        with _silent():
            if not offline() and not try_to_load_from_cache(source.repo, source.file, revision=source.revision):
                _probe(source)
            path = hf_hub_download(
                source.repo,
                source.file,
                revision=source.revision,
                library_name="segcli",
                library_version=__version__,
                tqdm_class=_reporting(source.file, progress),
            )
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError: hf_xet's own
        raise _explained(error, source) from error
    return CachedFile(Path(path), Path(path).parents[len(PurePosixPath(source.file).parts) - 1].name)


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
            return _metadata(source).etag or ""
    except (HTTPError, OSError):
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
    cache = Path(constants.HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    require_space(cache, metadata.size or 0)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep huggingface_hub from printing: what is worth knowing comes back as an error."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _reporting(name: str, progress: Progress | None) -> type[tqdm]:
    """A progress bar class that draws nothing and reports the furthest of its bars (hf_xet has two)."""
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
            if progress:
                progress(name, furthest, int(self.total) if self.total else None)

    return Reporting


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
    """Failures below the Hub's own: network, server, disk."""
    if isinstance(error, LocalEntryNotFoundError) and offline():
        return WeightsError(
            f"{source.repo}/{source.file} is not in the cache, and HF_HUB_OFFLINE forbids to download it",
            "Run once without HF_HUB_OFFLINE, for example `segcli weights pull`.",
        )
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return WeightsError(f"{host()} refuses {source.repo}/{source.file} (HTTP {status})", "Try again later.")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return WeightsError("the disk of the Hub's cache is full", "Free some space, or set HF_HOME to another disk.")
    if isinstance(error, OSError) and error.errno:
        return WeightsError(f"the Hub's cache cannot be used ({error})", "Set HF_HOME to a folder of yours.")
    if isinstance(error, LocalEntryNotFoundError):
        return _unreachable(source)
    return WeightsError(
        f"the download of {source.repo}/{source.file} was cut short ({type(error).__name__})",
        "Run the command again.",
    )


def _unreachable(source: HubFile) -> WeightsError:
    return WeightsError(
        f"cannot reach {host()}, and {source.repo}/{source.file} is not in the cache",
        "Check the network connection, HF_ENDPOINT and HTTPS_PROXY; then run the command again.",
    )
