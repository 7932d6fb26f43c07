"""Files that know where a photo lies: masks, with their place where it has one, and polygons on a map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segcli.errors import InputError, UsageError
from segcli.files.atomic import write_whole
from segcli.files.formats import RASTER
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.images import masks
from segcli.images.geo import sidecars
from segcli.images.geo.place import Place, read_place, written_beside
from segcli.images.geo.units import GeoJsonCrs

if TYPE_CHECKING:
    from segcli.pipeline.outputs import Outputs
    from segcli.pipeline.writer import Labelled


def write_mask(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write a photo's mask: a PNG, with a world file and the like where the photo has one; a GeoTIFF of a GeoTIFF."""
    source, place = labelled.source, labelled.place
    png, tif = (source.output(outputs.folder / "masks", suffix) for suffix in (".png", ".tif"))
    if place is not None and place.tags:
        from segcli.images.geo import geotiff

        info = {**outputs.info, **outputs.read_as}
        beside = geotiff.write_label_map(tif, labelled.label_map, outputs.labels, place, info)
        remove_mask(png)
        return {"mask": tif, "mask names": beside}
    masks.write_label_map(png, labelled.label_map, outputs.labels, outputs.info)
    remove_mask(tif)
    return {"mask": png, **_write_beside(png, place, labelled, outputs)}


def _write_beside(png: Path, place: Place | None, labelled: Labelled, outputs: Outputs) -> dict[str, Path]:
    """Write what tells map programs where a PNG lies."""
    if place is None:
        return {}
    place, files = place.of_size(labelled.label_map.shape), {}
    for suffix, content in _contents(place, outputs, int(np.iinfo(labelled.label_map.dtype).max)):
        name = "mask names" if suffix == sidecars.AUX else f"mask {suffix[1:]}"
        stem = png.name if suffix == sidecars.AUX else png.stem
        files[name] = png.with_name(stem + suffix)
        with write_whole(files[name]) as file:
            file.write(content)
    return files


def _contents(place: Place, outputs: Outputs, void: int) -> Iterator[tuple[str, bytes]]:
    yield from written_beside(place)
    if place.crs.wkt:
        labels = outputs.labels
        yield sidecars.AUX, sidecars.pam(labels.names, labels.palette, place.crs.wkt, no_data=void)


def remove_mask(path: Path) -> None:
    """Remove a mask of segcli's that an earlier run, or a version without places, has left under the other suffix."""
    try:
        if path.is_file() and masks.labels_of(path) is not None:
            path.unlink()
            sidecars.aux_path(path).unlink(missing_ok=True)
    except InputError:
        return


def write_geojson(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write a photo's polygons on the map; no file where it has no place, which `notes` says."""
    from segcli.images.geo import geojson

    path, place = labelled.source.output(outputs.folder / "geojson", ".geojson"), labelled.place
    if geojson.refusal(place, outputs.geojson_crs):
        path.unlink(missing_ok=True)
        return {}
    title = labelled.source.input
    geojson.write(path, labelled.drawn, outputs.labels, place, outputs.geojson_crs, title)
    return {"geojson": path}


def notes(outputs: Outputs, place: Place | None) -> tuple[str, ...]:
    """Why a photo has no polygons on the map though they are asked for."""
    if "geojson" not in outputs.kinds:
        return ()
    from segcli.images.geo import geojson

    refused = geojson.refusal(place, outputs.geojson_crs)
    return (refused,) if refused else ()


def check(kinds: Iterable[str], system: GeoJsonCrs, sources: Iterable[Source]) -> None:
    """Refuse, before any work, polygons that take an extra package which is not installed.

    Raises:
        UsageError: A photo's coordinates take rasterio; or `system` is given and no polygons are asked for.
    """
    if "geojson" not in kinds:
        if system != "wgs84":
            raise UsageError("--geojson-crs goes with --save geojson", "Add geojson to --save.")
        return
    if system == "own" or RASTER.installed:
        return
    from segcli.images.geo import reprojection

    for source in sources:
        place, _ = read_place(source.path, source.page)
        if place and place.transform and place.crs.is_known and reprojection.needs_extra(place.crs):
            raise UsageError(
                f"{shown(source.path)} lies in {place.crs.name}, which needs an extra package to become degrees",
                f'Install segcli\'s extra "{RASTER.name}": {RASTER.install}; or give --geojson-crs own.',
            )
