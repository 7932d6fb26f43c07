"""Start: the weights that a planned training starts from, and what they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segcli import labels
from segcli.errors import UsageError, WeightsError
from segcli.labels import LabelSet
from segcli.models.preprocessing import Preprocessing
from segcli.pipeline.listener import SILENT, Listener
from segcli.weights import cache, lacking, metadata, reference
from segcli.weights.metadata import Metadata
from segcli.weights.reference import ModelReference

BETTER = "v3-mobilenetv2"
"""What is started from where nobody says otherwise: it has seen photos of everyday life, and is small."""
BUILT_IN = "street"
"""What is started from where that cannot be had; it has seen rendered streets alone."""


@dataclass(frozen=True)
class Start:
    """First weights.

    Attributes:
        init: What `model.init` calls them.
        about: What they are.
        why: Why these, in a few words.
    """

    init: str
    about: Metadata
    why: str

    @property
    def preprocessing(self) -> Preprocessing:
        """What their inputs look like."""
        return self.about.preprocessing

    @property
    def output_stride(self) -> int:
        """Pixels of the network's input a feature."""
        return self.about.spec.output_stride

    def knows(self, labels: LabelSet) -> bool:
        """Whether they tell these very classes already, so that their classifier is kept too."""
        return self.about.labels.names == labels.names


def choose(model: str | Path | None = None, listener: Listener = SILENT, dry: bool = False) -> Start:
    """The first weights: those that are named, else the best small ones that can be had here.

    They are downloaded where they are not on this computer yet; with `dry` the manifest tells of them what is needed.

    Args:
        model: A name of `segcli models`, or the path of a checkpoint or of a run's folder; None leaves the choice.
        listener: Hears of downloads, and of better weights that cannot be had.
        dry: Download and convert nothing.

    Raises:
        UsageError: There is no such model or file, or it is an export, which cannot learn.
        WeightsError: The weights cannot be had.
    """
    if model is not None:
        return _of(reference.resolve(model), "your choice", listener, dry)
    try:
        return _of(reference.named(BETTER), "small, trained on everyday photos", listener, dry)
    except WeightsError as error:
        listener.warn(
            f"{BETTER} would be better first weights, but {error.message}; the training starts from the built-in "
            f"{BUILT_IN} instead (with an internet connection, `segcli weights pull {BETTER}` gets the better ones; "
            "--weights names others)"
        )
        return _of(reference.named(BUILT_IN), f"built in; {BETTER} is not available here", listener, dry)


def _of(meant: ModelReference, why: str, listener: Listener, dry: bool) -> Start:
    if meant.is_exported:
        raise UsageError(
            f"{meant} is an exported model and cannot be trained", "Give the checkpoint that it was exported from."
        )
    if meant.note:
        listener.note(meant.note)
    if meant.entry is None:
        return Start(str(meant.path), metadata.read(meant.path), why)
    if meant.entry.role != "segmentation":
        hint = "It is only a part of other models. Give a model that `segcli models` lists."
        raise UsageError(f"{meant} is a backbone, not a whole model", hint)
    entry = meant.entry
    if dry and lacking.lacking(entry):
        return Start(entry.name, Metadata(entry.model_spec(), labels.get(entry.labels), entry.preprocessing), why)
    with listener.downloading() as progress:
        here = cache.obtain(entry, progress)
    for note in here.notes():
        listener.note(note)
    return Start(entry.name, metadata.read(here.path), why)
