"""Mergers: what makes the files of a whole run of the photos' parts."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from segcli.images import gallery
from segcli.images.geo import geojson
from segcli.labels import LabelSet
from segcli.pipeline import label_files, objects
from segcli.pipeline.kinds import GEOJSON, OBJECTS
from segcli.pipeline.records import Record

Merger = Callable[[Path, Iterable[Any], LabelSet], None]

MERGERS: dict[str, tuple[str, Merger]] = {
    **label_files.MERGERS,
    OBJECTS: ("objects.csv", objects.merge),
    GEOJSON: ("polygons.geojson", geojson.merge),
    "gallery": ("gallery.html", gallery.merge),
}
"""Kind of output -> the file for the whole run, and what makes it from the photos' parts."""


def part_of(kind: str, file: Path, record: Record) -> Path | gallery.Part:
    """A photo's part as a merger takes it: its file; a gallery is told which photo it is of."""
    if kind != "gallery":
        return file
    return gallery.Part.of_outputs(file, record.input, record.outputs, record.no_data)
