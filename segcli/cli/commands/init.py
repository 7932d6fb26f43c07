"""`segcli init`: photos and labels in, a commented recipe out, to be changed and given to `segcli train`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

from typer import Option

from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.groups import grouped
from segcli.cli.options.outputs import AsJson, Quiet
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.options.training import Source
from segcli.errors import UsageError
from segcli.files.atomic import write_whole, writing
from segcli.files.paths import shown
from segcli.training.output import commented
from segcli.training.planning.plan import plan

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli init photos labels\n
segcli init photos labels --minutes 30 --force\n
segcli train --config recipe.toml -o mine
"""


@grouped
def init(
    *,
    source: Source,
    output: Annotated[Path, Option("--output", "-o", metavar="TOML", help="The file to write.")] = Path("recipe.toml"),
    force: Annotated[bool, Option("--force", help="Replace the file where it is there.")] = False,
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="TABLE.KEY=VALUE", help="Change the recipe; may be given several times."),
    ] = None,
    skip_bad: dataset_options.SkipBad = False,
    reading: ReadingOptions,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented recipe for your own photos and labels, to be changed and given to `segcli train`.

    It is the plan that `segcli train PHOTOS LABELS` would follow, with a line on each key that you may want to change.
    Nothing else is written, and nothing is downloaded.
    """
    display = Display(as_json, quiet)
    allocator.keep_freed_memory()
    _check(source, output, force)
    how = {"names": source.names, "minutes": source.minutes, "model": source.start, "has_up": source.up}
    how |= {"reading": reading.choice(), "changes": tuple(changes or ()), "skip_bad": skip_bad}
    made = plan(source.photos, source.labels, **how, listener=display, dry=True)
    command = f"segcli train --config {quote(str(output))}"
    head = (f"A recipe of `segcli init`. Change what you like, then: {command}", "", *made.comments)
    with writing(output.parent), write_whole(output) as file:
        file.write(commented.text(made.recipe, head).encode())
    display.data(f"{shown(output)}: change what you like, then {command} -o run")
    display.json({"recipe": str(output), **made.to_dict()})


def _check(source: Source, output: Path, force: bool) -> None:
    """UsageError for what can be told before any label is read."""
    if source.photos is None:
        raise UsageError(
            "no photos to learn from are named", "Name photos and their labels: segcli init photos labels."
        )
    if source.folds:
        raise UsageError("--folds is nothing that a recipe holds", "Give it to `segcli train` beside --config.")
    if output.is_dir():
        raise UsageError(f"{shown(output)} is a folder", "Name a file with --output, such as recipe.toml.")
    if output.exists() and not force:
        raise UsageError(
            f"{shown(output)} is there already, and was left as it is",
            "Name another file with --output, or replace it with --force.",
        )
