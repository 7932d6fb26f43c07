"""Lacking: weights that are not ready on this computer, and what a run would do to have them; without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segcli.weights import cache, manifest
from segcli.weights.manifest import HubFile, PackagedFile, WeightsEntry
from segcli.weights.reference import ModelReference


@dataclass(frozen=True)
class Lacking:
    """What a run would do first.

    Attributes:
        name: The name of the manifest's entry.
        bytes: The size of the download, as published; 0 where none is.
        address: Where it is; empty where it is on this computer already, and only to be converted.
    """

    name: str
    bytes: int
    address: str

    def __str__(self) -> str:
        if not self.address:
            return f"would convert {self.name}, which was downloaded before"
        return f"would download {self.name}, {size(self.bytes)} from {self.address}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain values."""
        return {"name": self.name, "bytes": self.bytes, "address": self.address}


def lacking(entry: WeightsEntry) -> Lacking | None:
    """What a run with these weights would do first; None where they are ready. Writes nothing and asks no host."""
    if isinstance(entry.source, PackagedFile) or cache.intact(entry):
        return None
    if _is_downloaded(entry):
        return None if entry.role == "backbone" else Lacking(entry.name, entry.size, "")
    return Lacking(entry.name, entry.size, address(entry))


def lacking_of(reference: ModelReference | None) -> Lacking | None:
    """The same of a model that is meant; a file is there."""
    return lacking(reference.entry) if reference and reference.entry else None


def size(number: int) -> str:
    """A size in bytes, in words."""
    return f"{number / 1e6:.3g} MB" if number else "of a size that its source does not say,"


def address(entry: WeightsEntry) -> str:
    """The address that an entry's file is downloaded from: on the Hub, or the mirror that HF_ENDPOINT names."""
    if not isinstance(entry.source, HubFile):
        return str(entry.source)
    from segcli.weights import hub

    return f"{hub.host()}/{entry.source.repo}/{entry.source.file}"


def of_backbone(spec: Any) -> Lacking | None:
    """The same of the ImageNet weights for a model's backbone."""
    return lacking(manifest.backbone(spec))


def _is_downloaded(entry: WeightsEntry) -> bool:
    """Whether its file is on this computer, as its source has it."""
    if isinstance(entry.source, HubFile):
        return cache.hub_path(entry, cache.recorded(entry)) is not None
    return (cache.home(entry) / entry.source.url.rpartition("/")[2]).is_file()
