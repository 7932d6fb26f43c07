"""From a name or a file to a network that is ready to run, and back to a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from segcli import labels
from segcli.errors import UsageError, WeightsError
from segcli.files import atomic, paths
from segcli.files.download import Progress
from segcli.labels import LabelSet
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights import cache, checkpoint, foreign, manifest, onnx_file
from segcli.weights.checkpoint import Checkpoint
from segcli.weights.convert.layouts import convert

ONNX, PT2 = ".onnx", ".pt2"
"""Suffixes of exported files."""
BACKBONE_LABELS = LabelSet("none", (), ())
"""Of a checkpoint that holds a backbone only."""


@dataclass(frozen=True)
class LoadedModel:
    """A network and all that is needed to use it.

    Attributes:
        spec: What it is.
        labels: One class a logit.
        preprocessing: What its inputs must look like.
        output_stride: The one it was built with.
        network: In eval mode, float32, on the CPU.
        provenance: Where its weights come from; plain values for run.toml.
        notes: What the user should be told about them, one line each.
        engine: What runs the network: "torch", or "onnx" for onnxruntime, which uses the CPU only.
        trained: Whether it can tell the classes; a fresh classifier cannot.
    """

    spec: ModelSpec
    labels: LabelSet
    preprocessing: Preprocessing
    output_stride: int
    network: nn.Module
    provenance: Mapping[str, str]
    notes: tuple[str, ...] = ()
    engine: Literal["torch", "onnx"] = "torch"
    trained: bool = True


@dataclass(frozen=True)
class Pretrained:
    """An ImageNet backbone to train from.

    Attributes:
        spec: The model's spec, with what the backbone's source does differently.
        tensors: `backbone.*` of the model's state dict.
        preprocessing: The mean, scale and channel order it was trained with.
        provenance: Where it comes from.
        notes: What the user should be told about it, one line each.
    """

    spec: ModelSpec
    tensors: Mapping[str, Tensor]
    preprocessing: Preprocessing
    provenance: Mapping[str, str]
    notes: tuple[str, ...] = ()


def load(reference: str | Path, output_stride: int | None = None, *, progress: Progress | None = None) -> LoadedModel:
    """Load a model by name (VARIANT or VARIANT@CHOICE, fetched if need be), from a segcli checkpoint or exported file.

    Args:
        reference: A Path, or text with a "." or a slash in it, is a checkpoint, or with the suffix .onnx a file of
            `segcli export`; anything else a name in the manifest.
        output_stride: None: the one the weights were made for.
        progress: Called while weights are downloaded.

    Raises:
        UsageError: There is no such model, or it cannot have that output stride.
        WeightsError: The weights cannot be had, are damaged, or do not fit.
    """
    if isinstance(reference, Path) or any(sign in reference for sign in "./\\"):
        path = Path(reference)
        if path.suffix in (ONNX, PT2):
            return _exported(path, output_stride)
        saved = checkpoint.read(path)
        provenance = {**saved.provenance, "weights": str(path), "sha256": atomic.sha256(path)}
        return _loaded(saved, output_stride, provenance)
    entry = manifest.resolve(reference)
    here = cache.obtain(entry, progress)
    return _loaded(checkpoint.read(here.path), output_stride, cache.provenance(entry, here.record), _notes(here))


def _exported(path: Path, output_stride: int | None) -> LoadedModel:
    if path.suffix == PT2:
        raise WeightsError(f"{paths.shown(path)}: loading a .pt2 can run code", "Give the .onnx, or the checkpoint.")
    read = onnx_file.read(path)
    facts, stride = read.facts, read.making.output_stride
    if output_stride not in (None, stride):
        raise UsageError(
            f"{paths.shown(path)} was exported at output stride {stride}, which cannot be changed",
            "Export the checkpoint again with --output-stride.",
        )
    provenance = {**facts.provenance, "weights": str(path), "sha256": atomic.sha256(path)}
    network = read.network.eval()
    return LoadedModel(facts.spec, facts.labels, facts.preprocessing, stride, network, provenance, engine="onnx")


def _loaded(
    saved: Checkpoint, output_stride: int | None, provenance: Mapping[str, str], notes: tuple[str, ...] = ()
) -> LoadedModel:
    if not len(saved.labels):
        raise WeightsError(f"the weights {provenance['weights']} hold a backbone only", "Train a model from it first.")
    stride = saved.spec.output_stride if output_stride is None else output_stride
    with torch.device("meta"):  # fresh weights would only be thrown away
        network = build(saved.spec, len(saved.labels), stride)
    checkpoint.fill(network, saved.tensors, provenance["weights"])
    return LoadedModel(saved.spec, saved.labels, saved.preprocessing, stride, network.eval(), dict(provenance), notes)


def _notes(here: cache.Cached) -> tuple[str, ...]:
    return (here.note(),) if here.newly_recorded else ()


def save(
    path: Path,
    network: nn.Module,
    spec: ModelSpec,
    labels: LabelSet,
    preprocessing: Preprocessing,
    recipe: Mapping[str, Any] | None = None,
    scores: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint that `load` needs nothing else for; the file appears whole or not at all.

    Args:
        path: A .safetensors file.
        network: Of that spec, with one logit a label.
        spec: What it is.
        labels: One class a logit.
        preprocessing: What its inputs must look like.
        recipe: How it was trained, as plain JSON values.
        scores: What it reached, by name.

    Raises:
        WeightsError: The file cannot be written.
    """
    checkpoint.write(path, Checkpoint(spec, labels, preprocessing, network.state_dict(), recipe or {}, scores or {}))


