"""`segcli models`: which models there are, what they cost, and which weights exist for them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.table import Table
from typer import Argument, Option

from segcli import labels
from segcli.cli.display import Display, columns
from segcli.cli.options import completion
from segcli.cli.options.network import Flip, MultiScale, OutputStride, averaged_scales
from segcli.cli.options.outputs import AsJson
from segcli.cli.views import checkpoint
from segcli.errors import UsageError
from segcli.models import differences, variants
from segcli.models.variants import ModelSpec
from segcli.weights import manifest
from segcli.weights.manifest import WeightsEntry
from segcli.weights.reference import CHECKPOINT_SUFFIX, ONNX_SUFFIX, checkpoint_at

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli models\n
segcli models v3plus-xception --output-stride 8\n
segcli models v3plus-xception --output-stride 16 --ms --flip\n
segcli models v3-resnet101+mg=1,2,3+image_pooling=false\n
segcli models --all --json\n
segcli models run
"""
REFERENCE_SIZE = 513
"""The side of the square input at which the papers count multiply-adds."""
_WIDTH = 80
"""The columns that remarks and facts may take."""
MOST_CLASSES = 40
"""Of label sets with more classes the names are printed only where weights are named."""


def models(
    name: Annotated[
        str | None,
        Argument(
            metavar="NAME[+KEY=VALUE...][@LABELS]|FILE|RUN",
            autocompletion=completion.models,
            help="One model, perhaps with differences (docs/models.md), with the sources of its weights; or a "
            "checkpoint, an exported .onnx, or a run's folder.",
        ),
    ] = None,
    everything: Annotated[
        bool, Option("--all", help="List the variants of the papers too, not only models with weights.")
    ] = False,
    size: Annotated[
        int, Option("--size", min=33, help="Width and height of the photo for which multiply-adds are counted.")
    ] = REFERENCE_SIZE,
    output_stride: OutputStride = None,
    multi_scale: MultiScale = False,
    flip: Flip = False,
    as_json: AsJson = False,
) -> None:
    """List models: parameters, multiply-adds, weights, licence and scores.

    Multiply-adds are those of one photo of --size by --size; with --ms and --flip, of all its runs.
    """
    display = Display(as_json)
    protocol = _Protocol(size, output_stride, averaged_scales(None, multi_scale), flip)
    if name is not None and _is_file(name):
        checkpoint.show(display, checkpoint_at(Path(name), ""))
        return
    if name is not None:
        _show(display, name, protocol)
        return
    chosen = [spec for spec in variants.VARIANTS.values() if everything or _entries(spec)]
    facts = [_facts(spec, _entries(spec), protocol) for spec in chosen if protocol.suits(spec)]
    if not facts:
        raise UsageError(f"no model has the output stride {output_stride}", "Their strides: segcli models NAME.")
    facts.sort(key=lambda model: (model["family"], model["parameters"]))
    display.table(_table(facts), _narrow_table(facts))
    _recommend(display, facts)
    rest = len(variants.VARIANTS) - len(chosen)
    if rest:
        display.say(f"{rest} more variants of the papers have no published weights: segcli models --all", "dim")
    display.json({"models": facts})


def _is_file(name: str) -> bool:
    """Whether an argument that is no model's name means a file or a folder."""
    if variants.is_name(manifest.unaliased(name)):
        return False
    return Path(name).exists() or Path(name).suffix in (CHECKPOINT_SUFFIX, ONNX_SUFFIX)


@dataclass(frozen=True)
class _Protocol:
    """The protocol that multiply-adds are counted for."""

    size: int
    output_stride: int | None
    scales: tuple[float, ...]
    flip: bool

    def suits(self, spec: ModelSpec) -> bool:
        return self.output_stride is None or self.output_stride in spec.output_strides


def _entries(spec: ModelSpec) -> list[WeightsEntry]:
    return [entry for entry in manifest.entries() if entry.role == "segmentation" and entry.variant == spec.name]


