"""Object files: a table of the objects of each photo, and one of those of the whole run."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segcli.data.forms import shapes
from segcli.files.atomic import write_whole
from segcli.files.parts import understood
from segcli.files.sources import Source
from segcli.images import pages
from segcli.images.holes import without_holes
from segcli.images.objects import Objects, measured
from segcli.images.regions import without_specks
from segcli.labels import LabelSet
from segcli.pipeline.tables import table

if TYPE_CHECKING:
    from segcli.inference.prediction import Prediction
    from segcli.pipeline.outputs import Outputs
    from segcli.pipeline.writer import Labelled

HEADINGS = (
    *("image", "plane", "class", "object", "pixels", "area_um2", "x", "y", "left", "top", "width", "height"),
    *("diameter", "diameter_um", "certainty", "at_border"),
)
"""The columns of the tables. Lengths are pixels, or micrometres where the heading says so; an object is a number from
1 on in its photo; x and y are its centroid, the middle of the top left pixel being 0, 0; at_border is 1 or 0."""


def found(label_map: np.ndarray, labels: LabelSet, prediction: Prediction) -> Objects:
    """The objects of a label map (H, W), with how sure of them the network or the CRF was."""
    from segcli.inference.certainty import certainty

    return measured(label_map, shapes.foreground(labels), certainty(prediction))


def counts(objects: Objects, labels: LabelSet) -> dict[str, int]:
    """The number of objects by class name, for the classes that have any, in the order of their ids."""
    return {labels.names[label]: count for label, count in sorted(Counter(objects.labels.tolist()).items())}


def drawn(
    label_map: np.ndarray, valid: np.ndarray | None, labels: LabelSet, blank: int, min_area: int, fill_holes: bool
) -> tuple[np.ndarray, int | None]:
    """The label map that label files and objects are made of, and the number of specks; None where none is looked for.

    Holes are filled first, so that a ring counts with what it surrounds, and again where a speck in one is gone.

    Args:
        label_map: uint8 or uint16 (H, W).
        valid: Where the photo has data, bool (H, W); None: everywhere.
        labels: The classes.
        blank: The id of background, which holes and specks consist of or become.
        min_area: Regions of fewer pixels are specks; 0 for none.
        fill_holes: Whether holes are filled.
    """
    classes, result, specks = shapes.foreground(labels), label_map, None
    if fill_holes:
        result, _ = without_holes(result, classes, blank)
    if min_area:
        result, specks = without_specks(result, min_area, classes, blank)
    if fill_holes and specks:
        result, _ = without_holes(result, classes, blank)
    if fill_holes and valid is not None:
        result = np.where(valid, result, label_map)  # where nothing was seen, nothing is filled
    return result, specks


def write_objects(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write a photo's table of objects."""
    return write_table(outputs, labelled.source, labelled.objects)


def write_table(outputs: Outputs, source: Source, found: Objects) -> dict[str, Path]:
    """Write the table of the objects of a photo."""
    path = source.output(outputs.folder / "objects", ".csv")
    first = (source.input, pages.plane_of(source.path, source.page))
    rows = _rows(found, outputs.labels, pages.pixel_size(source.path))
    with write_whole(path) as file:
        file.write(table(HEADINGS, ((*first, *row) for row in rows)))
    return {"objects": path}


def _rows(objects: Objects, labels: LabelSet, micrometres: tuple[float, float] | None) -> Iterator[tuple]:
    """The cells of each object from its class on."""
    pixel = math.nan if micrometres is None else micrometres[0] * micrometres[1]
    for number, one in enumerate(objects, 1):
        area = one.pixels * pixel
        yield (
            *(labels.names[one.label], number, one.pixels, _digits(area), f"{one.x:.2f}", f"{one.y:.2f}"),
            *(one.left, one.top, one.width, one.height, f"{one.diameter:.2f}"),
            *(_digits(2 * math.sqrt(area / math.pi)), f"{one.certainty:.4f}", int(one.at_border)),
        )


def _digits(value: float) -> str:
    """A number with six digits; empty where it is not known."""
    return "" if math.isnan(value) else f"{value:.6g}" if value < 1e6 else f"{value:.0f}"


def merge(path: Path, parts: Iterable[Path], labels: LabelSet) -> None:
    """Write the table of all photos, one photo at a time in memory; InputError for a damaged part."""
    with write_whole(path) as file:
        file.write(head := table(HEADINGS, ()))
        for part in parts:
            with understood(part):
                data = part.read_bytes()
                text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
                rows = csv.reader(text, strict=True)
                if not data.startswith(head) or any(len(row) != len(HEADINGS) for row in rows):
                    raise ValueError(part)
            file.write(data.removeprefix(head))


def listed(found_counts: dict[str, int]) -> str:
    """Counts in words: "120 leaf, 4 spot", the most numerous first."""
    ordered = sorted(found_counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered) or "none"
