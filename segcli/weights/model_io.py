"""From a model's reference to a network that is ready to run, and from a network to a checkpoint."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segcli.errors import UsageError, WeightsError
from segcli.files import atomic, paths
from segcli.files.download import Progress
from segcli.images.reading import RGB_8_BIT, PhotoValues
from segcli.labels import LabelSet
from segcli.models.networks.deeplab import build
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights import cache, checkpoint, foreign, manifest, onnx_file
from segcli.weights.checkpoint import Checkpoint
from segcli.weights.convert import vgg_classifier
from segcli.weights.convert.layouts import convert
from segcli.weights.facts import ModelFacts
from segcli.weights.manifest import WeightsEntry
from segcli.weights.metadata import Metadata
from segcli.weights.reference import PT2_SUFFIX, ModelReference, resolve


@dataclass(frozen=True, kw_only=True)
class LoadedModel(ModelFacts):
    """A network with the facts that are needed to use it.

    Attributes:
        network: The network, in eval mode, float32, on the CPU.
        notes: What the user should be told about the weights, one line each.
        trained: Whether it can tell the classes; a fresh classifier cannot.
    """

    network: nn.Module
    notes: tuple[str, ...] = ()
    trained: bool = True


@dataclass(frozen=True)
class Pretrained:
    """An ImageNet backbone to train from.

    Attributes:
        spec: The model's spec, with what the backbone's source does differently.
        tensors: The entries `backbone.*` of the model's state dict, and of a VGG's head those of fc6 and fc7.
        preprocessing: The mean, scale and channel order it was trained with.
        provenance: Where it comes from.
        notes: What the user should be told about it, one line each.
    """

    spec: ModelSpec
    tensors: Mapping[str, Tensor]
    preprocessing: Preprocessing
    provenance: Mapping[str, str]
    notes: tuple[str, ...] = ()


def load(
    model: str | Path | ModelReference, output_stride: int | None = None, *, progress: Progress | None = None
) -> LoadedModel:
    """Load a model: weights of the manifest (fetched if need be), a segcli checkpoint, or an exported file.

    Args:
        model: The model's reference; or what `reference.resolve` makes one of, a name or a path.
        output_stride: Input pixels a feature; None: the one the weights were made for.
        progress: Called while weights are downloaded.

    Raises:
        UsageError: There is no such model, or it cannot have that output stride.
        WeightsError: The weights cannot be had, are damaged, or do not fit.
    """
    reference = model if isinstance(model, ModelReference) else resolve(model, must_exist=False)
    if reference.entry:
        return _published(reference, output_stride, progress)
    if reference.is_exported:
        return _exported(reference.path, output_stride)
    if reference.path.suffix == PT2_SUFFIX:
        message = f"{paths.shown(reference.path)}: loading a {PT2_SUFFIX} can run code"
        raise WeightsError(message, "Give the .onnx, or the checkpoint.")
    saved, sha256 = _read(reference.path)
    notes = (reference.note,) if reference.note else ()
    return _built(saved, output_stride, _provenance(saved, reference.path, sha256), notes)


def pretrained(spec: ModelSpec, progress: Progress | None = None) -> Pretrained:
    """Load the ImageNet backbone for a model, fetched if need be.

    Raises:
        WeightsError: None exists for that kind of backbone, or it contradicts a difference that the model is named by;
            it cannot be had, or it holds what is no number.
    """
    entry = manifest.backbone(spec)
    adapted = manifest.adapted(spec, entry.spec)
    _refuse_overruled(spec, adapted, entry)
    here = cache.obtain(entry, progress)
    theirs = foreign.read(here.path)
    tensors = convert(theirs, entry.format, adapted)
    head = vgg_classifier.first_layers(theirs, adapted)
    checkpoint.require_finite(tensors | head, entry.name)
    origin = cache.provenance(entry, here.record)
    notes = (*here.notes(), *_changes(spec, adapted, entry))
    return Pretrained(adapted, tensors | head, entry.preprocessing, origin, notes)


def _changes(spec: ModelSpec, adapted: ModelSpec, entry: WeightsEntry) -> tuple[str, ...]:
    """A line on what a backbone's source does otherwise than the model's description, where it does."""
    before, after = asdict(spec.backbone), asdict(adapted.backbone)
    words = [f"{key} is {value}, not {before[key]}" for key, value in after.items() if value != before[key]]
    return (f"{spec.name} is built as {entry.name} was trained: {'; '.join(words)}",) if words else ()


def save(
    path: Path,
    network: nn.Module,
    spec: ModelSpec,
    labels: LabelSet,
    preprocessing: Preprocessing,
    recipe: Mapping[str, Any] | None = None,
    scores: Mapping[str, Any] | None = None,
    photos: PhotoValues = RGB_8_BIT,
) -> None:
    """Write a checkpoint that `load` needs nothing else for; the file appears whole or not at all.

    Args:
        path: A .safetensors file.
        network: A network of that spec, with one logit a label.
        spec: The model's description.
        labels: The classes, one a logit.
        preprocessing: What its inputs must look like.
        recipe: How it was trained, as plain JSON values.
        scores: What it reached, by name.
        photos: The values of the photos that it was trained on.

    Raises:
        WeightsError: The file cannot be written.
    """
    tensors = network.state_dict()
    about = {"recipe": recipe or {}, "scores": scores or {}, "photos": photos}
    checkpoint.write(path, Checkpoint(spec, labels, preprocessing, **about, tensors=tensors))


def _refuse_overruled(spec: ModelSpec, adapted: ModelSpec, entry: WeightsEntry) -> None:
    """WeightsError where a source's own layout would undo a difference that the model's name states."""
    for place in manifest.overruled(spec, adapted):
        message = f"{entry.name} cannot be the backbone of {spec.name}: it has another {place}"
        raise WeightsError(message, "Leave that difference out.")


def _published(reference: ModelReference, output_stride: int | None, progress: Progress | None) -> LoadedModel:
    """Weights of the manifest."""
    entry = reference.entry
    here = cache.obtain(entry, progress)
    saved = checkpoint.read(here.path, verify=False)  # the cache has just compared its sha256
    notes = (*here.notes(), reference.note) if reference.note else here.notes()
    return _built(saved, output_stride, cache.provenance(entry, here.record), notes)


def _read(path: Path) -> tuple[Checkpoint, str]:
    """A checkpoint and its file's sha256, which another thread makes while this one reads and verifies."""
    with ThreadPoolExecutor(1) as pool:
        sha256 = pool.submit(atomic.sha256, path)
        return checkpoint.read(path), sha256.result()