def _facts(spec: ModelSpec, entries: list[WeightsEntry], protocol: _Protocol) -> dict:
    """Everything about one model and its weights as JSON-plain values."""
    from segcli.models.cost import measure

    classes = len(labels.get(entries[0].labels)) if entries else 21
    asked = {"output_stride": protocol.output_stride, "scales": protocol.scales, "flip": protocol.flip}
    cost = measure(spec, protocol.size, classes=classes, **asked)
    return {
        "name": spec.name,
        "differences": variants.stated(spec),
        "family": spec.family,
        "backbone": spec.backbone.kind,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "multiply_adds_as_paper": cost.as_paper,
        "output_stride": protocol.output_stride or spec.output_stride,
        "output_strides": list(spec.output_strides),
        "size": protocol.size,
        "scales": list(protocol.scales),
        "flip": protocol.flip,
        "classes": classes,
        "weights": [_weights(entry) for entry in entries],
    }


def _weights(entry: WeightsEntry) -> dict:
    return {
        "name": entry.name,
        "alias": entry.alias,
        "default": entry.default,
        "recommended": entry.recommended,
        "labels": entry.labels,
        "classes": list(labels.get(entry.labels).names),
        "source": str(entry.source),
        "format": entry.format,
        "licence": entry.licence,
        "licence_of": entry.licence_of,
        "learned_from": entry.terms,
        "trained_on_val": entry.trained_on_val,
        "bytes": entry.size,
        "sha256": entry.sha256,
        "reported_miou": entry.reported_miou,
        "reported_setting": entry.reported_setting,
        "reported_by": entry.reported_by,
        "measured_miou": entry.measured_miou,
        "measured_setting": entry.measured_setting,
    }


def _table(facts: list[dict]) -> Table:
    table = columns(
        *("model", "backbone", "parameters", "multiply-adds", "weights", "MB", "licence", "reported mIOU", "measured"),
        right=("parameters", "multiply-adds", "MB", "reported mIOU", "measured"),
    )
    for model in facts:
        first = (model["name"], model["backbone"], _millions(model["parameters"]), _billions(model["multiply_adds"]))
        for index, weights in enumerate(model["weights"] or [None]):
            start = first if index == 0 else ("", "", "", "")
            table.add_row(*start, *(_weights_cells(weights) if weights else ("none", "", "", "", "")))
    return table


def _narrow_table(facts: list[dict]) -> Table:
    """The table that fits into 80 columns: each model's weights stand below it."""
    numbers = ("params", "multiply-\nadds", "mIOU\nreported", "mIOU\nmeasured")
    table = columns("model", *numbers[:2], "licence", *numbers[2:], right=numbers)
    for model in facts:
        table.add_row(model["name"], _millions(model["parameters"]), _billions(model["multiply_adds"]))
        for weights in model["weights"]:
            name, _, *rest = _weights_cells(weights)
            table.add_row(f"  {name}", "", "", *rest)
    return table


def _weights_cells(weights: dict) -> tuple[str, ...]:
    megabytes = f"{weights['bytes'] / 1e6:.0f}" if weights["bytes"] else "?"
    scores = (_score(weights["reported_miou"]), _score(weights["measured_miou"]))
    alias = f" = {weights['alias']}" if weights["alias"] else ""
    return "@" + weights["name"].partition("@")[2] + alias, megabytes, weights["licence"] or "not stated", *scores


def _recommend(display: Display, facts: list[dict]) -> None:
    """Print which weights are recommended for what, and what their measured scores are of."""
    chosen = [weights for model in facts for weights in model["weights"] if weights["recommended"]]
    if chosen:
        display.data("recommended:")
    for weights in chosen:
        megabytes = f"{weights['bytes'] / 1e6:.0f} MB"
        display.data(f"  {weights['recommended']:<31} --model {_shortest(weights)}, {megabytes}")
    for weights in chosen:
        if weights["measured_miou"] is not None:
            told = f"{_shortest(weights)}: mIOU {_score(weights['measured_miou'])} on {weights['measured_setting']}"
            for line in textwrap.wrap(told, _WIDTH, initial_indent="measured: ", subsequent_indent="  "):
                display.data(line)


