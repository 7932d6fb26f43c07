"""`segcli compare`: two folders of predictions on the same photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.text import Text
from typer import Argument, Option

from segcli.cli.display import Display, columns
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.groups import grouped
from segcli.cli.options.outputs import AsJson, OptionalOutput, Quiet
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.views.scores import coverage, percent, swatch
from segcli.data.names import Classes, parse
from segcli.data.reading import Choice
from segcli.errors import EXIT_FAILED, EXIT_SOME_FAILED, DatasetError, InputError, UsageError
from segcli.evaluation.comparison import Comparison, Difference, Pairing, pair, picture
from segcli.files import atomic
from segcli.files.paths import shown
from segcli.images.masks import labels_of
from segcli.labels import LabelSet
from segcli.pipeline.records import check_folder

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli compare without-crf/ with-crf/ -o differences\n
segcli compare a/ b/ --truth SegmentationClass/
"""


@grouped
def compare(
    a: Annotated[Path, Argument(metavar="A", help="Label maps, or an output folder of predict.")],
    b: Annotated[Path, Argument(metavar="B", help="The other folder of label maps.")],
    *,
    truth: Annotated[
        Path | None,
        Option("--truth", metavar="DIR|FILE", help="True labels of any form, to show which folder is nearer to them."),
    ] = None,
    names: dataset_options.ClassNames = None,
    reading: ReadingOptions,
    output: OptionalOutput = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare two folders of label maps: agreement by class and, with --truth, the difference in IOU.

    With --output, segcli writes a picture there for each photo on which the two differ.
    """
    display = Display(as_json, quiet)
    pairing = pair(a, b)
    classes = names or parse(_labels(*pairing.pairs[0][1:]))
    labels = classes.labels
    truths, taken = _truths(truth, pairing, classes, reading.choice(), display)
    _keep_apart(output, (a, b, truth))
    if output is not None:
        check_folder(output)
    comparison = Comparison(labels)
    images, failed = [], []
    with display.counting(len(pairing.pairs), "comparing") as counter:
        for one in pairing.pairs:
            counter.advance()
            try:
                difference = _compare(comparison, one, truths)
            except InputError as error:
                counter.remark(f"failed: {one[0]}: {error}", "red")
                failed.append({"name": one[0], "error": str(error)})
                continue
            images.append({"name": difference.name, "agreement": difference.agreement})
            if output is not None and difference.agreement < 1:
                with atomic.writing(output):
                    _write_picture(output / f"{difference.name}.png", difference, labels)
    only = {"only_a": list(pairing.only_a), "only_b": list(pairing.only_b)}
    for side, missing in only.items():
        if missing:
            display.warn(f"{len(missing)} label maps are in {side[-1].upper()} only, such as {missing[0]}")
    _report(display, comparison, {"images": images, "failed": failed, **only, **taken}, len(truths))
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED if images else EXIT_FAILED)


def _labels(a: Path, b: Path) -> LabelSet:
    """The classes that the first maps of both folders name."""
    known = [labels for labels in map(labels_of, (a, b)) if labels is not None]
    if not known:
        raise UsageError(f"{shown(a)} does not say which classes it has", "Name them with --names.")
    if known[0].names != known[-1].names:
        raise UsageError(
            f"A has the classes of {known[0].name}, B those of {known[-1].name}", "Both must have the same classes."
        )
    return known[0]


def _truths(
    place: Path | None, pairing: Pairing, classes: Classes, reading: Choice, display: Display
) -> tuple[dict[str, Callable[[], np.ndarray]], dict]:
    """By name, what reads the true classes (H, W) of the pairs that have such; for --json, how, if not as plain ids.

    The maps of A stand for the photos.
    """
    if place is None:
        return {}, {}
    from segcli.data.photo_labels import open_labels

    labels = open_labels([a for _, a, _ in pairing.pairs], place, classes, reading)
    truths = {name: partial(labels.read, a) for name, a, _ in pairing.pairs if labels.file(a) is not None}
    if not truths:
        raise UsageError(f"--truth {shown(place)} has no labels of these photos", "They are matched by name.")
    read = labels.data.reading
    read.tell(display.note, display.warn)
    return truths, {} if read.is_plain else {"reading": read.to_dict()}


def _keep_apart(output: Path | None, inputs: Iterable[Path | None]) -> None:
    """Refuse to write pictures among label maps, of which they have the names."""
    if output is None:
        return
    for folder in inputs:
        if folder is not None and output.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"--output {shown(output)} lies in {shown(folder)}", "Name a folder of its own.")


def _compare(
    comparison: Comparison, pair: tuple[str, Path, Path], truths: Mapping[str, Callable[[], np.ndarray]]
) -> Difference:
    """One pair, counted, and counted against its truth where that is known."""
    name = pair[0]
    try:
        truth = truths[name]() if name in truths else None
    except DatasetError as error:
        raise InputError(error.message, error.hint) from error
    (difference,) = comparison.compare([pair])
    if truth is not None:
        comparison.score(difference, truth)
    return difference


def _write_picture(path: Path, difference: Difference, labels: LabelSet) -> None:
    with atomic.write_whole(path) as file:
        picture(difference, labels).save(file, "PNG")


def _report(display: Display, comparison: Comparison, result: dict, truths: int) -> None:
    """Print the comparison: a table, two lines, and with --json everything."""
    labels = comparison.labels
    between = comparison.between.scores(labels)
    a, b = comparison.a.scores(labels), comparison.b.scores(labels)
    headings = ("", "class", "A and B agree", *(("A", "B", "B - A") if truths else ()))
    table = columns(*headings, right=headings[2:])
    for name, colour in zip(labels.names, labels.palette, strict=True):
        if between.per_class[name] is None and a.per_class[name] is None:
            continue
        row = [swatch(colour), Text(shown(name)), percent(between.per_class[name])]
        one, two = a.per_class[name], b.per_class[name]
        table.add_row(*row, *([percent(one), percent(two), _change(one, two)] if truths else []))
    display.table(table)
    display.data(f"pixels alike       {percent(between.pixel_accuracy)} % in {len(result['images'])} images")
    result = {"agreement": between.to_dict(), **result}
    if truths:
        change = _change(a.miou, b.miou)
        display.data(f"mIOU A, B, B - A   {percent(a.miou)}, {percent(b.miou)}, {change} ({truths} images with truth)")
        for side, scores in (("A", a), ("B", b)):
            if over := coverage(scores):
                display.data(f"mIOU of {side}{over}")
        result |= {"a": a.to_dict(), "b": b.to_dict(), "images_with_truth": truths}
    display.json(result)


def _change(one: float | None, two: float | None) -> str:
    return "-" if one is None or two is None else f"{100 * (two - one):+.2f}"
