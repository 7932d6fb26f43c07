"""`segcli train`: photos and labels in, or a recipe; a run folder out."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import completion
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.groups import grouped
from segcli.cli.options.outputs import AsJson, Output, Quiet
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.options.training import Source
from segcli.cli.views import plan as plan_view
from segcli.cli.views.folds import FoldsDisplay
from segcli.cli.views.training import TrainingDisplay
from segcli.data.reading import Choice
from segcli.errors import UsageError
from segcli.files.paths import shown
from segcli.training import folds, packaged, run
from segcli.training import recipe as recipes
from segcli.training.output import run_folder
from segcli.training.planning.plan import Plan, plan
from segcli.training.recipe import Recipe

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli train photos labels -o mine --dry-run\n
segcli train photos labels -o mine --minutes 30\n
segcli train -o mine --resume\n
segcli train --config camvid -o camvid-run\n
torchrun --nproc-per-node 2 -m segcli train --config recipe.toml
"""


@grouped
def train(
    *,
    source: Source,
    config: Annotated[
        str | None,
        Option(
            "--config",
            "-c",
            metavar="NAME|TOML",
            help="A recipe of `segcli recipes`, or a file, instead of a plan; see docs/training.md.",
            autocompletion=completion.recipes,
            show_default=False,
        ),
    ] = None,
    output: Output = Path("run"),
    changes: Annotated[
        list[str] | None,
        Option(
            "--set",
            metavar="TABLE.KEY=VALUE",
            help="Change one key of the recipe or the plan; may be given several times.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        Option("--dry-run", help="Print the plan with its time, memory and disk, and stop; nothing is downloaded."),
    ] = False,
    resume: Annotated[
        bool, Option("--resume", help="Go on with the run in --output; its recipe.toml has all settings.")
    ] = False,
    device: Annotated[
        str | None,
        Option(
            "--device",
            metavar="auto|cpu|cuda[:N]|mps",
            help="The device, instead of that in the recipe.",
            show_default=False,
        ),
    ] = None,
    skip_bad: dataset_options.SkipBad = False,
    allow_missing: Annotated[
        bool, Option("--allow-missing", help="Train even if no label holds a pixel of some class.")
    ] = False,
    reading: ReadingOptions,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a model for your own classes: give photos and their labels, and segcli plans the rest and says why.

    The plan depends on the data and on this machine. It is written to recipe.toml in the --output, and that file
    repeats the run with --config. --set changes the plan. With --config, the run follows a recipe instead of a plan.

    A run that was stopped or killed goes on with --resume, and ends as if it had never stopped. best.safetensors is the
    checkpoint with the highest mIOU on the photos that were held out, last.safetensors the newest one.
    """
    display = Display(as_json, quiet)
    allocator.keep_freed_memory()
    flags = {"device": device, "skip_bad": skip_bad, "allow_missing": allow_missing}
    own = tuple(changes or ())
    k = source.folds
    if not (resume or dry_run):
        folds.check(output, k)
    if config is not None:
        job = recipes.read(packaged.find(config), (*source.changes(config, reading.choice()), *own))
    elif resume:
        job, k = _of_run(output, k, (*source.changes("", reading.choice()), *own))
    elif source.photos is None:
        raise UsageError(
            "no photos to learn from are named",
            "Name photos and their labels (segcli train photos labels), a recipe (--config), or a run to go on with "
            "(--resume -o run).",
        )
    else:
        run_folder.check(output, resume=dry_run)  # a plan alone overwrites nothing
        job = _planned(source, reading.choice(), own, output, flags, display, dry_run)
    if isinstance(job, Plan):
        plan_view.show(job, display.data if dry_run else display.say)
    recipe = job.recipe if isinstance(job, Plan) else job
    if dry_run:
        _foretell(job, recipe, output, device, display)
        return
    if k:
        FoldsDisplay(recipe, output, as_json, quiet).run(job, k, resume=resume, **flags)
        return
    shown_by = TrainingDisplay(recipe, output, as_json, quiet)
    shown_by.follow(run.train(job, output, resume=resume, **flags, listener=shown_by))


def _planned(
    source: Source,
    reading: Choice,
    changes: tuple[str, ...],
    output: Path,
    flags: dict[str, Any],
    display: Display,
    dry: bool = False,
) -> Plan:
    """The plan for the photos and labels that were named."""
    return plan(
        source.photos,
        source.labels,
        names=source.names,
        minutes=source.minutes,
        model=source.start,
        reading=reading,
        has_up=source.up,
        folds=source.folds,
        changes=changes,
        output=output,
        listener=display,
        dry=dry,
        **{**flags, "device": flags["device"] or "auto"},
    )


def _foretell(job: Plan | Recipe, recipe: Recipe, output: Path, device: str | None, display: Display) -> None:
    """Print what the run would take, and write nothing."""
    from segcli.training.planning import tried

    if not isinstance(job, Plan):
        recipe = replace(recipe, run=replace(recipe.run, device=device or recipe.run.device))
    found = job.foretold if isinstance(job, Plan) else tried.of_recipe(recipe, output, display)
    plan_view.show_needs(found, output, display.data)
    planned = job.to_dict() if isinstance(job, Plan) else {"recipe": recipe.to_dict(), "foretold": asdict(found)}
    display.json({"output": str(output), **planned})


def _of_run(folder: Path, wanted: int, changes: tuple[str, ...]) -> tuple[Recipe, int]:
    """The recipe of the run in a folder, with changes, and the number of its folds; 0 where there are none.

    Args:
        folder: Of the run.
        wanted: The number of folds that was asked for; 0: whatever it has.
        changes: As for `--set`.

    Raises:
        UsageError: There is no run, or it was begun without folds or with another number of them.
    """
    if found := folds.begun(folder):
        recipe, k = found
        if wanted not in (0, k):
            raise UsageError(f"--folds was {k} when this training began and is {wanted} now", "Leave it out to go on.")
        return Recipe.from_dict(recipes.changed(recipe.to_dict(), changes)), k
    path = folder / run_folder.RECIPE
    if not path.is_file():
        raise UsageError(f"{shown(folder)} holds no run to go on with", "Name its folder with --output.")
    if wanted:
        hint = "Leave out --folds to go on, or name another folder with --output."
        raise UsageError(f"the run in {shown(folder)} was begun without folds", hint)
    return recipes.read(path, changes), 0
