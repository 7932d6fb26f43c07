"""Writer: the files of one photo, each written whole or not at all.

What only some kinds take is imported when these are written: masks and overlays are all that most runs want.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from segcli.crf.settings import WORKING_SIZE
from segcli.errors import InputError
from segcli.files.atomic import hashing, write_whole
from segcli.files.sources import Source
from segcli.images.geo.ground import pixel_area
from segcli.images.geo.place import Place
from segcli.images.masks import areas
from segcli.images.overlay import overlay, write_overlay
from segcli.labels import LabelSet
from segcli.pipeline import place_files
from segcli.pipeline.kinds import GEOJSON, LABEL_FILES, OBJECTS
from segcli.pipeline.outputs import Outputs

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


def write(
    outputs: Outputs, source: Source, photo: np.ndarray, prediction: Prediction, place: Place | None = None
) -> Written:
    """Write everything for one photo; see `Outputs.write`."""
    labelled, specks = _labelled(outputs, source, photo, prediction, place)
    files = {}
    with hashing() as hashes:
        for kind, write_kind in WRITERS.items():
            if kind in outputs.kinds:
                with _own_errors_apart(kind):
                    files |= write_kind(outputs, labelled)
    facts = {kind: outputs.facts(path, hashes.get(path)) for kind, path in files.items()}
    notes = [f"Its {kind} labels stay as a person corrected them." for kind in sorted(labelled.corrected)]
    notes = (*notes, *outputs.notes(labelled.areas), *place_files.notes(outputs, place))
    counts = None if labelled.objects is None else _counts(labelled.objects, outputs.labels)
    unsure = None if prediction.valid is not None and not prediction.valid.any() else labelled.uncertainty
    return Written(facts, labelled.areas, unsure, specks, notes, pixel_area(place), counts)


def objects_of(outputs: Outputs, prediction: Prediction) -> Objects:
    """The objects of a photo, as they would be written."""
    return _objects(outputs, _drawn(outputs, outputs.label_map(prediction), prediction)[0], prediction)


def _objects(outputs: Outputs, drawn: np.ndarray, prediction: Prediction) -> Objects:
    from segcli.pipeline import objects

    return objects.found(drawn, outputs.labels, prediction)


def _counts(found: Objects, labels: LabelSet) -> dict[str, int]:
    from segcli.pipeline import objects

    return objects.counts(found, labels)


def _labelled(
    outputs: Outputs, source: Source, photo: np.ndarray, prediction: Prediction, place: Place | None
) -> tuple[Labelled, int | None]:
    """The photo, ready to be written, and the number of its specks."""
    from segcli.inference.uncertainty import uncertainty

    label_map = outputs.label_map(prediction)
    drawn, specks = _drawn(outputs, label_map, prediction)
    found = _objects(outputs, drawn, prediction) if OBJECTS in outputs.kinds else None
    areas, unsure = class_areas(label_map, outputs.labels), uncertainty(prediction)
    corrected = _corrected(outputs, source)
    return Labelled(source, photo, prediction, label_map, areas, unsure, drawn, corrected, place, found), specks


def _drawn(outputs: Outputs, label_map: np.ndarray, prediction: Prediction) -> tuple[np.ndarray, int | None]:
    """The label map of label files and objects, and the number of specks that it is without."""
    if not (outputs.min_area or outputs.fill_holes):
        return label_map, None
    from segcli.pipeline import objects

    tidying = (outputs.other, outputs.min_area, outputs.fill_holes)
    return objects.drawn(label_map, prediction.valid, outputs.labels, *tidying)


def _corrected(outputs: Outputs, source: Source) -> frozenset[str]:
    """The kinds of label files that a person has corrected already."""
    if outputs.kinds.isdisjoint(LABEL_FILES):
        return frozenset()
    from segcli.pipeline import label_files

    return label_files.corrected(outputs.folder, source, outputs.kinds)


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


def _write_overlay(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    path = labelled.source.output(outputs.folder / "overlays", ".jpg")
    write_overlay(path, overlay(labelled.photo, labelled.label_map, outputs.labels, outputs.overlay))
    return {"overlay": path}


def _write_cutout(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    from segcli.images.cutout import cutout, write_cutout

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
    from segcli.images import gallery

    path = labelled.source.output(outputs.folder / "gallery", ".json")
    name = labelled.source.tree.as_posix()
    entry = gallery.Entry(name, labelled.photo, labelled.label_map, labelled.areas, labelled.uncertainty)
    gallery.write_entry(path, entry, outputs.labels)
    return {"gallery": path}


def _write_probabilities(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    from segcli.images.probabilities import write_probabilities
    from segcli.inference.transform import fit

    path = labelled.source.output(outputs.folder / "probs", ".npz")
    size = fit(labelled.photo.shape[:2], WORKING_SIZE)
    write_probabilities(path, labelled.prediction.probabilities(size).cpu().numpy(), outputs.labels)
    return {"probs": path}


def _write_objects(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    from segcli.pipeline import objects

    return objects.write_objects(outputs, labelled)


def _write_label_file(outputs: Outputs, labelled: Labelled, kind: str) -> dict[str, Path]:
    from segcli.pipeline import label_files

    return label_files.WRITERS[kind](outputs, labelled)


Writer = Callable[[Outputs, Labelled], dict[str, Path]]

WRITERS: dict[str, Writer] = {
    "mask": place_files.write_mask,
    "overlay": _write_overlay,
    "cutout": _write_cutout,
    "classes": _write_class_masks,
    **{kind: partial(_write_label_file, kind=kind) for kind in LABEL_FILES},
    GEOJSON: place_files.write_geojson,
    OBJECTS: _write_objects,
    "gallery": _write_gallery,
    "probs": _write_probabilities,
}
"""Kind of output -> what writes it for one photo and returns its files, by the names that records keep."""
