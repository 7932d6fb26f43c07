"""`segcli data`: a dataset, before hours are spent on it."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from segcli.cli.display import Display, columns
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.dataset import DataDir
from segcli.cli.options.groups import grouped
from segcli.cli.options.outputs import AsJson, Quiet
from segcli.cli.views.scores import swatch
from segcli.data import layouts
from segcli.data.check import Census, Problem, check
from segcli.data.dataset import Dataset
from segcli.errors import EXIT_FAILED

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli data check --dataset voc2012 --data-dir ~/data --split train,val\n
segcli data check --dataset folder --images photos --labels masks --names background,cat
"""
SHOWN = 50


@app.command("check", epilog=EXAMPLES)
@grouped
def check_data(
    *,
    dataset: dataset_options.Choice,
    split: Annotated[str, Option("--split", help="Which parts of it; duplicates between them are found.")] = "val",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read every photo and label: missing, damaged, of two sizes, with illegal ids, in two splits; class frequencies.

    Exit code 1 means that there are problems.
    """
    display = Display(as_json, quiet)
    splits = ["all"] if dataset.dataset == "folder" else list(dict.fromkeys(word.strip() for word in split.split(",")))
    parts = [dataset.load(part) for part in splits]
    census = Census(len(parts[0].labels))
    seen: dict[str, str] = {}
    problems = [problem for part in parts for problem in _check(part, census, seen, display)]
    _report(display, parts, problems, census)
    if problems:
        raise typer.Exit(EXIT_FAILED)


@app.command("download")
def download(data_dir: DataDir, quiet: Quiet = False) -> None:
    """Try to fetch PASCAL VOC 2012 (2 GB) from its host, its checksum verified; says what to put where otherwise."""
    display = Display(quiet=quiet)
    display.say("fetching VOC 2012 (2 GB); its host is often down, in which case the error says what to put where")
    layouts.download_voc2012(data_dir)
    display.data(f"{data_dir}: VOC 2012 is there")


def _check(part: Dataset, census: Census, seen: dict[str, str], display: Display) -> list[Problem]:
    problems: list[Problem] = []
    with display.counting(len(part), f"checking {part.split}") as counter:
        for sample, found in check(part, census, seen):
            problems += found
            if sample is not None:
                counter.advance()
    return problems


def _report(display: Display, parts: list[Dataset], problems: list[Problem], census: Census) -> None:
    for problem in problems[:SHOWN]:
        display.data(f"{problem.kind:10}{problem.detail}  {problem.hint}")
    if len(problems) > SHOWN:
        display.data(f"and {len(problems) - SHOWN} more; --json lists them all")
    display.table(_frequencies(parts[0], census))
    counts = ", ".join(f"{len(part)} samples in {part.split}" for part in parts)
    verdict = f"{len(problems)} problems" if problems else "no problems"
    display.data(f"{parts[0].name}: {counts}; {verdict}")
    display.json(_facts(parts, problems, census))


def _frequencies(part: Dataset, census: Census):
    table = columns("", "class", "pixels %", "labels with it", right=("pixels %", "labels with it"))
    total = max(1, census.pixels.sum())
    for index, name in enumerate((*part.labels.names, "void")):
        colour = part.labels.colours()[index if index < len(part.labels) else 255]
        table.add_row(swatch(colour), name, f"{100 * census.pixels[index] / total:.2f}", str(census.images[index]))
    return table


def _facts(parts: list[Dataset], problems: list[Problem], census: Census) -> dict:
    names = (*parts[0].labels.names, "void")
    return {
        "dataset": parts[0].name,
        "samples": {part.split: len(part) for part in parts},
        "problems": [{**vars(problem), "file": str(problem.file)} for problem in problems],
        "pixels": dict(zip(names, census.pixels.tolist(), strict=True)),
        "labels_with_class": dict(zip(names, census.images.tolist(), strict=True)),
    }
