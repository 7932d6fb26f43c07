"""Writing: the files of a picture that was done in parts, made of what was kept of it on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segcli.data.forms import shapes
from segcli.files.sources import Source
from segcli.images import gallery, overlay, polygons
from segcli.images.bridges import bridged
from segcli.images.geo import geojson, geotags, geotiff
from segcli.images.geo.place import Place
from segcli.images.masks import nearest_indices
from segcli.images.polygons import Area
from segcli.images.probabilities import write_probabilities
from segcli.images.strips import rings
from segcli.images.strips.cutouts import cutouts
from segcli.images.strips.objects import measured
from segcli.images.strips.photo import PhotoStrips
from segcli.images.strips.shrinking import Picker, nearest, thumbnail_size
from segcli.inference.prediction import Prediction
from segcli.inference.uncertainty import uncertainty
from segcli.pipeline import objects, place_files
from segcli.pipeline.giants.labels import LabelRows
from segcli.pipeline.giants.pictures import SmallPicture
from segcli.pipeline.giants.samples import Samples
from segcli.pipeline.kinds import OBJECTS
from segcli.pipeline.outputs import Outputs


@dataclass
class Finished:
    """A picture of which all rows are labelled.

    Attributes:
        source: Where it came from.
        photo: Its colours, to be read again.
        labels: Its label map, packed.
        pictures: It at small sizes, by kind of output.
        samples: Its scores at a few points, by what they are for.
        void: Its pixels without data.
        place: Where on earth it lies; None where that is not known.
    """

    source: Source
    photo: PhotoStrips
    labels: LabelRows
    pictures: dict[str, SmallPicture]
    samples: dict[str, Samples]
    void: int
    place: Place | None

    @property
    def size(self) -> tuple[int, int]:
        """Its (height, width)."""
        return self.photo.size


def small_size(kind: str, photo: tuple[int, int], outputs: Outputs) -> tuple[int, int]:
    """The (height, width) of a photo's overlay, or in a gallery."""
    if kind == "overlay":
        return outputs.overlay.shrunk(photo)
    return thumbnail_size(photo, gallery.PICTURE_SIZE)


RESAMPLING = {"overlay": overlay.RESAMPLING, "gallery": gallery.RESAMPLING}
"""Kind of output with a small picture of the photo -> the way in which that is shrunk."""


