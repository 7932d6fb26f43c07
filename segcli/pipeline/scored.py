"""Scored: which photos of a dataset a model is scored on, where it is known which photos it learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from segcli.data import parts
from segcli.data.dataset import Dataset
from segcli.data.parts import Kind, Parts
from segcli.distributed import Processes
from segcli.errors import DatasetError, UsageError
from segcli.files.paths import shown
from segcli.pipeline.listener import SILENT, Listener
from segcli.weights import manifest

Part = Literal["unseen", "held-out", "new", "train", "all"]
"""Which photos are scored, by what they are to the run that trained the model; "unseen" are those held out and new."""
TAKEN: dict[Part, tuple[Kind, ...]] = {
    "unseen": ("held-out", "new"),
    "held-out": ("held-out",),
    "new": ("new",),
    "train": ("train",),
    "all": ("held-out", "new", "train"),
}
"""The kinds of photos that belong to a part."""
WORDS: dict[Kind, str] = {"held-out": "{} held out", "new": "{} new", "train": "{} learned from"}
"""How many photos of a kind there are, in words."""
HELD_BACK = ("val", "trainval")
"""The splits with the photos that weights which are `trained_on_val` learned from against the custom."""


@dataclass(frozen=True)
class Scored:
    """The photos of a dataset by what they are to a run.

    Attributes:
        part: Which of them are scored.
        kinds: The kind of each photo by its name.
        missing: How many of the photos that the run held out the dataset lacks.
    """

    part: Part
    kinds: Mapping[str, Kind]
    missing: int = 0

    def takes(self, name: str) -> bool:
        """Whether the photo of that name is scored."""
        return self.kinds[name] in TAKEN[self.part]

    def to_dict(self, data: Dataset) -> dict[str, Any]:
        """JSON-plain values; `data` holds the photos that were scored, less than the part where some were unusable."""
        scored = Counter(self.kinds[sample.name] for sample in data.samples)
        left_out = Counter(kind for name, kind in self.kinds.items() if not self.takes(name))
        return {"part": self.part, "scored": _by_kind(scored), "left_out": _by_kind(left_out)}

    def words(self) -> str:
        """How many photos of which kind are scored and left out, in one line."""
        left_out = _listed(Counter(kind for name, kind in self.kinds.items() if not self.takes(name)))
        taken = _listed(Counter(kind for name, kind in self.kinds.items() if self.takes(name)))
        rest = f"; left out: {left_out} (--part chooses)" if left_out else ""
        return f"photos scored: {taken}{rest}"


def choose(
    data: Dataset, model: Path | None, part: Part | None, processes: Processes, listener: Listener = SILENT
) -> tuple[Dataset, Scored | None]:
    """The photos of a dataset that a model is scored on, told apart by the content of their files.

    Args:
        data: The dataset as it was listed.
        model: The model's file; where it lies in the folder of a run, split.toml there tells the photos apart.
        part: Which are scored; None: those that the run did not learn from, and all where no run is known.
        processes: Who shares the reading; each gets the same answer.
        listener: Hears how many of which kind are scored and left out.

    Raises:
        UsageError: There is no such part, or nothing tells which photos belong to it.
        DatasetError: No photo is left, or split.toml is damaged.
    """
    if part is not None and part not in TAKEN:
        raise UsageError(f"part cannot be {part!r}", f"It is one of {', '.join(TAKEN)}.")
    split = None if model is None or not model.is_file() else parts.beside(model)
    if split is None:
        if part not in (None, "all"):
            hint = f"Only a model in the folder of its run has one, which holds {parts.SPLIT}."
            raise UsageError(
                f"nothing tells which photos the model learned from, so that it has no part {part!r}", hint
            )
        return data, None
    found = _sorted(data, split, part or "unseen", processes, listener)
    if left := [sample for sample in data.samples if found.takes(sample.name)]:
        _tell(found, listener)
        return replace(data, samples=tuple(left)), found
    raise _nothing_left(found, model.parent)


def trained_on(weights: str, data: Dataset) -> bool:
    """Whether published weights of that name learned from the photos that a split is meant to test them with."""
    entry = next((entry for entry in manifest.entries() if entry.name == weights), None)
    if entry is None or not entry.trained_on_val:
        return False
    owners = (word.strip().rpartition(":") for word in data.split.split("+"))  # of "train+val+voc2012:val"
    return any((owner or data.name) == entry.labels and split in HELD_BACK for owner, _, split in owners)


def warn_of_training(weights: str, data: Dataset, listener: Listener) -> None:
    """Warn of published weights of that name whose scores on a dataset mean nothing."""
    if trained_on(weights, data):
        words = f"{weights} learned from the photos of {data.name} {data.split} too"
        listener.warn(f"{words}, so that its scores on them are too good: they tell nothing of other photos")


def _sorted(data: Dataset, split: Parts, part: Part, processes: Processes, listener: Listener) -> Scored:
    """The photos by what they are to the run."""
    mine = parts.contents(processes.shard(data.samples), listener.counting, "hashing")
    contents: dict[str, str] = {}
    for some in processes.all_gather({sample.name: content for sample, content in mine.items()}):
        contents |= some
    kinds = {sample.name: split.kind(contents.get(sample.name)) for sample in data.samples}
    return Scored(part, kinds, len(set(split.held_out.values()) - set(contents.values())))


def _tell(found: Scored, listener: Listener) -> None:
    """Say what is scored, and what deserves a doubt."""
    listener.note(found.words())
    if found.part == "held-out" and found.missing:
        listener.warn(f"{found.missing} of the photos that the run held out are not here, or their files have changed")
    if "train" in TAKEN[found.part] and "train" in found.kinds.values():
        listener.warn("the scores of photos that the model learned from are too good")


def _nothing_left(found: Scored, folder: Path) -> DatasetError:
    """The error of a part without a photo."""
    there = _listed(Counter(found.kinds.values()))
    message = f"no photo is left to score as {found.part}: to the run {shown(folder)} they are {there}"
    return DatasetError(message, "Name other photos, or score these all the same with --part all (part='all').")


def _by_kind(counts: Mapping[Kind, int]) -> dict[str, int]:
    return {kind.replace("-", "_"): counts.get(kind, 0) for kind in WORDS}


def _listed(counts: Mapping[Kind, int]) -> str:
    """The counts in words, such as "8 held out, 2 new"."""
    return ", ".join(words.format(counts[kind]) for kind, words in WORDS.items() if counts.get(kind))
