"""The tables that sum up an output folder: areas.csv and review.csv."""

import csv
import io
import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from segcli.files.atomic import write_whole
from segcli.files.lookup import FEW
from segcli.pipeline.records import Record

FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with in one spreadsheet or another; the last four are the wide forms of the first four."""
ROWS = 1000
"""So many rows of a table are in memory at once."""
SETTINGS = ("settings",)
"""The heading of the column that tells settings apart."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def write_areas(path: Path, records: Iterable[Record], told: Mapping[str, str] | None = None) -> None:
    """Write areas.csv: image, class, pixels and per cent of those with data; a row per class found, the largest first.

    Where it is known of any image how much ground a pixel shows, there is a column of square metres; where images were
    made with several settings, one that tells them apart.

    Args:
        path: The file.
        records: The images' records, gone through again where such an image is among them.
        told: What to call each fingerprint of settings; None where all are alike.
    """
    if not _write_areas(path, records, told, placed=False):
        _write_areas(path, records, told, placed=True)


def _write_areas(path: Path, records: Iterable[Record], told: Mapping[str, str] | None, placed: bool) -> bool:
    """Write it with the column of square metres or without; False where it lacks that column."""
    lacking = False

    def rows() -> Iterator[tuple]:
        nonlocal lacking
        for record in records:
            lacking = lacking or (not placed and bool(record.areas) and record.pixel_area is not None)
            for name, pixels in sorted(record.areas.items(), key=lambda area: -area[1]):
                more = (_metres(pixels, record),) if placed else ()
                yield (record.input, name, pixels, _percent(pixels, record), *more, *_settings(record, told))

    more = (*(["m2"] if placed else []), *(SETTINGS if told else ()))
    _write_table(path, ("image", "class", "pixels", "percent", *more), rows())
    return not lacking


def _settings(record: Record, told: Mapping[str, str] | None) -> tuple[str, ...]:
    """The cell that tells how a photo was made; none where all were made alike."""
    return (told.get(record.settings, record.settings),) if told else ()


def _metres(pixels: int, record: Record) -> str:
    """Square metres, with six digits; empty where it is not known how large a pixel is."""
    if record.pixel_area is None:
        return ""
    rounded = float(f"{pixels * record.pixel_area:.6g}")
    return f"{rounded:f}".rstrip("0").rstrip(".")


def _percent(pixels: int, record: Record) -> str:
    """The share of the pixels with data, with three digits; empty where the record does not say how many there are."""
    total = record.width * record.height * (record.frames or 1) - (record.no_data or 0)
    return f"{100 * pixels / total:.3f}" if total else ""


def by_uncertainty(values: Iterable[float | None], name: Callable[[int], str] | None = None) -> array:
    """The numbers of the values that are known, the largest first.

    Args:
        values: Uncertainties; None is not known.
        name: Gives the text by which equal ones are ordered; None leaves them in their order.
    """
    values = array("d", (math.nan if value is None else value for value in values))
    if len(values) <= FEW:
        return _few_by_uncertainty(values, name)
    import numpy as np

    known = np.array(values)
    numbers = np.flatnonzero(~np.isnan(known))
    order = numbers[np.argsort(-known[numbers], kind="stable")]
    if name is not None:
        bounds = np.concatenate(([0], np.flatnonzero(np.diff(known[order])) + 1, [len(order)]))
        for group in np.flatnonzero(np.diff(bounds) > 1).tolist():
            alike = slice(bounds[group], bounds[group + 1])
            order[alike] = sorted(order[alike].tolist(), key=name)
    return array("Q", order.astype(np.uint64).tobytes())


def _few_by_uncertainty(values: array, name: Callable[[int], str] | None) -> array:
    known = (number for number, value in enumerate(values) if not math.isnan(value))
    order = sorted(known, key=lambda number: -values[number])
    groups = [list(alike) for _, alike in groupby(order, key=values.__getitem__)]
    sort = sorted if name is None else partial(sorted, key=name)
    return array("Q", chain.from_iterable(sort(alike) if len(alike) > 1 else alike for alike in groups))


def write_review(
    path: Path,
    records: Sequence[Record],
    order: Iterable[int] | None = None,
    told: Mapping[str, str] | None = None,
) -> None:
    """Write review.csv: the images, those that most need a person's eye first.

    Args:
        path: The file.
        records: The images' records.
        order: The numbers of those that have an uncertainty, in their order; None finds it by reading all.
        told: What to call each fingerprint of settings; None where all are alike.
    """
    if order is None:
        order = by_uncertainty((record.uncertainty for record in records), lambda number: records[number].name)
    rows = (
        (record.input, f"{record.uncertainty:.5f}", _first_output(record), *_settings(record, told))
        for record in map(records.__getitem__, order)
    )
    _write_table(path, ("image", "uncertainty", "output", *(SETTINGS if told else ())), rows)


def _first_output(record: Record) -> str:
    return next((output["path"] for output in record.outputs.values()), "")


def _write_table(path: Path, headings: Iterable[str], rows: Iterable[Iterable]) -> None:
    with write_whole(path) as file:
        file.writelines(_pieces(headings, rows))


def table(headings: Iterable[str], rows: Iterable[Iterable]) -> bytes:
    """The text of a CSV file, a line for the headings and one for each row; no cell of it is a formula."""
    return b"".join(_pieces(headings, rows))


def _pieces(headings: Iterable[str], rows: Iterable[Iterable]) -> Iterator[bytes]:
    """The same, some rows at a time."""
    yield _lines([headings])
    plain = (map(_plain, row) for row in rows)
    while group := list(islice(plain, ROWS)):
        yield _lines(group)


def _lines(rows: Iterable[Iterable]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _plain(cell: Any) -> Any:
    """A cell that is one line of text whatever a photo, or a class, is called, and nothing that a spreadsheet runs."""
    if not isinstance(cell, str):
        return cell
    line = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], cell)
    return f"'{line}" if line.startswith(FORMULAS) and not _is_number(line) else line


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
