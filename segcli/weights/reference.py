"""ModelReference: which model is meant, resolved once, before torch is imported or anything is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segcli import labels
from segcli.errors import SegcliError, UsageError
from segcli.files.paths import shown
from segcli.labels import LabelSet
from segcli.models import variants
from segcli.models.differences import SIGN
from segcli.models.spec import ModelSpec
from segcli.weights import manifest
from segcli.weights.manifest import WeightsEntry

DEFAULT_MODEL = "v3-mobilenetv2"
"""The model that is used where none is named: 21 everyday classes, 10 MB."""
CHECKPOINT_SUFFIX, ONNX_SUFFIX, PT2_SUFFIX = ".safetensors", ".onnx", ".pt2"
"""The suffixes of segcli's own checkpoints and of the files that `segcli export` writes."""
BEST, LAST, RECIPE = "best.safetensors", "last.safetensors", "recipe.toml"
"""What a training run leaves in its folder: the checkpoint with the highest mIOU on its validation photos, the newest
checkpoint, and its whole recipe, defaults included."""


@dataclass(frozen=True)
class ModelReference:
    """A model that is meant: either weights of the manifest, or a file.

    Attributes:
        entry: The manifest's entry; None for a file.
        path: The checkpoint or exported file; None for an entry.
        note: What the user should be told about the choice of the file or of the weights; mostly empty.
    """

    entry: WeightsEntry | None = None
    path: Path | None = None
    note: str = ""

    def __post_init__(self):
        if (self.entry is None) == (self.path is None):
            raise ValueError("a model is either an entry of the manifest or a file")

    def __str__(self) -> str:
        return self.entry.name if self.entry else shown(self.path)

    @property
    def labels(self) -> LabelSet | None:
        """The classes, where they are known without reading the file."""
        return labels.get(self.entry.labels) if self.entry else None

    @property
    def spec(self) -> ModelSpec | None:
        """The network's description, where it is known without reading the file."""
        return self.entry.model_spec() if self.entry else None

    @property
    def is_exported(self) -> bool:
        """Whether it is a file that onnxruntime runs."""
        return self.path is not None and self.path.suffix == ONNX_SUFFIX

    def check_output_stride(self, output_stride: int | None) -> None:
        """UsageError where the model is known not to have that output stride."""
        if self.entry is None or output_stride is None:
            return
        if output_stride not in self.spec.output_strides:
            known = ", ".join(map(str, self.spec.output_strides))
            raise UsageError(f"{self.entry.variant} cannot have output stride {output_stride}", f"It can have {known}.")


def names_for(labels: LabelSet) -> list[str]:
    """The names of the known weights that have these labels."""
    return [entry.name for entry in manifest.entries() if entry.labels == labels.name]


def what_fits(labels: LabelSet) -> str:
    """The hint that names the weights for these labels, where there are any."""
    names = ", ".join(names_for(labels))
    return f"These fit: {names}." if names else "Give a checkpoint that was trained for it with --weights."


def named(name: str) -> ModelReference:
    """The weights that a name means: VARIANT, VARIANT@CHOICE or an alias.

    A variant may have differences, such as VARIANT+KEY=VALUE (`models.differences`), where weights of it exist.

    Raises:
        UsageError: There is no such model, or no such difference; the hint has the nearest names.
        WeightsError: No weights of the variant exist.
    """
    entry = manifest.resolve(name)
    return ModelReference(entry=entry, note=_choice(name, entry))


def _choice(name: str, entry: WeightsEntry) -> str:
    """What to tell who names a variant alone, where its weights were not made for photos of everyday life."""
    if not entry.scenes or "@" in name or name == entry.alias:
        return ""
    others = [one.name for one in manifest.entries() if one.variant == entry.variant and one.name != entry.name]
    hint = f"others are {', '.join(others)}" if others else f"for everyday photos take {DEFAULT_MODEL}"
    known = f"the {len(labels.get(entry.labels))} classes of {entry.labels}"
    return f"{name} means {entry.name}: weights that learned from {entry.scenes}, and know {known}; {hint}"


def checkpoint_at(path: Path, option: str = "--weights") -> ModelReference:
    """The checkpoint or exported file at a path; of a training run's folder its best checkpoint, or else its newest.

    Args:
        path: The file, or the folder of a run.
        option: What the user wrote before it, for the message; empty where nothing was.

    Raises:
        UsageError: There is no such file, or the folder holds no checkpoint of a run.
    """
    if path.is_dir():
        return _of_run(path, f"{option} {shown(path)}".lstrip())
    if not path.is_file():
        raise UsageError(
            f"{option} {shown(path)}: no such file".lstrip(),
            f"Give the path of a {CHECKPOINT_SUFFIX} checkpoint, of an exported {ONNX_SUFFIX}, or of a run's folder.",
        )
    return ModelReference(path=path)


def _of_run(folder: Path, said: str) -> ModelReference:
    """A run's best checkpoint, or its newest with a note; `said` is how messages begin."""
    best, last = folder / BEST, folder / LAST
    if best.is_file():
        return ModelReference(path=best)
    if last.is_file():
        return ModelReference(path=last, note=f"{shown(folder)} has no {BEST}, so {LAST} is taken")
    if (folder / RECIPE).is_file():
        raise UsageError(f"{said}: its run has saved no checkpoint yet", "Go on with it: segcli train --resume.")
    raise UsageError(
        f"{said}: a folder that holds no run of segcli train",
        f"Give the folder that holds {BEST}, or the path of a {CHECKPOINT_SUFFIX} or {ONNX_SUFFIX}.",
    )


def resolve(model: str | Path, *, must_exist: bool = True) -> ModelReference:
    """The model that a name or a path means: the manifest is asked first, then the file system.

    Args:
        model: A name of the manifest, or the path of a checkpoint, an exported file or a training run's folder.
        must_exist: Refuse a path where there is no file; without it, reading the file will.

    Raises:
        UsageError: It is neither; the hint has the nearest names.
        WeightsError: It is a model that no weights exist of.
    """
    if isinstance(model, str):
        try:
            return named(model)
        except SegcliError:
            if not _is_path(model):
                raise
    path = Path(model)
    return checkpoint_at(path, "") if must_exist or path.is_dir() else ModelReference(path=path)


def _is_path(text: str) -> bool:
    """Whether a text that names no weights is a path: it exists, or looks like one and begins with no model's name."""
    if Path(text).is_file() or Path(text).is_dir():
        return True
    return any(sign in text for sign in "./\\") and not (SIGN in text and variants.is_name(text))
