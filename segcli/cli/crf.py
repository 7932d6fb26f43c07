"""`segcli crf`: refines saved probabilities or rough label maps, or finds the best settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from segcli import masks, predictions
from segcli.cli import dataset as dataset_options
from segcli.cli import options, refine, tuning
from segcli.cli.display import Display
from segcli.cli.run import Run, find
from segcli.errors import UsageError
from segcli.files import Found, Source, shown
from segcli.labels import LabelSet

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli predict photos/ -o plain --save mask,probs\n
segcli crf photos/ --probs plain -o refined\n
segcli crf photos/ --labels scribbles/ --names background,cat --gt-prob 0.7\n
segcli crf photos/ --probs plain --tune --truth labels/ -o best.toml
"""


KINDS = ("mask", "overlay", "probs")


def crf(
    inputs: options.Inputs,
    output: options.Output = Path("refined"),
    probs: Annotated[
        Path | None, Option("--probs", metavar="DIR", help="Output folder of `predict --save probs`.")
    ] = None,
    labels: Annotated[
        Path | None,
        Option("--labels", metavar="DIR", help="Rough label maps (PNG: ids, or colours of --names) instead."),
    ] = None,
    names: dataset_options.ClassNames = None,
    gt_prob: Annotated[float, Option("--gt-prob", help="How far rough labels are trusted, between 0 and 1.")] = 0.7,
    crf_set: refine.CrfSet = None,
    crf_config: refine.CrfConfig = None,
    crf_size: refine.CrfSize = str(refine.SIZE),
    crf_backend: refine.CrfBackend = "torch",
    device: options.Device = "auto",
    save: Annotated[str, Option("--save", help="Any of mask, overlay, probs.", rich_help_panel=options.OUTPUT)] = (
        "mask,overlay"
    ),
    tune: Annotated[
        bool, Option("--tune", help="Search w1, sigma_alpha and sigma_beta instead; --output is a TOML.")
    ] = False,
    truth: Annotated[Path | None, Option("--truth", metavar="DIR", help="With --tune: true label maps.")] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Refine what a network or a person said about photos with the fully connected CRF.

    Photos are matched with their probabilities or label maps by name. In label maps void (255, and black where no
    class is black) means no opinion. The results are those of predict.

    --tune tries the papers' 128 settings and 26 finer ones at --crf-size on every photo that has a true label map:
    allow a second or two for each photo times 40, and use the same --crf-size afterwards.
    """
    display = Display(as_json, quiet)
    params = refine.params(crf_set, crf_config)
    refine.check(crf_size, crf_backend)
    _check(probs, labels, names, gt_prob, tune, truth)
    kinds = options.choices(save, KINDS, "--save")
    found = find(inputs, None if tune else output)
    files = _saved(probs, found) if probs else _drawn(labels, found)
    found = replace(found, files=tuple(replace(source, beside=files.get(source)) for source in found.files))
    truths = predictions.match(found.files, predictions.find(truth)) if tune else {}
    known = [source for source in found.files if source.beside is not None and source in truths]
    if tune and not known:
        raise UsageError(f"{shown(truth)} has no true label maps (PNG) of these photos", "They are matched by name.")
    classes = _classes(files, labels, names)
    refinement = refine.refinement(params, crf_size, crf_backend)

    from segcli import devices, folder, priors, team
    from segcli.outputs import Outputs

    chosen = devices.choose(device)
    display.say(f"device {devices.describe(chosen)}", "dim")
    read, classes = priors.reader(files.values(), classes, gt_prob, refinement.size)
    if tune:
        display.say(f"tuning on {len(known)} of {len(found.files)} photos, those with {_what(probs)} and truth")
        samples = [(lambda source=source: read(source), truths[source]) for source in known]
        tuning.search(display, samples, classes, refinement, chosen, output)
        return
    origin = {"probs": str(probs)} if probs else {"labels": str(labels), "gt_prob": gt_prob}
    outputs = Outputs(output, classes, kinds, {"crf": json.dumps(refinement.to_dict())})
    recipe = {"crf": refinement.to_dict(), "prior": origin, "classes": classes.to_dict()}
    run = Run(team.Team(), display, outputs, recipe, inputs)
    todo = run.plan(found, verify=False)
    stages = folder.Stages(read, lambda group: [prior.prediction.to(chosen) for prior in group], refinement)
    run.follow(folder.segment(todo, stages, outputs, run.ledger, run.settings), len(todo), "refining")
    raise typer.Exit(run.finish(found, "refined"))


def _check(
    probs: Path | None, labels: Path | None, names: str | None, gt_prob: float, tune: bool, truth: Path | None
) -> None:
    """Refuse options that contradict each other, and folders that are not there."""
    if (probs is None) == (labels is None):
        raise UsageError("give either --probs or --labels", "--probs takes what `predict --save probs` wrote.")
    if names and probs:
        raise UsageError("--names goes with --labels", "Files of probabilities say which classes they have.")
    if not 0 < gt_prob < 1:
        raise UsageError(f"--gt-prob must lie between 0 and 1, not {gt_prob:g}", "0.7 is usual.")
    if tune and truth is None:
        raise UsageError("--tune needs --truth", "Give the folder of the true label maps.")
    if truth and not tune:
        raise UsageError("--truth goes with --tune", "`segcli compare A B --truth DIR` scores what was refined.")
    for option, path in (("--probs", probs), ("--labels", labels), ("--truth", truth)):
        if path is not None and not path.is_dir():
            raise UsageError(f"{option} {shown(path)} is no folder", "Files are matched with the photos by name.")


def _what(probs: Path | None) -> str:
    return "probabilities" if probs else "label maps"


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


def _classes(files: Mapping[Source, Path], labels: Path | None, names: str | None) -> LabelSet | None:
    """The label maps' classes; None for probabilities, which torch is needed to read."""
    if labels is None:
        return None
    classes = dataset_options.label_set(names) if names else masks.labels_of(next(iter(files.values())))
    if classes is None:
        raise UsageError("the label maps do not say which classes they have", "Name them with --names.")
    return classes
