"""ModelReference: which model is meant, resolved once, before torch is imported or anything is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segcli import labels
from segcli.errors import UsageError
from segcli.files.paths import shown
from segcli.labels import LabelSet
from segcli.weights import manifest
from segcli.weights.manifest import WeightsEntry

CHECKPOINT, ONNX, PT2 = ".safetensors", ".onnx", ".pt2"
"""The suffixes of segcli's own checkpoints and of the files that `segcli export` writes."""


@dataclass(frozen=True)
class ModelReference:
    """A model: either weights of the manifest, or a file.

    Attributes:
        entry: The manifest's entry; None for a file.
        path: The checkpoint or exported file; None for an entry.
    """

    entry: WeightsEntry | None = None
    path: Path | None = None

    def __str__(self) -> str:
        return self.entry.name if self.entry else shown(self.path)

    @property
    def labels(self) -> LabelSet | None:
        """The classes, where they are known without reading the file."""
        return labels.get(self.entry.labels) if self.entry else None

    @property
    def is_exported(self) -> bool:
        """Whether it is a file that onnxruntime runs."""
        return self.path is not None and self.path.suffix == ONNX

    def check_output_stride(self, output_stride: int | None) -> None:
        """UsageError where the model is known not to have that output stride."""
        if self.entry is None or output_stride is None:
            return
        strides = self.entry.model_spec().output_strides
        if output_stride not in strides:
            known = ", ".join(map(str, strides))
            raise UsageError(f"{self.entry.variant} cannot have output stride {output_stride}", f"It can have {known}.")


def named(name: str) -> ModelReference:
    """The weights that a name (VARIANT, VARIANT@CHOICE or an alias) means; UsageError with the nearest names."""
    return ModelReference(entry=manifest.resolve(name))


def checkpoint_at(path: Path) -> ModelReference:
    """The checkpoint or exported file at a path; UsageError where there is none."""
    if not path.is_file():
        raise UsageError(
            f"--weights {shown(path)}: no such file",
            "Give the path of a .safetensors checkpoint, or of an exported .onnx.",
        )
    return ModelReference(path=path)


def resolve(model: str | Path) -> ModelReference:
    """The model that a name or a path means: the manifest is asked first, then the file system.

    Raises:
        UsageError: It is neither; the message has the nearest names.
    """
    if isinstance(model, Path):
        return checkpoint_at(model)
    try:
        return named(model)
    except UsageError:
        if Path(model).is_file():
            return ModelReference(path=Path(model))
        if any(sign in model for sign in "/\\") or Path(model).suffix in (CHECKPOINT, ONNX, PT2):
            return checkpoint_at(Path(model))
        raise
