"""`segcli eval`: a model's scores on a dataset, by the papers' protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Option

from segcli import distributed
from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.crf import Crf, CrfOptions
from segcli.cli.options.groups import grouped
from segcli.cli.options.network import Network
from segcli.cli.options.outputs import AsJson, OptionalOutput, Quiet
from segcli.cli.options.panels import OUTPUT, PROTOCOL
from segcli.cli.options.photos import Photos
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.views import scores
from segcli.data.reading import Choice
from segcli.errors import UsageError
from segcli.files.paths import shown
from segcli.images.reading import PLAIN
from segcli.pipeline.evaluate import evaluate_dataset
from segcli.pipeline.evaluation import WORST
from segcli.pipeline.records import check_folder
from segcli.pipeline.scored import TAKEN, Part
from segcli.training.partition import own_photos
from segcli.weights.reference import LAST, RECIPE

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli eval --weights run\n
segcli eval --dataset voc2012 --data-dir ~/data --output-stride 8 --ms --flip\n
segcli eval photos labels --names background,cat --weights my.safetensors\n
torchrun --nproc-per-node 2 -m segcli eval --dataset cityscapes --data-dir ~/data --json
"""
DEFAULT_VARIANT = "v3plus-xception"
"""The variant that is scored where none is named, with the weights that have the dataset's labels."""


@grouped
def evaluate_model(
    *,
    dataset: dataset_options.Choice,
    split: dataset_options.Split = "val",
    part: Annotated[
        Part | None,
        Option(
            "--part",
            metavar="|".join(TAKEN),
            help="For a model in the folder of its run, which photos to score; without it, those that the "
            "run did not learn from.",
            rich_help_panel=PROTOCOL,
        ),
    ] = None,
    reading: ReadingOptions,
    photos: Photos,
    network: Network,
    crf: Crf = False,
    crf_options: CrfOptions,
    trimap: Annotated[
        bool,
        Option("--trimap", help="Also score the pixels near void, in bands of several widths.", rich_help_panel=OUTPUT),
    ] = False,
    skip_bad: dataset_options.SkipBad = False,
    output: OptionalOutput = None,
    save_predictions: Annotated[
        Path | None,
        Option(
            "--save-predictions",
            metavar="DIR",
            help="Write label maps as the server of the benchmark wants them; existing ones are not computed again.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    worst: Annotated[
        int, Option("--worst", min=0, help="How many of the worst photos to list.", rich_help_panel=OUTPUT)
    ] = WORST,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how often a model is right, on photos with labels: mIOU and more, at the size of the labels.

    Without --model and --weights, the model is v3plus-xception, with those of its weights that have the classes of the
    dataset. If the model is a run, or lies in the folder of a run, photos that the run learned from are left out. They
    are known by their content. Without PHOTOS and --dataset, the photos that the run held out are scored. With
    --output, scores.json, the confusion matrix, the curve of the trimap and overlays of the worst photos are written
    there. Under torchrun several processes share the photos; the sums are exact.
    """
    early = Display(as_json, quiet or not distributed.is_main())
    _refuse_run(dataset)
    if dataset.dataset is None:
        part = part or "held-out"
        data = own_photos.of_run(_own_model(network, reading), part, early)
    else:
        data = dataset.load(split, reading.choice(), early)
    if photos.reading() != PLAIN:
        data = replace(data, photos=photos.reading())
    reference, options = network.reference_for(data.labels, DEFAULT_VARIANT), network.options()
    options.check(reference)
    if network.names_none:
        early.note(f"scoring {reference}, since neither --model nor --weights names another")
    if output is not None:
        check_folder(output)
    settings = {"crf": crf_options.if_wanted(crf), "trimap": trimap, "skip_bad": skip_bad, "batch": network.batch}
    settings["part"] = part
    allocator.keep_freed_memory()
    with distributed.join() as processes:
        display = Display(as_json and processes.is_main, quiet or not processes.is_main)
        details = {**settings, "save_predictions": save_predictions, "processes": processes, "listener": display}
        evaluation = evaluate_dataset(reference, data, options, **details)
        if processes.is_main:
            scores.report(display, evaluation, worst, output)


def _refuse_run(dataset: dataset_options.Choice) -> None:
    """UsageError where the folder of a training stands in the place of photos."""
    folder = dataset.images
    if folder is not None and dataset.labels is None and all((folder / name).is_file() for name in (RECIPE, LAST)):
        message = f"{shown(folder)} is the folder of a training, and no folder of photos"
        raise UsageError(message, f"To score its model: segcli eval --weights {shown(folder)}.")


def _own_model(network: Network, reading: ReadingOptions) -> Path:
    """The file of the model whose run's photos are scored; UsageError where no run is named."""
    if reading.choice() != Choice():
        raise UsageError(
            "--void, --as and similar options need PHOTOS", "The labels of a run are read as in its training."
        )
    if network.weights is None:
        hint = "For your own model: segcli eval --weights RUN, where RUN is the folder of its training. "
        hint += f"For photos with labels: segcli eval {dataset_options.EXAMPLE}."
        raise UsageError("neither a run nor photos are named", hint)
    return network.reference().path
