"""`segcli eval`: a model's scores on a dataset, by the papers' protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from segcli import dataset_check, manifest
from segcli.cli import dataset as dataset_options
from segcli.cli import model as models
from segcli.cli import options, scores
from segcli.cli.display import Display
from segcli.dataset_check import Problem
from segcli.errors import DatasetError, UsageError
from segcli.labels import LabelSet
from segcli.samples import Dataset

if TYPE_CHECKING:
    from segcli.inference import Segmenter
    from segcli.scoring import Tally
    from segcli.team import Team

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli eval --dataset voc2012 --data-dir ~/data --output-stride 8 --ms --flip\n
segcli eval --dataset folder --images photos --labels masks --names background,cat --weights run/best.safetensors\n
torchrun --nproc-per-node 2 -m segcli eval --dataset cityscapes --data-dir ~/data --json
"""
DEFAULT_VARIANT = "v3plus-xception"
SHOWN_PROBLEMS = 10


def evaluate_model(
    dataset: dataset_options.Name,
    split: dataset_options.Split = "val",
    data_dir: options.DataDir = None,
    images: dataset_options.Images = None,
    labels: dataset_options.Labels = None,
    names: dataset_options.Names = None,
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    batch: options.Batch = 1,
    output_stride: options.OutputStride = None,
    size: options.Size = None,
    multi_scale: options.MultiScale = False,
    scales: options.Scales = None,
    flip: options.Flip = False,
    tile: options.Tile = None,
    trimap: Annotated[
        bool, Option("--trimap", help="Scores in bands around void too.", rich_help_panel=options.OUTPUT)
    ] = False,
    skip_bad: Annotated[bool, Option("--skip-bad", help="Leave out files with problems instead of stopping.")] = False,
    output: options.OptionalOutput = None,
    save_predictions: Annotated[
        Path | None,
        Option(
            "--save-predictions",
            metavar="DIR",
            help="Label maps as the benchmark's server wants them; those there already are not computed again.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    worst: Annotated[
        int, Option("--worst", min=0, help="How many of the worst images to list.", rich_help_panel=options.OUTPUT)
    ] = 5,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Score a model on a dataset: mIOU and more, at the labels' own size, void ignored.

    With --output, scores.json, the confusion matrix, the trimap's curve and overlays of the worst images go there.
    Under torchrun the images are shared out; the sums are exact.
    """
    data = dataset_options.choose(dataset, data_dir, split, images, labels, names)
    source = _source(model, weights, data.labels)
    scale_list, working_size = options.scale_list(scales, multi_scale), options.working_size(size)

    from segcli import team

    with team.join() as members:
        display = Display(as_json and members.leads, quiet or not members.leads)
        data = _usable(data, members, display, skip_bad)
        segmenter = models.segmenter(
            source,
            display,
            device=device,
            output_stride=output_stride,
            size=working_size,
            scales=scale_list,
            flip=flip,
            tile=tile,
        )
        _check_labels(segmenter.model.labels, data.labels)
        tally = _score(data, segmenter, members, display, trimap, save_predictions, batch)
        if members.leads:
            facts = _facts(data, segmenter, tally, members)
            scores.report(display, data, tally, facts, output, worst)


def _source(model: str | None, weights: Path | None, wanted: LabelSet) -> str | Path:
    """The model asked for, or the default one with the dataset's labels; refused where its labels differ."""
    fitting = [entry.name for entry in manifest.entries() if entry.labels == wanted.name]
    if model is None and weights is None:
        default = next((name for name in fitting if name.startswith(f"{DEFAULT_VARIANT}@")), None)
        if default is None:
            raise UsageError(f"no default model has the labels of {wanted.name}", _fitting(fitting))
        return default
    source = models.reference(model, weights)
    if isinstance(source, str):
        labels = manifest.resolve(source).labels
        if labels != wanted.name:
            raise UsageError(
                f"{source} has the labels of {labels}, the dataset those of {wanted.name}", _fitting(fitting)
            )
    return source


def _fitting(names: list[str]) -> str:
    return f"These fit: {', '.join(names)}." if names else "Give a checkpoint that was trained for it with --weights."


def _check_labels(have: LabelSet, wanted: LabelSet) -> None:
    """A checkpoint tells its labels only once it is read."""
    if have.names != wanted.names:
        fitting = [entry.name for entry in manifest.entries() if entry.labels == wanted.name]
        raise UsageError(
            f"the model has {len(have)} classes ({have.name}), the dataset {len(wanted)} others ({wanted.name})",
            _fitting(fitting),
        )


def _usable(data: Dataset, members: Team, display: Display, skip_bad: bool) -> Dataset:
    """The dataset once every file of it has been read: with problems it is refused, or taken without them."""
    from segcli.scoring import without

    mine = replace(data, samples=tuple(members.share(data.samples)), strays=())
    problems: list[Problem] = []
    with display.counting(len(mine.samples), "checking") as counter:
        for _, found in dataset_check.check(mine):
            counter.advance()
            problems += [problem for problem in found if problem.kind != "duplicate"]
    problems = [problem for share in members.gather(problems) for problem in share]
    for problem in problems[:SHOWN_PROBLEMS]:
        display.warn(problem.detail)
    if len(problems) > SHOWN_PROBLEMS:
        display.warn(f"and {len(problems) - SHOWN_PROBLEMS} more: segcli data check lists them all")
    bad = {problem.sample for problem in problems}
    if bad and not skip_bad:
        raise DatasetError(
            f"{len(bad)} of {len(data)} samples of {data.name} {data.split} have problems ({problems[0].detail})",
            "Mend them (`segcli data check` lists all), or leave them out with --skip-bad.",
        )
    return without(data, bad)


def _score(
    data: Dataset,
    segmenter: Segmenter,
    members: Team,
    display: Display,
    trimap: bool,
    save_predictions: Path | None,
    batch: int,
) -> Tally:
    from segcli.scoring import Tally, score

    tally = Tally.empty(len(data.labels), trimap, refined=False)
    store = None
    with display.counting(len(members.share(data.samples)), "scoring") as counter:
        for _ in score(data, segmenter, tally, members, store=store, batch=batch):
            counter.advance()
    tally.total(members)
    return tally


def _facts(data: Dataset, segmenter: Segmenter, tally: Tally, members: Team) -> dict:
    """What the scores were measured with, as JSON-plain values."""
    from segcli.images import read_rgb
    from segcli.models import cost
    from segcli.preprocess import geometry

    model = segmenter.model
    size = geometry(read_rgb(data.samples[0].image).shape[:2], segmenter.preprocessing).padded
    spent = cost.measure(
        model.spec,
        size,
        classes=len(model.labels),
        output_stride=model.output_stride,
        scales=segmenter.scales,
        flip=segmenter.flip,
    )
    return {
        "dataset": data.name,
        "split": data.split,
        "images": len(tally.images),
        "reused": tally.reused,
        "seconds": round(tally.seconds, 2),
        "processes": members.size,
        **models.recipe(segmenter),
        "input": list(size),
        "multiply_adds": spent.multiply_adds,
        "multiply_adds_as_paper": spent.as_paper,
    }
