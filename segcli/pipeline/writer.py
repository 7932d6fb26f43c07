"""Outputs: what a run writes for each photo, and where."""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from segcli.crf.settings import WORKING_SIZE
from segcli.errors import InputError, UsageError
from segcli.files.atomic import hashing, sha256, write_whole
from segcli.files.sources import Source
from segcli.images import gallery
from segcli.images.cutout import Colour, cutout, write_cutout
from segcli.images.geo import geojson
from segcli.images.geo.geojson import GeoJsonCrs
from segcli.images.geo.ground import pixel_area
from segcli.images.geo.place import Place
from segcli.images.overlay import OVERLAY_SIZE, areas, overlay, write_overlay
from segcli.images.probabilities import write_probabilities
from segcli.labels import BACKGROUND, VOID, LabelSet
from segcli.pipeline import label_files, objects, place_files

if TYPE_CHECKING:
    from segcli.images.objects import Objects
    from segcli.inference.prediction import Prediction

OWN_ERRORS = (None, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
"""The errno of an OSError that one photo's outputs alone meet; Pillow's own errors have none."""


@dataclass(frozen=True)
class Labelled:
    """A photo with its final label map, ready to be written.

    Attributes:
        source: Where the photo came from; its tree names the outputs.
        photo: uint8 (H, W, 3).
        prediction: What the network, or the CRF, made of the photo.
        label_map: uint8 or uint16 (H, W), of the chosen classes only.
        areas: Class name -> pixels, for the classes that were found.
        uncertainty: How unsure the network was, 0..1.
        drawn: The label map that label files hold: without specks.
        corrected: Kinds of label files that a person has corrected already; they stay as they are.
        objects: The objects of `drawn`, where a table of them is asked for.
        place: Where on earth the photo lies; None where that is not known.
    """

    source: Source
    photo: np.ndarray
    prediction: Prediction
    label_map: np.ndarray
    areas: dict[str, int]
    uncertainty: float
    drawn: np.ndarray
    corrected: frozenset[str] = frozenset()
    place: Place | None = None
    objects: Objects | None = None


@dataclass(frozen=True)
class Written:
    """The files of one photo, and the facts that its record keeps.

    Attributes:
        files: Kind -> {"path": relative to the output folder, "bytes": size, "sha256": of the content}.
        areas: Class name -> pixels, for the classes that were found.
        uncertainty: How unsure the network was, 0..1; None for a photo without any data.
        specks: Regions left out of the label files for being small; None where none was looked for.
        notes: What the user should know, a sentence each.
        pixel_area: The square metres of ground that a pixel shows; None where that is not known.
        objects: Class name -> objects of it; None where they were not asked for.
    """

    files: dict[str, dict] = field(default_factory=dict)
    areas: dict[str, int] = field(default_factory=dict)
    uncertainty: float | None = None
    specks: int | None = None
    notes: tuple[str, ...] = ()
    pixel_area: float | None = None
    objects: dict[str, int] | None = None


@dataclass(frozen=True)
class Outputs:
    """An output folder and what goes into it.

    Attributes:
        folder: The output folder.
        labels: The model's classes.
        kinds: What is written, a choice of the keys of `WRITERS`.
        info: Text that every mask carries, such as the model's name.
        overlay_size: Longest side of an overlay in pixels.
        classes: The ids to keep; every other becomes background, or void where no class is called that. None: all.
        cutout_background: The colour of what is cut away; None leaves it transparent.
        min_area: Connected regions of fewer pixels are left out of label files and objects, though not out of masks.
        geojson_crs: The coordinates of polygons on a map.
        read_as: Text about how photos were read, which masks that are GeoTIFFs carry.
        fill_holes: Background that one region surrounds is part of it in label files and objects, though not in masks.

    Raises:
        UsageError: There is no background that could be a hole.
    """

    folder: Path
    labels: LabelSet
    kinds: frozenset[str]
    info: Mapping[str, str]
    overlay_size: int = OVERLAY_SIZE
    classes: frozenset[int] | None = None
    cutout_background: Colour | None = None
    min_area: int = 0
    geojson_crs: GeoJsonCrs = "wgs84"
    read_as: Mapping[str, str] = field(default_factory=dict)
    fill_holes: bool = False

    def __post_init__(self):
        if self.fill_holes and self.classes is None and BACKGROUND not in self.labels.names:
            message = f"--fill-holes: {self.labels.name} has no background, of which holes consist"
            raise UsageError(message, "Name what to keep with --classes: all else is background then.")

    def to_dict(self) -> dict:
        """The choices that decide what is written, as TOML-plain values or None; part of a run's fingerprint."""
        return {
            "save": sorted(self.kinds),
            "overlay_size": self.overlay_size,
            "classes": None if self.classes is None else sorted(self.classes),
            "cutout_background": self.cutout_background,
            "min_area": self.min_area or None,
            "fill_holes": self.fill_holes or None,
            "geojson_crs": None if self.geojson_crs == "wgs84" else self.geojson_crs,
        }

    def write(self, source: Source, photo: np.ndarray, prediction: Prediction, place: Place | None = None) -> Written:
        """Write everything for one photo, each file whole or not at all.

        Args:
            source: Where the photo came from; its tree names the outputs.
            photo: uint8 (H, W, 3).
            prediction: What the network, or the CRF, made of that photo.
            place: Where on earth the photo lies; None where that is not known.

        Raises:
            InputError: A format cannot hold this picture, or the disk not its name.
            OSError: The folder cannot be written to.
        """
        labelled, specks = self._labelled(source, photo, prediction, place)
        files = {}
        with hashing() as hashes:
            for kind, write in WRITERS.items():
                if kind in self.kinds:
                    with _own_errors_apart(kind):
                        files |= write(self, labelled)
        facts = {kind: self.facts(path, hashes.get(path)) for kind, path in files.items()}
        notes = [f"Its {kind} labels stay as a person corrected them." for kind in sorted(labelled.corrected)]
        notes = (*notes, *place_files.notes(self, place))
        counts = None if labelled.objects is None else objects.counts(labelled.objects, self.labels)
        unsure = None if prediction.valid is not None and not prediction.valid.any() else labelled.uncertainty
        return Written(facts, labelled.areas, unsure, specks, notes, pixel_area(place), counts)

    def facts(self, path: Path, digest: str | None = None) -> dict:
        """What a record keeps of a file of the output folder."""
        place = path.relative_to(self.folder).as_posix()
        return {"path": place, "bytes": path.stat().st_size, "sha256": digest or sha256(path)}

    def _labelled(
        self, source: Source, photo: np.ndarray, prediction: Prediction, place: Place | None
    ) -> tuple[Labelled, int | None]:
        """The photo, ready to be written, and the number of its specks."""
        from segcli.inference.uncertainty import uncertainty

        label_map = self.label_map(prediction)
        drawn, specks = self._drawn(label_map, prediction)
        found = objects.found(drawn, self.labels, prediction) if label_files.OBJECTS in self.kinds else None
        areas, unsure = class_areas(label_map, self.labels), uncertainty(prediction)
        corrected = label_files.corrected(self.folder, source, self.kinds)
        return Labelled(source, photo, prediction, label_map, areas, unsure, drawn, corrected, place, found), specks

    def objects_of(self, prediction: Prediction) -> Objects:
        """The objects of a photo, as they would be written."""
        return objects.found(self._drawn(self.label_map(prediction), prediction)[0], self.labels, prediction)

    def label_map(self, prediction: Prediction) -> np.ndarray:
        """The final label map, of the chosen classes only."""
        label_map = prediction.labels()
        return label_map if self.classes is None else self.kept.take(label_map)

    def _drawn(self, label_map: np.ndarray, prediction: Prediction) -> tuple[np.ndarray, int | None]:
        """The label map of label files and objects, and the number of specks that it is without."""
        return objects.drawn(label_map, prediction.valid, self.labels, self._other, self.min_area, self.fill_holes)

    @cached_property
    def kept(self) -> np.ndarray:
        """A table from the network's ids to those that are written."""
        table = np.full(65536, self._other, np.uint16 if len(self.labels) > VOID else np.uint8)
        for label in self.classes or ():
            table[label] = label
        return table

    @property
    def _other(self) -> int:
        """The id of a pixel that has none of the chosen classes: background, or void where there is none."""
        if BACKGROUND in self.labels.names:
            return self.labels.names.index(BACKGROUND)
        return 65535 if len(self.labels) > VOID else VOID

    @cached_property
    def foreground(self) -> list[int]:
        """The ids of what is cut out and masked: the chosen classes, or all but background."""
        return sorted(self.classes or {i for i, name in enumerate(self.labels.names) if name != BACKGROUND})

    @cached_property
    def class_suffixes(self) -> dict[int, str]:
        """The ending of each class's mask: ".person.png"; with the id where two would be called alike."""
        words = [re.sub(r"[^\w-]+", "-", name).encode()[:40].decode(errors="ignore") for name in self.labels.names]
        alike = [word.casefold() for word in words]
        return {
            label: f".{word}.png" if word and alike.count(alike[label]) == 1 else f".{word}-{label}.png"
            for label, word in enumerate(words)
        }


@contextmanager
def _own_errors_apart(kind: str) -> Iterator[None]:
    """Within it, an error that is one photo's alone becomes an InputError; a full disk would fail every photo."""
    try:
        yield
    except OSError as error:
        if error.errno not in OWN_ERRORS:
            raise
        raise InputError(f"its {kind} cannot be written: {error.strerror or error}") from error
    except (ValueError, OverflowError, struct.error) as error:  # encoders', for what their format cannot hold
        raise InputError(f"its {kind} cannot be written: {error}") from error


def class_areas(label_map: np.ndarray, labels: LabelSet) -> dict[str, int]:
    """Pixels by class name of a label map (H, W), for the classes that occur in it, in the order of their ids."""
    pixels, _ = areas(label_map, len(labels))
    return {labels.names[index]: int(pixels[index]) for index in np.flatnonzero(pixels)}


def kept_classes(names: Iterable[str] | None, labels: LabelSet, kinds: frozenset[str]) -> frozenset[int] | None:
    """The ids of the classes to keep, by their names; None for all.

    Raises:
        UsageError: There is no such class, or cutouts are wanted and nothing says what to keep.
    """
    if names is not None:
        return frozenset(map(labels.names.index, one_of("--classes", names, labels.names)))
    if "cutout" in kinds and BACKGROUND not in labels.names:
        raise UsageError(
            f"--save cutout: {labels.name} has no background to cut away", "Name what to keep with --classes."
        )
    return None


def names_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names as a tuple; one text is one name, not its letters."""
    return (names,) if isinstance(names, str) else tuple(names)


def one_of(option: str, words: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """The words as a set; UsageError where one is not known, or there is none."""
    chosen, known = frozenset(words), tuple(known)
    if not chosen:
        raise UsageError(f"{option} names nothing", f"Choose among {', '.join(known)}.")
    if strange := sorted(chosen - set(known)):
        raise UsageError(f"{option} {strange[0]}: not known", f"Choose among {', '.join(known)}.")
    return chosen


def _write_overlay(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    path = labelled.source.output(outputs.folder / "overlays", ".jpg")
    write_overlay(path, overlay(labelled.photo, labelled.label_map, outputs.labels, size=outputs.overlay_size))
    return {"overlay": path}


def _write_cutout(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    path = labelled.source.output(outputs.folder / "cutouts", ".png")
    kept = np.isin(labelled.label_map, outputs.foreground)
    write_cutout(path, cutout(labelled.photo, kept, outputs.cutout_background))
    return {"cutout": path}


def _write_class_masks(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """A mask, 0 or 255, of each chosen class, or of each class found; those of an earlier run that are none go."""
    files = {}
    for label, suffix in outputs.class_suffixes.items():
        path = labelled.source.output(outputs.folder / "classes", suffix)
        name = outputs.labels.names[label]
        if label in outputs.foreground and (name in labelled.areas or outputs.classes is not None):
            with write_whole(path) as file:
                Image.fromarray((labelled.label_map == label).astype(np.uint8) * 255).save(file, "PNG")
            files[f"class {name}"] = path
        else:
            path.unlink(missing_ok=True)
    return files


def _write_gallery(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    path = labelled.source.output(outputs.folder / "gallery", ".json")
    name = labelled.source.tree.as_posix()
    entry = gallery.Entry(name, labelled.photo, labelled.label_map, labelled.areas, labelled.uncertainty)
    gallery.write_entry(path, entry, outputs.labels)
    return {"gallery": path}


def _write_probabilities(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    from segcli.inference.transform import fit

    path = labelled.source.output(outputs.folder / "probs", ".npz")
    size = fit(labelled.photo.shape[:2], WORKING_SIZE)
    write_probabilities(path, labelled.prediction.probabilities(size).cpu().numpy(), outputs.labels)
    return {"probs": path}


Writer = Callable[[Outputs, Labelled], dict[str, Path]]

WRITERS: dict[str, Writer] = {
    "mask": place_files.write_mask,
    "overlay": _write_overlay,
    "cutout": _write_cutout,
    "classes": _write_class_masks,
    **label_files.WRITERS,
    label_files.GEOJSON: place_files.write_geojson,
    label_files.OBJECTS: objects.write_objects,
    "gallery": _write_gallery,
    "probs": _write_probabilities,
}
"""Kind of output -> what writes it for one photo and returns its files, by the names that records keep."""

Merger = Callable[[Path, Iterable[Path], LabelSet], None]

MERGERS: dict[str, tuple[str, Merger]] = {
    **label_files.MERGERS,
    label_files.OBJECTS: ("objects.csv", objects.merge),
    label_files.GEOJSON: ("polygons.geojson", geojson.merge),
    "gallery": ("gallery.html", gallery.merge),
}
"""Kind of output -> the file for the whole run, and what makes it from the photos' parts."""
