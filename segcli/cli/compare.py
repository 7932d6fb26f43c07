"""`segcli compare`: two folders of predictions on the same photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from segcli import files, predictions
from segcli.cli import dataset as dataset_options
from segcli.cli import options
from segcli.cli.display import Display, columns
from segcli.cli.scores import percent, swatch
from segcli.comparison import Comparison, Difference, pair, picture
from segcli.errors import UsageError
from segcli.labels import LabelSet
from segcli.masks import labels_of

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
    names: dataset_options.Names = None,
    output: options.OptionalOutput = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare two folders of label maps: agreement by class and, with --truth, the difference in mIOU.

    With --output, pictures of where they disagree go there.
    """
    display = Display(as_json, quiet)
    pairing = pair(a, b)
    labels = dataset_options.label_set(names) if names else _labels(pairing.pairs[0][1])
    truths = predictions.find(truth) if truth else {}
    comparison = Comparison(labels)
    images = []
    with display.counting(len(pairing.pairs), "comparing") as counter:
        for difference in comparison.compare(pairing.pairs):
            if difference.name in truths:
                comparison.score(difference, predictions.read_classes(truths[difference.name], labels))
            if output is not None:
                _write_picture(output / f"{difference.name}.png", difference, labels)
            images.append({"name": difference.name, "agreement": difference.agreement})
            counter.advance()
    only = {"only_a": list(pairing.only_a), "only_b": list(pairing.only_b)}
    for side, missing in only.items():
        if missing:
            display.warn(f"{len(missing)} label maps are in {side[-1].upper()} only, such as {missing[0]}")
    _report(display, comparison, images, only, bool(truths))


def _labels(path: Path) -> LabelSet:
    labels = labels_of(path)
    if labels is None:
        raise UsageError(f"{path} does not say which classes it has", "Name them with --names.")
    return labels


def _write_picture(path: Path, difference: Difference, labels: LabelSet) -> None:
    with files.write_whole(path) as file:
        picture(difference, labels).save(file, "PNG")


def _report(display: Display, comparison: Comparison, images: list[dict], only: dict, has_truth: bool) -> None:
    labels = comparison.labels
    between = comparison.between.scores(labels)
    a, b = comparison.a.scores(labels), comparison.b.scores(labels)
    headings = ("", "class", "A and B agree", *(("A", "B", "B - A") if has_truth else ()))
    table = columns(*headings, right=headings[2:])
    for name, colour in zip(labels.names, labels.palette, strict=True):
        if between.per_class[name] is None and a.per_class[name] is None:
            continue
        row = [swatch(colour), name, percent(between.per_class[name])]
        one, two = a.per_class[name], b.per_class[name]
        table.add_row(*row, *([percent(one), percent(two), _change(one, two)] if has_truth else []))
    display.table(table)
    display.data(f"pixels alike       {percent(between.pixel_accuracy)} of {len(images)} images")
    result = {"agreement": between.to_dict(), "images": images, **only}
    if has_truth:
        display.data(f"mIOU A, B, B - A   {percent(a.miou)}, {percent(b.miou)}, {_change(a.miou, b.miou)}")
        result |= {"a": a.to_dict(), "b": b.to_dict()}
    display.json(result)


def _change(one: float | None, two: float | None) -> str:
    return "-" if one is None or two is None else f"{100 * (two - one):+.2f}"
