"""`segcli compare`: two folders of predictions on the same photos."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from segcli.cli.display import Display, columns
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options.outputs import AsJson, OptionalOutput, Quiet
from segcli.cli.views.scores import percent, swatch
from segcli.errors import EXIT_FAILED, EXIT_SOME_FAILED, InputError, UsageError
from segcli.evaluation import predictions
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


def compare(
    a: Annotated[Path, Argument(metavar="A", help="Label maps, or an output folder of predict.")],
    b: Annotated[Path, Argument(metavar="B", help="Likewise.")],
    truth: Annotated[
        Path | None, Option("--truth", metavar="DIR", help="True label maps: who is nearer to them?")
    ] = None,
    names: dataset_options.ClassNames = None,
    output: OptionalOutput = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare two folders of label maps: agreement by class and, with --truth, the difference in IOU.

    With --output, a picture of where they disagree goes there for each photo on which they do.
    """
    display = Display(as_json, quiet)
    pairing = pair(a, b)
    labels = names or _labels(*pairing.pairs[0][1:])
    truths = _truths(truth, pairing)
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
    _report(display, comparison, {"images": images, "failed": failed, **only}, len(truths))
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED if images else EXIT_FAILED)


def _labels(a: Path, b: Path) -> LabelSet:
    """The classes that the first maps of both folders name."""
    known = [labels for labels in map(labels_of, (a, b)) if labels is not None]
    if not known:
        raise UsageError(f"{shown(a)} does not say which classes it has", "Name them with --names.")
    if known[0].names != known[-1].names:
        raise UsageError(
            f"A has the classes of {known[0].name}, B those of {known[-1].name}", "Compare like with like."
        )
    return known[0]


def _truths(folder: Path | None, pairing: Pairing) -> dict[str, Path]:
    """The true label maps of the pairs, by name."""
    if folder is None:
        return {}
    maps = predictions.find(folder)
    truths = {name: maps[name] for name, _, _ in pairing.pairs if name in maps}
    if not truths:
        raise UsageError(
            f"--truth {shown(folder)} has no label maps (PNG) of these photos", "They are matched by name."
        )
    return truths


def _keep_apart(output: Path | None, inputs: Iterable[Path | None]) -> None:
    """Refuse to write pictures among label maps, of which they have the names."""
    if output is None:
        return
    for folder in inputs:
        if folder is not None and output.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"--output {shown(output)} lies in {shown(folder)}", "Name a folder of its own.")


def _compare(comparison: Comparison, pair: tuple[str, Path, Path], truths: dict[str, Path]) -> Difference:
    """One pair, counted, and counted against its truth where that is known."""
    name = pair[0]
    truth = predictions.read_classes(truths[name], comparison.labels) if name in truths else None
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
        row = [swatch(colour), name, percent(between.per_class[name])]
        one, two = a.per_class[name], b.per_class[name]
        table.add_row(*row, *([percent(one), percent(two), _change(one, two)] if truths else []))
    display.table(table)
    display.data(f"pixels alike       {percent(between.pixel_accuracy)} % in {len(result['images'])} images")
    result = {"agreement": between.to_dict(), **result}
    if truths:
        change = _change(a.miou, b.miou)
        display.data(f"mIOU A, B, B - A   {percent(a.miou)}, {percent(b.miou)}, {change} ({truths} images with truth)")
        result |= {"a": a.to_dict(), "b": b.to_dict(), "images_with_truth": truths}
    display.json(result)


def _change(one: float | None, two: float | None) -> str:
    return "-" if one is None or two is None else f"{100 * (two - one):+.2f}"
