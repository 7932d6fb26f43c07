"""How scores look: a table with colour swatches, one JSON object, pictures in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from segcli.cli.display import Display, columns
from segcli.evaluation.metrics import Scores
from segcli.files.atomic import writing
from segcli.files.paths import shown
from segcli.labels import LabelSet, some_of

if TYPE_CHECKING:
    from segcli.pipeline.evaluation import Evaluation
    from segcli.pipeline.tally import Tally


def report(display: Display, evaluation: Evaluation, worst_count: int, output: Path | None) -> None:
    """Print the scores, as a table or as one JSON object, and leave them in a folder where one is wanted."""
    result = evaluation.to_dict(worst_count)
    _print(display, evaluation.data.labels, evaluation.tally, result)
    if output is not None:
        with writing(output):
            evaluation.save(output, worst_count)
        display.say(f"scores.json and pictures: {output}", "dim")
    display.json(result)  # last: an error prints an object of its own


def _print(display: Display, labels: LabelSet, tally: Tally, result: dict) -> None:
    scores = tally.matrix.scores(labels)
    before = tally.before.matrix.scores(labels) if tally.before else None
    display.table(_classes(labels, scores, before))
    for name, title in TITLES.items():
        change = f"  (without CRF {percent(getattr(before, name))})" if before else ""
        over = coverage(scores) if name == "miou" else ""
        display.data(f"{title:24}{percent(getattr(scores, name)):>7}{change}{over}")
        if name == "miou" and scores.present != scores.classes:
            change = f"  (without CRF {percent(before.miou_present)})" if before else ""
            display.data(f"{IN_TRUTH:24}{percent(scores.miou_present):>7}{change}{only_predicted(scores)}")
    cost = result["multiply_adds"] / 1e9
    display.data(
        f"{result['images']} images of {result['dataset']} {result['split']}, {result['classes']} classes, "
        f"{result['seconds']:.0f} s, {cost:.2f} B multiply-adds per image"
    )
    for image in result["worst"]:
        display.data(f"  worst: {image['name']}  mIOU {percent(image['miou'])}")


IN_TRUTH = "mIOU, classes in truth"
TITLES = {
    "miou": "mIOU",
    "mean_dice": "mean Dice (F1)",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "frequency-weighted IOU",
}


def _classes(labels: LabelSet, scores: Scores, before: Scores | None):
    headings = ["", "class", "IOU", "Dice"] + (["IOU without CRF"] if before else [])
    table = columns(*headings, right=headings[2:])
    for name, colour in zip(labels.names, labels.palette, strict=True):
        row = [swatch(colour), Text(shown(name)), percent(scores.per_class[name]), percent(scores.dice[name])]
        table.add_row(*row, *([percent(before.per_class[name])] if before else []))
    return table


def coverage(scores: Scores) -> str:
    """Over how many of the named classes an mIOU is, with a blank before; nothing where it is over all of them."""
    if not scores.absent:
        return ""
    return f" over {scores.classes} of {scores.named} classes; no pixel of: {some_of(scores.absent)}"


def only_predicted(scores: Scores) -> str:
    """What the mIOU over the classes in the truth leaves out of the other one, with a blank before."""
    others = scores.classes - scores.present
    return f" over {scores.present} classes; the mIOU also has a 0 for each of the {others} that are predicted only"


def swatch(colour: Sequence[int]) -> Text:
    """Two cells in a class's (red, green, blue)."""
    red, green, blue = map(int, colour)
    return Text("  ", style=f"on rgb({red},{green},{blue})")


def percent(value: float | None) -> str:
    """A share as per cent with two digits; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.2f}"
