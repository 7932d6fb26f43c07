"""`segcli data`: a dataset, before hours are spent on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer
from typer import Option

from segcli.cli.commands import convert
from segcli.cli.display import Display
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.dataset import DataDir
from segcli.cli.options.groups import grouped
from segcli.cli.options.outputs import AsJson, Quiet
from segcli.cli.options.photos import Photos
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.views.check import report
from segcli.data import layouts
from segcli.data.census import Census
from segcli.data.check import Problem, check
from segcli.data.dataset import Dataset
from segcli.data.doubts import Doubts, of_values
from segcli.errors import EXIT_FAILED
from segcli.images.measure import Measured, measured
from segcli.images.reading import PhotoReading

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli data check --dataset voc2012 --data-dir ~/data --split train,val\n
segcli data check photos labels --names background,cat
"""


@app.command("check", epilog=EXAMPLES)
@grouped
def check_data(
    *,
    dataset: dataset_options.Choice,
    split: Annotated[
        str, Option("--split", help="Which splits of it; photos that are in two splits are found.")
    ] = "val",
    reading: ReadingOptions,
    photos: Photos,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check photos and labels: missing or damaged files, wrong sizes and ids, photos in two splits; class frequencies.

    For photos of more than 8 bits, it also shows which values they hold, and the range that a training would take. Exit
    code 1 means that there are problems. Warnings show what is probably a mistake: classes that no label holds, labels
    that are mostly void, labels that equal each other or their photo.
    """
    display = Display(as_json, quiet)
    splits = ["all"] if dataset.dataset == "folder" else list(dict.fromkeys(word.strip() for word in split.split(",")))
    parts = [dataset.load(part, reading.choice(), display) for part in splits]
    found, parts = _with_photos(parts, photos.reading())
    census = Census(len(parts[0].labels))
    seen: dict[str, str] = {}
    doubts = Doubts()
    problems = [problem for part in parts for problem in _check(part, census, seen, doubts, display)]
    every = (*doubts.all(parts[0], census), *of_values(parts[0], found))
    report(display, parts, problems, every, census, found)
    if problems:
        raise typer.Exit(EXIT_FAILED)


app.command("convert", epilog=convert.EXAMPLES)(convert.convert_data)


@app.command("download")
def download(data_dir: DataDir, quiet: Quiet = False) -> None:
    """Try to download PASCAL VOC 2012 (2 GB), and check it. If this fails, say what to put where."""
    display = Display(quiet=quiet)
    display.say("fetching VOC 2012 (2 GB); its host is often down: then the error says which files to put where")
    layouts.download_voc2012(data_dir)
    display.data(f"{data_dir}: VOC 2012 is there")


def _with_photos(parts: list[Dataset], reading: PhotoReading) -> tuple[Measured, list[Dataset]]:
    """What the photos of all parts hold, and the parts with their photos read by one range."""
    found = measured([(sample.image, None) for part in parts for sample in part.samples], reading, one_for_all=True)
    return found, [replace(part, photos=replace(reading, ranges=found.ranges)) for part in parts]


def _check(part: Dataset, census: Census, seen: dict[str, str], doubts: Doubts, display: Display) -> list[Problem]:
    problems: list[Problem] = []
    with display.counting(len(part), f"checking {part.split}") as counter:
        for sample, found in check(part, census, seen, doubts):
            problems += found
            if sample is not None:
                counter.advance()
    return problems
