"""Mergers: what makes the files of a whole run of the photos' parts."""

from collections.abc import Callable, Iterable
from pathlib import Path

from segcli.images import gallery
from segcli.images.geo import geojson
from segcli.labels import LabelSet
from segcli.pipeline import label_files, objects
from segcli.pipeline.kinds import GEOJSON, OBJECTS

Merger = Callable[[Path, Iterable[Path], LabelSet], None]

MERGERS: dict[str, tuple[str, Merger]] = {
    **label_files.MERGERS,
    OBJECTS: ("objects.csv", objects.merge),
    GEOJSON: ("polygons.geojson", geojson.merge),
    "gallery": ("gallery.html", gallery.merge),
}
"""Kind of output -> the file for the whole run, and what makes it from the photos' parts."""