def _shortest(weights: dict) -> str:
    """The shortest text that `--model` takes for weights."""
    variant = weights["name"].partition("@")[0]
    return weights["alias"] or (variant if weights["default"] else weights["name"])


def _show(display: Display, name: str, protocol: _Protocol) -> None:
    """Print one model with all its weights, or with those that the name picks."""
    network, choice = manifest.split(name)
    spec = variants.get(network)
    entries = [manifest.resolve(name)] if choice else _entries(spec)
    if not protocol.suits(spec):
        known = ", ".join(map(str, spec.output_strides))
        raise UsageError(f"{spec.name} has no output stride {protocol.output_stride}", f"It can be built with {known}.")
    facts = _facts(spec, entries, protocol)
    plain, paper = _billions(facts["multiply_adds"]), _billions(facts["multiply_adds_as_paper"])
    runs = f", at scales {', '.join(map('{:g}'.format, protocol.scales))}" if len(protocol.scales) > 1 else ""
    runs += ", flipped too" if protocol.flip else ""
    strides = ", ".join(map(str, spec.output_strides))
    display.data(f"{spec.name}: DeepLab{spec.family} with {spec.backbone.kind}")
    base = variants.base_of(spec)
    for key, value, own in differences.compared(base, facts["differences"]):
        _tell(display, key, f"{value or 'none'}, in {base.name} {own or 'none'}")
    _tell(display, "parameters", _millions(facts["parameters"]))
    _tell(display, "multiply-adds", f"{plain}, as the v3+ paper counts {paper}")
    stride, size = facts["output_stride"], protocol.size
    _tell(display, "", f"at {size}x{size}, output stride {stride}, {facts['classes']} classes{runs}")
    _tell(display, "output strides", strides)
    told = set()
    for weights in facts["weights"]:
        _show_weights(display, weights)
        if weights["labels"] not in told:
            _tell(display, "", _classes(weights, all_of_them=bool(choice)))
        told.add(weights["labels"])
    if not facts["weights"]:
        _tell(display, "weights", "none are published; train it, or give a checkpoint with --weights")
    display.json(facts)


def _show_weights(display: Display, weights: dict) -> None:
    alias = f", {weights['alias']} for short" if weights["alias"] else ""
    _tell(display, "weights", f"{weights['name']}{alias}; licence: {_licence(weights)}")
    _tell(display, "", weights["source"])
    for dataset, terms in weights["learned_from"].items():
        _tell(display, "", f"learned from {dataset}; its terms: {terms or 'not found'}")
    if weights["trained_on_val"]:
        _tell(display, "", "and from the photos of val: scores on them mean nothing")
    if weights["reported_miou"] is not None:
        score, setting = _score(weights["reported_miou"]), weights["reported_setting"]
        _tell(display, "", f"mIOU {score} on {setting}, reported by {weights['reported_by']}")
    if weights["measured_miou"] is not None:
        _tell(display, "", f"mIOU {_score(weights['measured_miou'])} measured: {weights['measured_setting']}")


def _tell(display: Display, topic: str, text: str) -> None:
    """Print a fact below its topic, in lines of 80 columns; an address is never broken."""
    indent, whole = " " * 17, {"break_long_words": False, "break_on_hyphens": False}
    begin = f"  {topic:<14} "
    for line in textwrap.wrap(text, _WIDTH, initial_indent=begin, subsequent_indent=indent, **whole):
        display.data(line)


def _classes(weights: dict, all_of_them: bool) -> str:
    """The classes that a model with these weights finds, in words."""
    names = weights["classes"]
    if len(names) > MOST_CLASSES and not all_of_them:
        return f"{len(names)} classes: segcli models {weights['name']}"
    return f"{len(names)} classes: {', '.join(names)}"


def _licence(weights: dict) -> str:
    """The licence, and whose it is where the weights have none of their own."""
    licence = weights["licence"] or "not stated"
    return licence if weights["licence_of"] == "weights" else f"{licence} (of the repository; none of the weights' own)"


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M"


def _billions(count: int) -> str:
    return f"{count / 1e9:.2f} B"


def _score(miou: float | None) -> str:
    return "" if miou is None else f"{miou:.2f}"