def pretrained(spec: ModelSpec, progress: Progress | None = None) -> Pretrained:
    """The ImageNet backbone for a model, fetched if need be.

    Raises:
        WeightsError: None exists for that kind of backbone, or it cannot be had.
    """
    entry = manifest.backbone(spec.backbone.kind)
    here = cache.obtain(entry, progress)
    adapted = manifest.adapted(spec, entry.spec)
    tensors = convert(foreign.read(here.path), entry.format, adapted)
    origin = cache.provenance(entry, here.record)
    return Pretrained(adapted, tensors, entry.preprocessing, origin, _notes(here))


def halve(source: Path, output: Path) -> Checkpoint:
    """Write a checkpoint's kernels in half precision: half the bytes to ship. `load` makes them float32 again.

    Vectors stay float32: they are few, and a variance may be beyond half precision's range.

    Args:
        source: A segcli checkpoint.
        output: The .safetensors file to write.

    Returns:
        What was written.

    Raises:
        WeightsError: The source is no segcli checkpoint, a value does not fit, or the file cannot be written.
    """
    saved = checkpoint.read(source)
    tensors = {key: tensor.half() if tensor.ndim > 1 else tensor for key, tensor in saved.tensors.items()}
    if lost := [key for key, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise WeightsError(f"{paths.shown(source)}: {lost[0]} does not fit into half precision", "Ship it as it is.")
    made = replace(saved, tensors=tensors)
    checkpoint.write(output, made)
    return made


def convert_file(source: Path, layout: str, model: str, output: Path, label_set: LabelSet | None = None) -> Checkpoint:
    """Make a segcli checkpoint of a foreign one.

    Args:
        source: The foreign file.
        layout: Whose it is, a key of `convert.LAYOUTS`.
        model: VARIANT or VARIANT@CHOICE; the choice, or the default weights of that layout, lend labels and
            preprocessing.
        output: The .safetensors file to write.
        label_set: The classes; None: those of the manifest's entry.

    Returns:
        What was written. Of timm's layout that is a backbone without classes, to train from.

    Raises:
        UsageError: There is no such model or layout, or the labels must be named.
        WeightsError: The file is damaged, or a tensor of it is missing, unknown or of another shape.
    """
    spec, classes, preprocessing = _target(layout, model, label_set)
    tensors = foreign.read(source)
    origin = {"weights": output.name, "source": source.name, "sha256": atomic.sha256(source)}
    made = cache.converted(tensors, layout, spec, classes, preprocessing, origin)
    checkpoint.write(output, made)
    return made


def _target(layout: str, model: str, label_set: LabelSet | None) -> tuple[ModelSpec, LabelSet, Preprocessing]:
    """What a foreign file of that layout becomes: as the manifest has it, where it has weights of that layout."""
    name, _, choice = model.partition("@")
    spec = variants.get(name)
    if layout == "timm":
        backbone = manifest.backbone(spec.backbone.kind)
        if choice not in ("", backbone.name.partition("@")[2]):
            raise manifest.no_such_choice(backbone.variant, choice, [backbone])
        return manifest.adapted(spec, backbone.spec), BACKBONE_LABELS, backbone.preprocessing
    alike = [e for e in manifest.entries() if e.format == layout and e.role == "segmentation"]
    of_variant = [e for e in alike if e.variant == spec.name]
    same = [e for e in of_variant if choice in ("", e.labels, e.name.partition("@")[2])]
    if choice and not same:
        raise manifest.no_such_choice(spec.name, choice, of_variant)
    if same:
        return same[0].model_spec(), label_set or labels.get(same[0].labels), same[0].preprocessing
    if label_set is None:
        raise UsageError(f"{model} has no known classes in the layout {layout}", "Name them with --labels.")
    return spec, label_set, alike[0].preprocessing if alike else Preprocessing()
