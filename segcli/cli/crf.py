"""`segcli crf`: refines saved probabilities or rough label maps, and finds the best settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from segcli import masks, predictions
from segcli.cli import dataset as dataset_options
from segcli.cli import options, refine
from segcli.cli.display import Display, columns
from segcli.cli.run import Run, find
from segcli.cli.scores import percent
from segcli.crf_params import CRFParams
from segcli.errors import InputError, UsageError
from segcli.files import Found, Source, shown, write_whole
from segcli.images import read_photo
from segcli.labels import LabelSet

if TYPE_CHECKING:
    from segcli.crf_tuning import Trial, TuningSample
    from segcli.priors import Prior

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
        Path | None, Option("--labels", metavar="DIR", help="Rough label maps instead; void means no opinion.")
    ] = None,
    names: dataset_options.Names = None,
    gt_prob: Annotated[float, Option("--gt-prob", help="How far rough labels are trusted, between 0 and 1.")] = 0.7,
    crf_set: refine.CrfSet = None,
    crf_config: refine.CrfConfig = None,
    crf_size: refine.CrfSize = str(refine.SIZE),
    crf_backend: refine.CrfBackend = "torch",
    device: options.Device = "auto",
    save: Annotated[str, Option("--save", help="Any of mask, overlay, probs.", rich_help_panel=options.OUTPUT)] = (
        "mask,overlay"
    ),
    tune: Annotated[bool, Option("--tune", help="Search w1, sigma_alpha and sigma_beta; --output is a TOML.")] = False,
    truth: Annotated[Path | None, Option("--truth", metavar="DIR", help="With --tune: true label maps.")] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Refine what a network or a person said about photos with the fully connected CRF.

    Photos are matched with their probabilities or label maps by name. The results are those of predict.
    """
    display = Display(as_json, quiet)
    params = refine.params(crf_set, crf_config)
    if (probs is None) == (labels is None):
        raise UsageError("give either --probs or --labels", "See segcli crf --help.")
    if tune and truth is None:
        raise UsageError("--tune needs --truth", "Give the folder of the true label maps.")
    kinds = options.choices(save, KINDS, "--save")
    found = find(inputs, None if tune else output)
    refinement = refine.refinement(params, crf_size, crf_backend)
    read, classes = _by_probabilities(probs, found) if probs else _by_labels(labels, names, gt_prob, refinement.size)
    if tune:
        _tune(display, found, read, classes, truth, params, output)
        return

    from segcli import devices, folder
    from segcli.outputs import Outputs

    chosen = devices.choose(device)
    display.say(f"device {devices.describe(chosen)}", "dim")
    origin = {"probs": str(probs)} if probs else {"labels": str(labels), "gt_prob": gt_prob}
    outputs = Outputs(output, classes, kinds, {"crf": str(refinement.to_dict())})
    run = Run(display, outputs, {"crf": refinement.to_dict(), "prior": origin}, inputs)
    todo = run.plan(found, verify=False)
    stages = folder.Stages(read, lambda priors: [prior.prediction.to(chosen) for prior in priors], refinement)
    run.follow(folder.segment(todo, stages, outputs, run.ledger, run.settings), len(todo), "refining")
    raise typer.Exit(run.finish(found, todo))


def _by_probabilities(folder: Path, found: Found) -> tuple[Callable[[Source], Prior], LabelSet]:
    """A reader of photos with their saved probabilities, and the classes of the first."""
    from segcli.priors import from_saved, read_probabilities

    root = folder / "probs" if (folder / "probs").is_dir() else folder

    def path(source: Source) -> Path:
        return source.output(root, ".npz")

    first = next((path(source) for source in found.files if path(source).is_file()), None)
    if first is None:
        raise UsageError(
            f"{shown(root)} has no probabilities of these photos",
            "Name the same photos or folder as for `segcli predict --save probs`.",
        )
    classes = read_probabilities(first)[1]
    return lambda source: from_saved(read_photo(source.path), path(source), classes), classes


def _by_labels(
    folder: Path, names: str | None, gt_prob: float, size: int
) -> tuple[Callable[[Source], Prior], LabelSet]:
    """A reader of photos with their rough label maps, and the classes."""
    from segcli.priors import from_label_map

    maps = predictions.find(folder)
    if not maps:
        raise UsageError(f"{shown(folder)} holds no label maps (PNG)")
    classes = dataset_options.label_set(names) if names else masks.labels_of(next(iter(maps.values())))
    if classes is None:
        raise UsageError("the label maps do not say which classes they have", "Name them with --names.")

    def read(source: Source) -> Prior:
        name = next((name for name in (source.tree.as_posix(), source.tree.name) if name in maps), None)
        if name is None:
            raise InputError(f"{shown(folder)} has no label map of that name")
        return from_label_map(read_photo(source.path), maps[name], classes, gt_prob, size)

    return read, classes


def _tune(
    display: Display,
    found: Found,
    read: Callable[[Source], Prior],
    classes: LabelSet,
    truth: Path,
    start: CRFParams,
    output: Path,
) -> None:
    """Search, print what was tried, and write the best settings."""
    from segcli.crf_tuning import best, tune

    truths = predictions.find(truth)
    known = [source for source in found.files if source.tree.name in truths]
    if not known:
        raise UsageError(f"{shown(truth)} has no true label maps of these photos")
    samples = [lambda source=source: _sample(read(source), truths[source.tree.name], classes) for source in known]
    trials: list[Trial] = []
    display.say(f"tuning on {len(samples)} photos; every set of settings is one line")
    for trial in tune(samples, classes, start):
        trials.append(trial)
        values = trial.params
        display.say(
            f"{len(trials):4}  w1 {values.w1:g}  sigma_alpha {values.sigma_alpha:g}  "
            f"sigma_beta {values.sigma_beta:g}  mIOU {percent(trial.miou)}",
            "dim",
        )
    winner = best(trials)
    path = output if output.suffix == ".toml" else output / "crf.toml"
    with write_whole(path) as file:
        file.write(winner.params.to_toml().encode())
    _print_best(display, trials, path)
    display.json({"best": winner.params.to_dict(), "miou": winner.miou, "tried": len(trials), "output": str(path)})


def _sample(prior: Prior, truth: Path, classes: LabelSet) -> TuningSample:
    from segcli.crf_tuning import TuningSample

    return TuningSample(prior.prediction.probabilities(), prior.rgb, predictions.read_classes(truth, classes))


def _print_best(display: Display, trials: list[Trial], path: Path) -> None:
    headings = ("w1", "sigma_alpha", "sigma_beta", "mIOU")
    table = columns(*headings, right=headings)
    for trial in sorted(trials, key=lambda trial: -trial.miou)[:10]:
        values = trial.params
        table.add_row(f"{values.w1:g}", f"{values.sigma_alpha:g}", f"{values.sigma_beta:g}", percent(trial.miou))
    display.table(table)
    display.data(f"best of {len(trials)}: {path}; use it with --crf-config {path}")
