"""`segcli data convert`: labels of any form, as photos and masks that every command reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from segcli.cli.display import Display
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.groups import grouped
from segcli.cli.options.outputs import AsJson, Quiet
from segcli.cli.options.panels import OUTPUT
from segcli.cli.options.photos import Photos
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.views.census import frequencies
from segcli.data import convert as converting
from segcli.data.census import Census
from segcli.errors import EXIT_FAILED, EXIT_SOME_FAILED, UsageError
from segcli.files import atomic
from segcli.files.paths import shown
from segcli.pipeline import photo_values
from segcli.pipeline.records import check_folder

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli data convert labelled/ -o plants\n
segcli data convert photos annotations.json --names background,leaf -o one-class\n
segcli data convert export/ -o complete --as coco --skip-empty\n
segcli train plants -o run
"""


@grouped
def convert_data(
    *,
    own: dataset_options.OwnData,
    output: Annotated[
        Path,
        Option("--output", "-o", metavar="DIR", help="A new folder for the dataset.", rich_help_panel=OUTPUT),
    ],
    reading: ReadingOptions,
    photos: Photos,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn labels of any form into DIR/images, DIR/masks (palette PNG), DIR/names.toml and a gallery to look at.

    It reads masks as pictures (ids, colours, black and white) and shapes of LabelMe, COCO, YOLO, CVAT, Label Studio,
    Supervisely, QuPath, ImageJ, VIA, Darwin and Segments.ai. It says how it read them. Look at DIR/gallery.html
    before you train.
    """
    display = Display(as_json, quiet)
    converting.check_output(output)
    check_folder(output)
    if own.images is not None and own.images.resolve() in output.resolve().parents:
        raise UsageError(f"--output {shown(output)} lies in {shown(own.images)}", "Name a folder outside it.")
    data = own.open(reading.choice(), display)
    data = photo_values.for_dataset(replace(data, photos=photos.reading()), listener=display)
    census, failed, done = Census(len(data.labels)), [], 0
    with atomic.writing(output), display.counting(len(data), "converting") as counter:
        for one in converting.convert(data, output):
            counter.advance()
            if one.error is None:
                census.add(one.label)
                done += 1
                continue
            counter.remark(f"failed: {shown(one.sample.name)}: {one.error}", "red")
            failed.append({"name": one.sample.name, "error": str(one.error)})
    if done:
        display.table(frequencies(data.labels, census))
    display.data(f"{output}: {done} photos with masks" + (f", {len(failed)} failed" if failed else ""))
    if done:
        display.say(f"look at {output / converting.GALLERY} before you trust it")
    facts = {"output": str(output), "samples": done, "failed": failed, "names": list(data.labels.names)}
    pixels = dict(zip((*data.labels.names, "void"), census.pixels.tolist(), strict=True))
    display.json({**facts, "pixels": pixels, "reading": data.reading.to_dict()})
    if failed or not done:
        raise typer.Exit(EXIT_SOME_FAILED if done else EXIT_FAILED)
