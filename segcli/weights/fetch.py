"""The file of a manifest's entry as its source has it: fetched, and held to its sha256."""

from dataclasses import dataclass, replace
from pathlib import Path

from segcli.errors import WeightsError
from segcli.files import atomic, download
from segcli.files.download import Progress
from segcli.weights import hub
from segcli.weights.manifest import HubFile, WeightsEntry

BUILT_IN_HINT = "Or use what is part of segcli: `--model street` labels street scenes and needs no download."
"""What helps where weights cannot be downloaded."""


@dataclass(frozen=True)
class Download:
    """A file as its source has it, not yet verified.

    Attributes:
        path: Where it lies: in the Hub's cache, or in the entry's folder.
        commit: The Hub's commit; empty for a download by URL.
    """

    path: Path
    commit: str = ""


def fetch(entry: WeightsEntry, home: Path, commit: str = "", progress: Progress | None = None) -> Download:
    """Fetch the entry's file, unless it is here already.

    Args:
        entry: Which weights.
        home: The entry's folder in segcli's cache, where a download by URL goes.
        commit: The Hub's commit that was met at first use; empty: the manifest's revision.
        progress: Called while it is downloaded.

    Raises:
        WeightsError: It cannot be had; of a model the hint says what could be used instead.
    """
    try:
        if isinstance(entry.source, HubFile):
            file = hub.fetch(replace(entry.source, revision=commit) if commit else entry.source, progress)
            return Download(file.path, file.commit)
        return _by_url(entry, home, progress)
    except WeightsError as error:
        if entry.role == "backbone":
            raise
        raise WeightsError(error.message, f"{error.hint} {BUILT_IN_HINT}".strip()) from error


def verified_sha256(entry: WeightsEntry, path: Path, recorded: str = "") -> str:
    """The sha256 of a download; a file that is neither the recorded nor the published one is deleted.

    Args:
        entry: Which weights.
        path: The downloaded file.
        recorded: The sha256 at first use; empty: the published one, or its prefix, is expected, if there is one.

    Raises:
        WeightsError: The file has another sha256.
    """
    expected = recorded or entry.sha256
    digest = atomic.sha256(path)
    if digest.startswith(expected):
        return digest
    discard(entry, path)
    raise WeightsError(
        f"the file of {entry.name} has sha256 {digest[:12]}..., not {expected[:12]}... as "
        f"{'at its first use' if recorded else 'published'}, and was deleted",
        f"Run the command again; if it stays so, the file has changed: `segcli weights remove {entry.name}` "
        "forgets the old one, if you trust the new.",
    )


def discard(entry: WeightsEntry, path: Path) -> None:
    """Delete a download: in the Hub's cache a link and its content; a link in our own was made by the user."""
    if isinstance(entry.source, HubFile):
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _by_url(entry: WeightsEntry, home: Path, progress: Progress | None) -> Download:
    path = home / entry.source.url.rpartition("/")[2]
    if path.is_file():  # a run was interrupted while it converted
        return Download(path)
    if hub.offline():
        raise WeightsError(
            f"{entry.name} is not in the cache, and HF_HUB_OFFLINE forbids to download it",
            f"Run once without HF_HUB_OFFLINE, for example `segcli weights pull {entry.name}`.",
        )
    download.download(entry.source.url, path, progress)
    return Download(path)
