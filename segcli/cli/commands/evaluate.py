"""`segcli eval`: a model's scores on a dataset, by the papers' protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from segcli import distributed
from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import common
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.crf import Crf, CrfOptions
from segcli.cli.options.groups import grouped
from segcli.cli.options.network import Network, check_labels
from segcli.cli.views import scores
from segcli.files.atomic import writing
from segcli.pipeline.evaluation import WORST, score_all
from segcli.pipeline.model import load_with
from segcli.pipeline.records import check_folder
from segcli.pipeline.usable import usable

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli eval --dataset voc2012 --data-dir ~/data --output-stride 8 --ms --flip\n
segcli eval --dataset folder --images photos --labels masks --names background,cat --weights run/best.safetensors\n
torchrun --nproc-per-node 2 -m segcli eval --dataset cityscapes --data-dir ~/data --json
"""
DEFAULT_VARIANT = "v3plus-xception"
"""The variant that is scored where none is named, with the weights that have the dataset's labels."""


@grouped
def evaluate_model(
    *,
    dataset: dataset_options.Choice,
    split: dataset_options.Split = "val",
    network: Network,
    crf: Crf = False,
    crf_options: CrfOptions,
    trimap: Annotated[
        bool, Option("--trimap", help="Scores in bands around void too.", rich_help_panel=common.OUTPUT)
    ] = False,
    skip_bad: dataset_options.SkipBad = False,
    output: common.OptionalOutput = None,
    save_predictions: Annotated[
        Path | None,
        Option(
            "--save-predictions",
            metavar="DIR",
            help="Label maps as the benchmark's server wants them; those there already are not computed again.",
            rich_help_panel=common.OUTPUT,
        ),
    ] = None,
    worst: Annotated[
        int, Option("--worst", min=0, help="How many of the worst images to list.", rich_help_panel=common.OUTPUT)
    ] = WORST,
    as_json: common.AsJson = False,
    quiet: common.Quiet = False,
) -> None:
    """Score a model on a dataset: mIOU and more, at the labels' own size, void ignored.

    With --output, scores.json, the confusion matrix, the trimap's curve and overlays of the worst images go there.
    Under torchrun the images are shared out; the sums are exact.
    """
    data = dataset.load(split)
    reference = network.reference_for(data.labels, DEFAULT_VARIANT)
    for folder in filter(None, (output, save_predictions)):
        check_folder(folder)
    settings = crf_options.if_wanted(crf)
    allocator.keep_freed_memory()
    from segcli.export.engine import by_number

    with distributed.join() as processes:
        display = Display(as_json and processes.is_main, quiet or not processes.is_main)
        data = usable(data, skip_bad, processes, display)
        photos = len(data.samples)
        options = network.options()
        engine = by_number(options.passes(photos)) if save_predictions else None  # that of an earlier run
        model = load_with(options, reference, display, photos=photos, keep_engine=engine)
        check_labels(model.labels, data.labels)
        details = {"crf": settings, "trimap": trimap, "save_predictions": save_predictions, "batch": network.batch}
        evaluation = score_all(model, data, **details, processes=processes, listener=display)
        if processes.is_main:
            scores.report(display, evaluation, worst)
            if output is not None:
                with writing(output):
                    evaluation.save(output, worst)
                display.say(f"scores.json and pictures: {output}", "dim")
