"""Checkpoints made of other files: of another project's weights, or in half precision."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from segcli import labels
from segcli.errors import UsageError, WeightsError
from segcli.files import atomic, paths
from segcli.labels import LabelSet
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights import checkpoint, foreign, manifest
from segcli.weights.checkpoint import Checkpoint
from segcli.weights.convert.layouts import convert, get
from segcli.weights.manifest import WeightsEntry

BACKBONE_LABELS = LabelSet("none", (), ())
"""The labels of a checkpoint that holds a backbone only: it has no classes."""


def converted(
    tensors: Mapping[str, Tensor],
    layout: str,
    spec: ModelSpec,
    classes: LabelSet,
    preprocessing: Preprocessing,
    origin: Mapping[str, str],
) -> Checkpoint:
    """A checkpoint of foreign tensors, every one of them accounted for; of a backbone's file, `backbone.*` alone.

    Args:
        tensors: The foreign file's, by their foreign names.
        layout: Whose they are, a key of `convert.LAYOUTS`.
        spec: The model they belong to.
        classes: One class a logit; none for a backbone's file.
        preprocessing: What the model's inputs must look like.
        origin: Where they come from; its `weights` names them in messages.

    Raises:
        UsageError: There is no such layout, or it has no such model.
        WeightsError: A tensor is missing, unknown, of another shape than the model and the labels need, or holds what
            is no number.
    """
    state = convert(tensors, layout, spec)
    with torch.device("meta"):
        network = build(spec, max(len(classes), 1))  # a backbone's file has no classes
    module, own = network, state
    if all(key.startswith("backbone.") for key in state):
        module, own = network.backbone, {k.removeprefix("backbone."): t for k, t in state.items()}
    checkpoint.check(module, own, origin["weights"])
    checkpoint.require_finite(state, origin["weights"])
    return Checkpoint(spec, classes, preprocessing, provenance=origin, tensors=state)


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
    made = converted(tensors, layout, spec, classes, preprocessing, origin)
    checkpoint.write(output, made)
    return made


def doubt(layout: str, model: str) -> str:
    """What to tell of whose preprocessing `convert_file` takes, where it is not clear; empty where it is.

    That is where several entries of the manifest could lend it, or where none of the model's own does.

    Raises:
        UsageError: There is no such model or choice.
    """
    if layout == "timm":
        return ""
    if not (same := _alike(layout, model)):
        lender = next(iter(_of_layout(layout)), None)
        return f"no file of {model} is known: photos are read as for {lender.name}" if lender else ""
    first, *others = same
    if len({str((entry.model_spec(), entry.preprocessing)) for entry in same}) < 2:
        return ""
    names = ", ".join(entry.name for entry in others)
    return f"the file is taken for one like that of {first.name}; --model can say otherwise: {names}"


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


def _target(layout: str, model: str, label_set: LabelSet | None) -> tuple[ModelSpec, LabelSet, Preprocessing]:
    """What a foreign file of that layout becomes: as the manifest has it, where it has weights of that layout."""
    name, choice = manifest.split(model)
    spec = variants.get(name)
    if layout == "timm":
        return _backbone_target(spec, choice)
    if same := _alike(layout, model):
        return same[0].model_spec(), label_set or labels.get(same[0].labels), same[0].preprocessing
    if label_set is None:
        raise UsageError(f"{model} has no known classes in the layout {layout}", "Name them with --labels.")
    others, known = _of_layout(layout), get(layout)
    adapted = manifest.adapted(spec, known.differences(spec))
    for place in manifest.overruled(spec, adapted):
        raise UsageError(f"in the layout {layout} {spec.name} has another {place}", "Leave that difference out.")
    return adapted, label_set, others[0].preprocessing if others else known.preprocessing or Preprocessing()


def _alike(layout: str, model: str) -> list[WeightsEntry]:
    """The manifest's entries of a layout that a model's name may mean; UsageError where it names another choice."""
    name, choice = manifest.split(model)
    variant = variants.get(name).name
    of_variant = [e for e in _of_layout(layout) if e.variant == variant]
    same = [e for e in of_variant if choice in ("", e.labels, e.name.partition("@")[2])]
    if choice and not same:
        raise manifest.no_such_choice(variant, choice, of_variant)
    return same


def _of_layout(layout: str) -> list[WeightsEntry]:
    return [e for e in manifest.entries() if e.format == layout and e.role == "segmentation"]


def _backbone_target(spec: ModelSpec, choice: str) -> tuple[ModelSpec, LabelSet, Preprocessing]:
    """What a file of timm's becomes: a backbone without classes, with what timm does differently."""
    backbone = manifest.backbone(spec)
    if choice not in ("", backbone.name.partition("@")[2]):
        raise manifest.no_such_choice(backbone.variant, choice, [backbone])
    return manifest.adapted(spec, backbone.spec), BACKBONE_LABELS, backbone.preprocessing