def _exported(path: Path, output_stride: int | None) -> LoadedModel:
    """An ONNX file of `segcli export`."""
    read = onnx_file.read(path)
    facts, stride = read.facts, read.making.output_stride
    if output_stride not in (None, stride):
        raise UsageError(
            f"{paths.shown(path)} was exported at output stride {stride}, which cannot be changed",
            "Export the checkpoint again with --output-stride.",
        )
    network, provenance = read.network.eval(), _provenance(facts, path, atomic.sha256(path))
    made = {"output_stride": stride, "provenance": provenance, "engine": "onnx", "int8": read.making.int8}
    return LoadedModel.of(facts, **made, network=network)


def _provenance(saved: Metadata, path: Path, sha256: str) -> dict[str, str]:
    """Where the weights of a file come from: what it says itself, and which file it is."""
    return {**saved.provenance, "weights": str(path), "sha256": sha256}


def _built(
    saved: Checkpoint, output_stride: int | None, provenance: Mapping[str, str], notes: tuple[str, ...] = ()
) -> LoadedModel:
    """A checkpoint's network with its weights."""
    if not len(saved.labels):
        raise WeightsError(f"the weights {provenance['weights']} hold a backbone only", "Train a model from it first.")
    stride = saved.spec.output_stride if output_stride is None else output_stride
    with torch.device("meta"):  # fresh weights would only be thrown away
        network = build(saved.spec, len(saved.labels), stride)
    checkpoint.fill(network, saved.tensors, provenance["weights"])
    origin = dict(provenance)
    return LoadedModel.of(saved, output_stride=stride, provenance=origin, network=network.eval(), notes=notes)