class Writing:
    """The files of a finished picture.

    Args:
        finished: The picture.
        outputs: Where and what to write.

    Attributes:
        areas: Class name -> pixels, for the classes that were found.
        uncertainty: How unsure the network was, 0..1; None without any data.
        specks: The regions left out of polygons and objects for being small; None where none was looked for.
        objects: Class name -> objects of it; None where they were not asked for.
    """

    def __init__(self, finished: Finished, outputs: Outputs):
        self._finished, self._outputs = finished, outputs
        self._pickers = {kind: self._picker(kind) for kind in finished.pictures}
        self._pixels = np.zeros(65536, np.int64)
        self.specks: int | None = 0 if outputs.min_area else None
        self.objects: dict[str, int] | None = None
        self._count()
        names = outputs.labels.names
        self.areas = {name: int(count) for name, count in zip(names, self._pixels, strict=False) if count}
        pixels = finished.size[0] * finished.size[1]
        has_data = finished.void < pixels
        self.uncertainty = uncertainty(self._prediction("uncertainty")) if has_data else None

    def _prediction(self, name: str) -> Prediction:
        """The network's scores at a few points, as the prediction of a small photo."""
        return self._finished.samples[name].prediction(self._finished.void > 0)

    def _picker(self, kind: str) -> Picker:
        """What gathers the label map at the size of a small picture, by the rule of that kind."""
        size, small = self._finished.size, self._finished.pictures[kind].size
        rule = nearest_indices if kind == "overlay" else nearest
        rows, columns = (rule(whole, few) for whole, few in zip(size, small, strict=True))
        return Picker(rows, columns, self._finished.labels.dtype)

    def _count(self) -> None:
        """Go through the label map for all that needs all of it."""
        top = 0
        for band in self._finished.labels.bands():
            self._pixels += np.bincount(band.ravel(), minlength=65536)
            for picker in self._pickers.values():
                picker.add(top, band)
            top += len(band)

    def write(self) -> dict[str, Path]:
        """Write each file whole or not at all; the files by the names that records keep.

        Raises:
            OSError: The folder cannot be written to.
        """
        files: dict[str, Path] = {}
        for kind, write in _WRITERS.items():
            if kind in self._outputs.kinds:
                files |= write(self)
        return files

    def write_mask(self) -> dict[str, Path]:
        """Write the mask, a GeoTIFF also where the photo has no place: PNG has no tiles."""
        done, outputs = self._finished, self._outputs
        path = done.source.output(outputs.folder / "masks", ".tif")
        tiles = geotiff.tiles_of(done.labels.bands(), done.size[1])
        info = {**outputs.info, **outputs.read_as}
        known = (done.size, done.labels.dtype, done.labels.checksum)
        beside = geotiff.write_label_rows(path, tiles, *known, outputs.labels, self._place, info)
        place_files.remove_mask(done.source.output(outputs.folder / "masks", ".png"))
        return {"mask": path, "mask names": beside}

    def write_overlay(self) -> dict[str, Path]:
        """Write the overlay, at its own size."""
        done, outputs = self._finished, self._outputs
        path = done.source.output(outputs.folder / "overlays", ".jpg")
        percent = 100 * self._pixels[: len(outputs.labels)] / max(1, done.size[0] * done.size[1])
        small = self._pickers["overlay"].picked
        picture = overlay.drawn(done.pictures["overlay"].picture(), small, percent, outputs.labels, outputs.overlay)
        overlay.write_overlay(path, picture)
        return {"overlay": path}

    @property
    def _place(self) -> Place | None:
        """Its place with geotags, also where it was a file beside the photo that told it."""
        place = self._finished.place
        if place is None or place.tags or place.transform is None:
            return place
        return replace(place, tags=geotags.replaced({}, place.crs, place.transform, place.points))

    def write_cutout(self) -> dict[str, Path]:
        """Write the cutout, a GeoTIFF in tiles as the mask is; for it the picture is read again."""
        done, outputs = self._finished, self._outputs
        path = done.source.output(outputs.folder / "cutouts", ".tif")
        kept = (np.isin(band, outputs.foreground) for band in done.labels.bands())
        rows = cutouts(done.photo.bands(), kept, done.size, outputs.cutout_background)
        channels = 4 if outputs.cutout_background is None else 3
        geotiff.write_pixel_rows(path, geotiff.tiles_of(rows, done.size[1]), (*done.size, channels), self._place)
        return {"cutout": path}

    def write_class_masks(self) -> dict[str, Path]:
        """Write a mask, 0 or 255, of each chosen class, or of each class found; those of an earlier run go."""
        done, outputs, files = self._finished, self._outputs, {}
        for label, suffix in outputs.class_suffixes.items():
            path = done.source.output(outputs.folder / "classes", suffix.removesuffix(".png") + ".tif")
            name = outputs.labels.names[label]
            if label in outputs.foreground and (name in self.areas or outputs.classes is not None):
                bands = ((band == label).astype(np.uint8) * 255 for band in done.labels.bands())
                geotiff.write_pixel_rows(path, geotiff.tiles_of(bands, done.size[1]), done.size, self._place)
                files[f"class {name}"] = path
            else:
                path.unlink(missing_ok=True)
        return files

    def write_polygons(self) -> dict[str, Path]:
        """Write its part of COCO's polygons.json, regions joined across the parts."""
        done, outputs = self._finished, self._outputs
        path = done.source.output(outputs.folder / "polygons", ".json")
        found = ((label, bridged(area)) for label, area in self._areas(polygons.categories(outputs.labels)))
        polygons.write_part(path, str(done.source.path), done.size, found)
        return {"polygons": path}

    def write_gallery(self) -> dict[str, Path]:
        """Write its part of the gallery."""
        done, outputs = self._finished, self._outputs
        path = done.source.output(outputs.folder / "gallery", ".json")
        small = done.pictures["gallery"].picture(), self._pickers["gallery"].picked
        facts = (done.source.tree.as_posix(), done.size, self.areas, self.uncertainty)
        gallery.write_facts(path, gallery.facts(*facts, *small, outputs.labels))
        return {"gallery": path}

    def write_probabilities(self) -> dict[str, Path]:
        """Write the probabilities at their working size."""
        done, outputs = self._finished, self._outputs
        path = done.source.output(outputs.folder / "probs", ".npz")
        write_probabilities(path, self._prediction("probs").probabilities().cpu().numpy(), outputs.labels)
        return {"probs": path}

    def write_geojson(self) -> dict[str, Path]:
        """Write the polygons on the map, joined across the parts; no file where there is no place."""
        done, outputs = self._finished, self._outputs
        path = done.source.output(outputs.folder / "geojson", ".geojson")
        if geojson.refusal(done.place, outputs.geojson_crs):
            path.unlink(missing_ok=True)
            return {}
        title = done.source.input
        areas = self._areas(shapes.foreground(outputs.labels))
        geojson.write_areas(path, areas, outputs.labels, done.place, outputs.geojson_crs, title)
        return {"geojson": path}

    def write_objects(self) -> dict[str, Path]:
        """Write the table of its objects, of which the network's certainty is known at a small size."""
        done, labels = self._finished, self._outputs.labels
        (sure,) = done.samples[OBJECTS].values()
        every = measured(done.labels.bands(), done.size, shapes.foreground(labels), sure)
        found = every.of_size(self._outputs.min_area)
        if self._outputs.min_area:
            self.specks = len(every) - len(found)
        self.objects = objects.counts(found, labels)
        return objects.write_table(self._outputs, done.source, found)

    def _areas(self, classes: Iterable[int]) -> Iterator[tuple[int, Area]]:
        """The regions of classes that are large enough; the others are counted."""
        specks = 0
        for label, area in rings.areas(self._finished.labels.bands(), classes):
            if area.pixels >= self._outputs.min_area:
                yield label, area
            else:
                specks += 1
        if self._outputs.min_area:
            self.specks = specks


_WRITERS: dict[str, Callable[[Writing], dict[str, Path]]] = {
    "mask": Writing.write_mask,
    "overlay": Writing.write_overlay,
    "cutout": Writing.write_cutout,
    "classes": Writing.write_class_masks,
    "polygons": Writing.write_polygons,
    "gallery": Writing.write_gallery,
    "probs": Writing.write_probabilities,
    "geojson": Writing.write_geojson,
    "objects": Writing.write_objects,
}
"""Kind of output -> what writes it."""
