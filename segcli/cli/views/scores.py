"""How scores look: a table with colour swatches, one JSON object, pictures in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from segcli.cli.display import Display, columns
from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore, worst
from segcli.files.atomic import write_whole
from segcli.images import plots
from segcli.labels import LabelSet

if TYPE_CHECKING:
    from segcli.pipeline.evaluate import Tally


def report(display: Display, labels: LabelSet, tally: Tally, facts: dict, worst_count: int) -> dict:
    """Print the scores; returns them with the facts as JSON-plain values."""
    result = _result(labels, tally, facts, worst_count)
    _print(display, labels, tally, result)
    display.json(result)
    return result


def _result(labels: LabelSet, tally: Tally, facts: dict, worst_count: int) -> dict:
    scores = tally.matrix.scores(labels)
    result = {**scores.to_dict(), **facts}
    if tally.trimap is not None:
        result["trimap"] = _trimap(tally, labels)
    if tally.before is not None:
        before = tally.before.matrix.scores(labels).to_dict()
        result["without_crf"] = before | ({"trimap": _trimap(tally.before, labels)} if tally.trimap else {})
    result["confusion"] = tally.matrix.counts.tolist()  # true class by predicted class; last column: predicted as void
    result["worst"] = [_image(image) for image in worst(tally.images, worst_count)]
    return result


def _trimap(tally: Tally, labels: LabelSet) -> dict[str, float | None]:
    return {str(width): scores.miou for width, scores in tally.trimap.scores(labels).items()}


def _image(image: ImageScore) -> dict:
    return {"name": image.name, "miou": image.miou, "pixel_accuracy": image.pixel_accuracy}


def _print(display: Display, labels: LabelSet, tally: Tally, result: dict) -> None:
    scores = tally.matrix.scores(labels)
    before = tally.before.matrix.scores(labels) if tally.before else None
    display.table(_classes(labels, scores, before))
    for name, title in TITLES.items():
        change = f"  (without CRF {percent(getattr(before, name))})" if before else ""
        display.data(f"{title:24}{percent(getattr(scores, name)):>7}{change}")
    cost = result["multiply_adds"] / 1e9
    display.data(
        f"{result['images']} images of {result['dataset']} {result['split']}, {result['classes']} classes, "
        f"{result['seconds']:.0f} s, {cost:.2f} B multiply-adds an image"
    )
    for image in result["worst"]:
        display.data(f"  worst: {image['name']}  mIOU {percent(image['miou'])}")


TITLES = {
    "miou": "mIOU",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "frequency-weighted IOU",
}


def _classes(labels: LabelSet, scores: Scores, before: Scores | None):
    headings = ["", "class", "IOU"] + (["without CRF"] if before else [])
    table = columns(*headings, right=("IOU", "without CRF"))
    for name, colour in zip(labels.names, labels.palette, strict=True):
        row = [swatch(colour), name, percent(scores.per_class[name])]
        table.add_row(*row, *([percent(before.per_class[name])] if before else []))
    return table


def swatch(colour: Sequence[int]) -> Text:
    """Two cells in a class's (red, green, blue)."""
    red, green, blue = map(int, colour)
    return Text("  ", style=f"on rgb({red},{green},{blue})")


def percent(value: float | None) -> str:
    """A share as per cent with two digits; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.2f}"


def write(output: Path, labels: LabelSet, tally: Tally, result: dict) -> None:
    """Leave scores.json, the confusion matrix and the trimap's curves in a folder."""
    with write_whole(output / "scores.json") as file:
        file.write(json.dumps(result, indent=1).encode())
    with write_whole(output / "confusion.png") as file:
        plots.confusion_matrix(tally.matrix.counts, labels).save(file, "PNG")
    if tally.trimap is not None:
        curves = {"with CRF" if tally.before else result["model"]["name"]: _curve(tally, labels)}
        if tally.before is not None:
            curves["without CRF"] = _curve(tally.before, labels)
        with write_whole(output / "trimap.png") as file:
            plots.trimap(curves).save(file, "PNG")


def _curve(tally: Tally, labels: LabelSet) -> dict[int, float | None]:
    return {width: scores.miou for width, scores in tally.trimap.scores(labels).items()}
