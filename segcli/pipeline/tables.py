"""The tables that sum up an output folder: areas.csv and review.csv."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from segcli.files.atomic import write_whole
from segcli.pipeline.records import Record


def write_areas(path: Path, records: Iterable[Record]) -> None:
    """Write areas.csv: image, class, pixels and per cent of the image; a row per class found, the largest first."""
    rows = [
        (record.input, name, pixels, _percent(pixels, record))
        for record in records
        for name, pixels in sorted(record.areas.items(), key=lambda area: -area[1])
    ]
    _write_table(path, ("image", "class", "pixels", "percent"), rows)


def _percent(pixels: int, record: Record) -> str:
    """The share of the photo, with three digits; empty where the record does not say how large the photo is."""
    total = record.width * record.height
    return f"{100 * pixels / total:.3f}" if total else ""


def write_review(path: Path, records: Iterable[Record]) -> None:
    """Write review.csv: the images, those that most need a person's eye first."""
    known = [record for record in records if record.uncertainty is not None]
    rows = [
        (record.input, f"{record.uncertainty:.5f}", next((o["path"] for o in record.outputs.values()), ""))
        for record in sorted(known, key=lambda record: (-record.uncertainty, record.name))
    ]
    _write_table(path, ("image", "uncertainty", "output"), rows)


def _write_table(path: Path, headings: Iterable[str], rows: Iterable[Iterable]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerows([headings, *rows])
    with write_whole(path) as file:
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))
