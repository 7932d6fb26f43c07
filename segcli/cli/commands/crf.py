"""`segcli crf`: refines saved probabilities or rough label maps, or finds the best settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from segcli.cli.display import Display
from segcli.cli.options import common
from segcli.cli.options import crf as refine
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.groups import grouped
from segcli.cli.run import Run, find
from segcli.cli.views import tuning
from segcli.errors import UsageError
from segcli.evaluation import predictions
from segcli.files.paths import shown
from segcli.files.sources import Found, Source
from segcli.images import masks
from segcli.labels import LabelSet

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli predict photos/ -o plain --save mask,probs\n
segcli crf photos/ --probs plain -o refined\n
segcli crf photos/ --labels scribbles/ --names background,cat --gt-prob 0.7\n
segcli crf photos/ --probs plain --tune --truth labels/ -o best.toml
"""
KINDS = ("mask", "overlay", "probs")


@dataclass(frozen=True)
class Unrefined:
    """What a network or a person said about the photos."""

    probs: Annotated[Path | None, Option("--probs", metavar="DIR", help="Output folder of `predict --save probs`.")] = (
        None
    )
    labels: Annotated[
        Path | None,
        Option("--labels", metavar="DIR", help="Rough label maps (PNG: ids, or colours of --names) instead."),
    ] = None
    names: dataset_options.ClassNames = None
    gt_prob: Annotated[float, Option("--gt-prob", help="How far rough labels are trusted, between 0 and 1.")] = 0.7

    def __post_init__(self):
        if (self.probs is None) == (self.labels is None):
            raise UsageError("give either --probs or --labels", "--probs takes what `predict --save probs` wrote.")
        if self.names and self.probs:
            raise UsageError("--names goes with --labels", "Files of probabilities say which classes they have.")
        if not 0 < self.gt_prob < 1:
            raise UsageError(f"--gt-prob must lie between 0 and 1, not {self.gt_prob:g}", "0.7 is usual.")
        _check_folder("--probs", self.probs)
        _check_folder("--labels", self.labels)

    def files(self, found: Found) -> dict[Source, Path]:
        """The file of each photo that has one."""
        return _saved(self.probs, found) if self.probs else _drawn(self.labels, found)

    def classes(self, files: Mapping[Source, Path]) -> LabelSet | None:
        """The label maps' classes; None for probabilities, which torch is needed to read."""
        if self.labels is None:
            return None
        known = dataset_options.label_set(self.names) if self.names else masks.labels_of(next(iter(files.values())))
        if known is None:
            raise UsageError("the label maps do not say which classes they have", "Name them with --names.")
        return known

    def recipe(self) -> dict:
        """Their origin, for run.toml."""
        return {"probs": str(self.probs)} if self.probs else {"labels": str(self.labels), "gt_prob": self.gt_prob}


@dataclass(frozen=True)
class Search:
    """Whether settings are searched for instead."""

    tune: Annotated[
        bool, Option("--tune", help="Search w1, sigma_alpha and sigma_beta instead; --output is a TOML.")
    ] = False
    truth: Annotated[Path | None, Option("--truth", metavar="DIR", help="With --tune: true label maps.")] = None

    def __post_init__(self):
        if self.tune and self.truth is None:
            raise UsageError("--tune needs --truth", "Give the folder of the true label maps.")
        if self.truth and not self.tune:
            raise UsageError("--truth goes with --tune", "`segcli compare A B --truth DIR` scores what was refined.")
        _check_folder("--truth", self.truth)

    def truths(self, found: Found) -> dict[Source, Path]:
        """The true label map of each photo that has one, and something to refine."""
        truths = predictions.match(found.files, predictions.find(self.truth))
        truths = {source: truths[source] for source in found.files if source.beside is not None and source in truths}
        if not truths:
            raise UsageError(
                f"{shown(self.truth)} has no true label maps (PNG) of these photos", "They are matched by name."
            )
        return truths


@grouped
def crf(
    inputs: common.Inputs,
    *,
    output: common.Output = Path("refined"),
    unrefined: Unrefined,
    settings: refine.Settings,
    device: common.Device = "auto",
    save: Annotated[str, Option("--save", help="Any of mask, overlay, probs.", rich_help_panel=common.OUTPUT)] = (
        "mask,overlay"
    ),
    search: Search,
    as_json: common.AsJson = False,
    quiet: common.Quiet = False,
) -> None:
    """Refine what a network or a person said about photos with the fully connected CRF.

    Photos are matched with their probabilities or label maps by name. In label maps void (255, and black where no
    class is black) means no opinion. The results are those of predict.

    --tune tries the papers' 128 settings and 26 finer ones at --crf-size on every photo that has a true label map:
    allow a second or two for each photo times 40, and use the same --crf-size afterwards.
    """
    display = Display(as_json, quiet)
    kinds = common.choices(save, KINDS, "--save")
    found = find(inputs, None if search.tune else output)
    files = unrefined.files(found)
    found = replace(found, files=tuple(replace(source, beside=files.get(source)) for source in found.files))
    truths = search.truths(found) if search.tune else {}
    classes = unrefined.classes(files)
    refinement = settings.refinement()

    from segcli import devices, distributed
    from segcli.crf import unary
    from segcli.pipeline import stages as folder
    from segcli.pipeline.writer import Outputs

    place = devices.choose(device)
    display.say(f"device {devices.describe(place)}", "dim")
    read, classes = unary.reader(files.values(), classes, unrefined.gt_prob, refinement.size)
    if search.tune:
        kind = "probabilities" if unrefined.probs else "label maps"
        display.say(f"tuning on {len(truths)} of {len(found.files)} photos, those with {kind} and truth")
        samples = [(lambda source=source: read(source), truth) for source, truth in truths.items()]
        tuning.search(display, samples, classes, refinement, place, output)
        return
    outputs = Outputs(output, classes, kinds, {"crf": json.dumps(refinement.to_dict())})
    recipe = {"crf": refinement.to_dict(), "prior": unrefined.recipe(), "classes": classes.to_dict()}
    stages = folder.Stages(read, lambda group: [prior.prediction.to(place) for prior in group], refinement)
    run = Run(distributed.Processes(), display, outputs, recipe, inputs)
    raise typer.Exit(run.complete(found, stages, verbs=("refining", "refined")))


def _check_folder(option: str, path: Path | None) -> None:
    if path is not None and not path.is_dir():
        raise UsageError(f"{option} {shown(path)} is no folder", "Files are matched with the photos by name.")


def _saved(folder: Path, found: Found) -> dict[Source, Path]:
    """Each photo's file of probabilities, where it has one."""
    root = folder / "probs" if (folder / "probs").is_dir() else folder
    paths = {source: source.output(root, ".npz") for source in found.files}
    paths = {source: path for source, path in paths.items() if path.is_file()}
    if not paths:
        raise UsageError(
            f"{shown(root)} has no probabilities of these photos",
            "Name the same photos or folder as for `segcli predict --save probs`.",
        )
    return paths


def _drawn(folder: Path, found: Found) -> dict[Source, Path]:
    """Each photo's rough label map, where it has one."""
    paths = predictions.match(found.files, predictions.find(folder))
    if not paths:
        raise UsageError(f"{shown(folder)} has no label maps (PNG) of these photos", "They are matched by name.")
    return paths
