"""`segcli train`: a recipe in, a run folder out."""

from pathlib import Path
from typing import Annotated

from typer import Option

from segcli.cli import allocator
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.outputs import AsJson, Output, Quiet
from segcli.cli.views.training import TrainingDisplay
from segcli.training import packaged, run
from segcli.training import recipe as recipes

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli train --config finetune --set data.images=photos --set data.masks=masks\n
segcli train --config camvid -o camvid-run\n
segcli train --config camvid -o camvid-run --resume\n
torchrun --nproc-per-node 2 -m segcli train --config recipe.toml
"""


def train(
    config: Annotated[
        str,
        Option(
            "--config", "-c", metavar="NAME|TOML", help="A recipe of `segcli recipes`, or a file; see docs/training.md."
        ),
    ],
    output: Output = Path("run"),
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="TABLE.KEY=VALUE", help="Change the recipe; may be given several times."),
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in --output, exactly.")] = False,
    device: Annotated[
        str | None,
        Option("--device", metavar="auto|cpu|cuda[:N]|mps", help="Instead of the recipe's.", show_default=False),
    ] = None,
    skip_bad: dataset_options.SkipBad = False,
    allow_missing: Annotated[
        bool, Option("--allow-missing", help="Train although no label holds a pixel of a class that is named.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a model by a recipe: checkpoints, metrics.csv, a curve and overlays go to --output.

    A run that was stopped or killed goes on with --resume and ends as if it had never stopped. best.safetensors is the
    checkpoint with the highest mIOU on the validation photos, last.safetensors the newest.
    """
    recipe = recipes.read(packaged.find(config), changes or ())
    display = TrainingDisplay(recipe, output, as_json, quiet)
    flags = {"resume": resume, "device": device, "skip_bad": skip_bad, "allow_missing": allow_missing}
    events = run.train(recipe, output, **flags, listener=display)
    allocator.keep_freed_memory()
    display.follow(events)
