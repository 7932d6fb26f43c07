"""The file of a manifest's entry as its source has it: fetched, and held to its sha256."""

from dataclasses import dataclass, replace
from pathlib import Path

from segcli.errors import WeightsError
from segcli.files import atomic, download
from segcli.files.download import Progress
from segcli.labels import VOC
from segcli.weights import hub
from segcli.weights.lacking import address, size
from segcli.weights.manifest import HubFile, WeightsEntry

BUILT_IN_HINT = "For street scenes alone, `--model street` is part of segcli and needs no download."
"""What can take the place of some weights that cannot be downloaded."""
STREETS = "cityscapes"
"""The dataset from which weights for street scenes have learned."""


@dataclass(frozen=True)
class Download:
    """A file as its source has it, not yet verified.

    Attributes:
        path: Where it lies: in the Hub's cache, or in the entry's folder.
        commit: The Hub's commit; empty for a download by URL.
    """

    path: Path
    commit: str = ""


@dataclass(frozen=True)
class Expected:
    """The sha256 that a download must have, and whose word that is.

    Attributes:
        sha256: The whole or its beginning, in hexadecimal digits; empty where nobody says.
        word: How the word is given, after "as": "at its first use", "published", or "https://huggingface.co states".
        otherwise: What to do about a file that always has another one.
        host: The host whose word it is alone: nobody else has one yet. Mostly empty.
    """

    sha256: str = ""
    word: str = ""
    otherwise: str = ""
    host: str = ""


def fetch(entry: WeightsEntry, home: Path, commit: str = "", progress: Progress | None = None) -> Download:
    """Fetch the entry's file, unless it is here already.

    Args:
        entry: Which weights.
        home: The entry's folder in segcli's cache, where a download by URL goes.
        commit: The Hub's commit that was met at first use; empty: the manifest's revision.
        progress: Called while it is downloaded.

    Raises:
        WeightsError: It cannot be had: which weights, of what size and from where; the hint says what could take their
            place.
    """
    try:
        if isinstance(entry.source, HubFile):
            file = hub.fetch(replace(entry.source, revision=commit) if commit else entry.source, progress)
            return Download(file.path, file.commit)
        return _by_url(entry, home, progress)
    except WeightsError as error:
        message = f"{entry.name}, {size(entry.size)} from {address(entry)}, cannot be had: {error.message}"
        raise WeightsError(message, _instead(entry, error.hint)) from error


def _instead(entry: WeightsEntry, hint: str) -> str:
    """A hint with the weights' name, and the built-in ones where these can do some of the same."""
    hint = hint.replace("`segcli weights pull`", f"`segcli weights pull {entry.name}`")
    fits = entry.role == "segmentation" and (entry.labels == VOC.name or STREETS in entry.terms)
    return f"{hint} {BUILT_IN_HINT}".strip() if fits else hint


def expected(entry: WeightsEntry, download: Download, recorded: str = "") -> Expected:
    """What is known of a download's sha256: the recorded one, else the manifest's, else the one that its host states.

    Args:
        entry: Which weights.
        download: The downloaded file.
        recorded: The sha256 at first use; empty where this is the first.
    """
    if recorded:
        forget = f"`segcli weights remove {entry.name}` forgets the old one, if you trust the new."
        return Expected(recorded, "at its first use", f"the file has changed: {forget}")
    if entry.sha256:
        return Expected(entry.sha256, "published", "the file has changed: a newer segcli may know the new one.")
    if isinstance(entry.source, HubFile):
        file = hub.CachedFile(download.path, download.commit)
        if stated := hub.stated_sha256(file, entry.source):
            changes = "something on the way changes files: try another network."
            return Expected(stated, f"{hub.host()} states", changes, hub.host())
    return Expected()


def known(entry: WeightsEntry, wanted: Expected, sha256: str) -> str:
    """What others say of the sha256 that a download has, in words; empty where they say nothing."""
    if wanted.host:
        return f"it has the sha256 that {wanted.host} states"
    if not entry.named_sha256:
        return ""
    if sha256.startswith(entry.named_sha256):
        return "it has the sha256 that its name says"
    return (
        f"its name says sha256 {entry.named_sha256}, which it has not, but its publisher may have named it after "
        "another state of the file"
    )


def verified_sha256(entry: WeightsEntry, path: Path, wanted: Expected) -> str:
    """The sha256 of a download; a file that has not the one that is wanted is deleted.

    Raises:
        WeightsError: The file has another sha256.
    """
    digest = atomic.sha256(path)
    if digest.startswith(wanted.sha256):
        return digest
    discard(entry, path)
    raise WeightsError(
        f"the file of {entry.name} has sha256 {digest[:12]}..., not {wanted.sha256[:12]}... as {wanted.word}, "
        "and was deleted",
        f"Run the command again; if it stays so, {wanted.otherwise}",
    )


def discard(entry: WeightsEntry, path: Path) -> None:
    """Delete a download: in the Hub's cache a link and its content; a link in our own was made by the user."""
    if isinstance(entry.source, HubFile):
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def forget_unfinished(entry: WeightsEntry) -> int:
    """Delete what is left of downloads of the entry that nobody finishes; returns the bytes freed."""
    return hub.forget_unfinished(entry.source) if isinstance(entry.source, HubFile) else 0


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
