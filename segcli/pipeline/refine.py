"""Refining with the fully connected CRF what a network or a person said: one photo, or a folder of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segcli.crf.settings import CRF, CRFSettings
from segcli.data import names
from segcli.data.names import Classes
from segcli.data.reading import Choice
from segcli.errors import InputError, UsageError
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.files.sources import Found, Source
from segcli.images.geo.units import GeoJsonCrs
from segcli.images.headers import may_be_deep
from segcli.images.probabilities import classes_of
from segcli.images.reading import PLAIN, PhotoReading
from segcli.labels import LabelSet, from_names
from segcli.pipeline import photo_values, place_files
from segcli.pipeline.kinds import GEOJSON, LABEL_FILES, OBJECTS, check_tidying
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.model import Photo, as_photo
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.records import RUN_FILE
from segcli.pipeline.result import Result
from segcli.pipeline.run import FolderRun, Invocation, Plan

if TYPE_CHECKING:
    from segcli.data.photo_labels import PhotoLabels
    from segcli.pipeline.stages import Stages

DEFAULT_FOLDER = Path("refined")
"""The output folder where none is named."""
DEFAULT_GT_PROB = 0.7
"""The trust in rough labels unless told otherwise, as in the CRF's public examples."""
KINDS = ("mask", "overlay", *LABEL_FILES, GEOJSON, OBJECTS, "probs")
"""The kinds of files that can be written of each refined photo."""


@dataclass(frozen=True)
class Unrefined:
    """The opinions of a network or a person about photos: one of two folders, whose files are matched by name.

    Attributes:
        probs: The output folder of `predict --save probs`.
        labels: A folder of rough labels in any form, or one file of them.
        named: The labels' classes, where they do not say.
        reading: How labels are read that could be read in two ways.
        gt_prob: How far rough labels are trusted, between 0 and 1.

    Raises:
        UsageError: Neither folder is given, or both, or one is no folder; or gt_prob is out of range.
    """

    probs: Path | None = None
    labels: Path | None = None
    named: Classes | None = None
    gt_prob: float = DEFAULT_GT_PROB
    reading: Choice = field(default_factory=Choice)
    _opened: dict[tuple[Path, ...], PhotoLabels] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self):
        if (self.probs is None) == (self.labels is None):
            raise UsageError("give either --probs or --labels", "--probs takes what `predict --save probs` wrote.")
        if self.named and self.probs:
            raise UsageError("--names goes with --labels", "Files of probabilities say which classes they have.")
        if not 0 < self.gt_prob < 1:
            raise UsageError(f"--gt-prob must lie between 0 and 1, not {self.gt_prob:g}", "0.7 is usual.")
        require_folder("--probs", self.probs)
        if self.labels is not None and not self.labels.is_file():
            require_folder("--labels", self.labels)

    def beside(self, found: Found) -> Found:
        """The photos, each with the file that is refined where it has one."""
        files = self._saved(found) if self.probs else self._drawn(found)
        return replace(found, files=tuple(replace(source, beside=files.get(source)) for source in found.files))

    def classes(self, found: Found) -> LabelSet:
        """The classes of what is refined.

        Raises:
            UsageError: The label maps do not say, and nobody named them.
            InputError: No file of probabilities can be read.
        """
        files = [source.beside for source in found.files if source.beside is not None]
        if self.probs:
            return classes_of(files)
        return self.drawn(found).data.labels

    def drawn(self, found: Found) -> PhotoLabels:
        """The photos' rough labels; every file is looked at once.

        Raises:
            DatasetError: There are none, or they cannot be read truly.
        """
        from segcli.data.photo_labels import open_labels

        photos = tuple(source.path for source in found.files)
        if photos not in self._opened:
            # What a network said is welcome here: it is refined, and nothing learns from it.
            choice = replace(self.reading, with_predictions=True)
            self._opened[photos] = open_labels(photos, self.labels, self.named, choice)
        return self._opened[photos]

    def to_dict(self, found: Found) -> dict:
        """Their origin, as TOML-plain values; how labels are read, where that is not plain."""
        if self.probs:
            return {"probs": str(self.probs)}
        reading = self.drawn(found).data.reading
        taken = {} if reading.is_plain else {"read_as": reading.as_, "void": list(reading.void)}
        return {"labels": str(self.labels), "gt_prob": self.gt_prob, **taken}

    def _saved(self, found: Found) -> dict[Source, Path]:
        """Each photo's file of probabilities, where it has one."""
        root = self.probs / "probs" if (self.probs / "probs").is_dir() else self.probs
        paths = {source: source.output(root, ".npz") for source in found.files}
        paths = {source: path for source, path in paths.items() if path.is_file()}
        if not paths:
            raise UsageError(
                f"{shown(root)} has no probabilities of these photos",
                "Name the same photos or folder as for `segcli predict --save probs`.",
            )
        return paths

    def _drawn(self, found: Found) -> dict[Source, Path]:
        """Each photo's rough label map, where it has one."""
        labels = self.drawn(found)
        paths = {source: labels.file(source.path) for source in found.files}
        paths = {source: path for source, path in paths.items() if path is not None}
        if not paths:
            message = f"{shown(self.labels)} has no labels of these photos"
            raise UsageError(message, "They are matched by name.")
        return paths


def require_folder(option: str, path: Path | None) -> None:
    """UsageError where a folder is named that is none."""
    if path is not None and not path.is_dir():
        raise UsageError(f"{option} {shown(path)} is no folder", "Files are matched with the photos by name.")


@dataclass(frozen=True)
class RefineJob:
    """Everything that a run of `segcli crf` is asked for.

    Attributes:
        unrefined: What is refined.
        found: The photos, each with its file beside it.
        crf: The CRF's settings.
        device: Where the CRF runs: "auto", "cpu", "cuda", "cuda:N" or "mps".
        kinds: A choice of KINDS.
        folder: Where to.
        min_area: Connected regions of fewer pixels are left out of label files and objects, though not out of masks.
        photos: How photos are read.
        geojson_crs: The coordinates of polygons on a map: "wgs84", or the photo's "own".
        fill_holes: Background that one region surrounds is part of it in label files and objects, though not in masks.
    """

    unrefined: Unrefined
    found: Found
    crf: CRFSettings = field(default_factory=CRFSettings)
    device: str = "auto"
    kinds: frozenset[str] = frozenset({"mask", "overlay"})
    folder: Path = DEFAULT_FOLDER
    min_area: int = 0
    photos: PhotoReading = PLAIN
    geojson_crs: GeoJsonCrs = "wgs84"
    fill_holes: bool = False

    def __post_init__(self):
        check_tidying(self.min_area, self.fill_holes, self.kinds)

    @cached_property
    def classes(self) -> LabelSet:
        """The classes of what is refined."""
        return self.unrefined.classes(self.found)

    def for_photos(self, listener: Listener) -> RefineJob:
        """The same job with nothing left open of how the photos are read: as the network that is refined read them."""
        probs = self.unrefined.probs
        output = probs.parent if probs and not (probs / RUN_FILE).is_file() else probs  # it may be its folder `probs`
        before = (photo_values.begun_with(output) if output else None) or {}
        if not any(may_be_deep(one.path) for one in self.found.files):  # a range says nothing, and none is kept
            before = {key: value for key, value in before.items() if key in ("bands", "alpha")}
        reading, pages = photo_values.as_before(self.photos, before), [(one.path, one.page) for one in self.found.files]
        earlier = photo_values.begun_with(self.folder)
        return replace(self, photos=photo_values.resolved(reading, pages, earlier=earlier, listener=listener))

    @cached_property
    def plan(self) -> Plan:
        """The plan of the run."""
        settings = self.crf.to_dict()
        info = {"crf": to_json(settings)}
        outputs = Outputs(self.folder, self.classes, self.kinds, info, **self._of_regions)
        prior = self.unrefined.to_dict(self.found)
        photos = {key: value for key, value in photo_values.to_dict(self.photos).items() if value is not None}
        recipe = {"crf": settings, "prior": prior, "classes": self.classes.to_dict(), "input": photos or None}
        return Plan(outputs, recipe)

    @property
    def _of_regions(self) -> dict:
        """What concerns label files, objects, and photos that have a place on earth."""
        tidying = {"min_area": self.min_area, "fill_holes": self.fill_holes}
        return {**tidying, "geojson_crs": self.geojson_crs, "read_as": photo_values.said(self.photos)}

    def stages(self, listener: Listener) -> Stages:
        """The stages that each photo passes through; torch is imported here."""
        from segcli import devices
        from segcli.crf import unary
        from segcli.crf.stage import Refinement
        from segcli.pipeline.stages import Stages

        place = devices.choose(self.device)
        listener.note(f"device {devices.describe(place)}")
        drawn = self.unrefined.drawn(self.found) if self.unrefined.labels else None
        if drawn is not None:
            drawn.data.reading.tell(listener.note, listener.warn)
        read = unary.reader(self.classes, self.crf.size, drawn, self.unrefined.gt_prob, self.photos)
        return Stages(read, lambda group: [one.prediction.to(place) for one in group], Refinement.by(self.crf))


def run(job: RefineJob, *, listener: Listener = SILENT, invocation: Invocation | None = None) -> FolderRun:
    """A run that refines photos; iterate over it to work."""
    place_files.check(job.kinds, job.geojson_crs, job.found.files)
    job = job.for_photos(listener)
    return FolderRun(
        job.found, job.folder, lambda: (job.plan, job.stages(listener)), foreseen=job.plan, invocation=invocation
    )


def refine(
    photo: Photo,
    said: np.ndarray,
    *,
    classes: LabelSet | str | Sequence[str] | None = None,
    crf: CRF = True,
    gt_prob: float = DEFAULT_GT_PROB,
    device: str = "auto",
) -> Result:
    """Sharpen what a network or a person said about one photo, with the fully connected CRF (v2 paper, section 3.3).

    Args:
        photo: A file, a Pillow image, or uint8 (H, W, 3) red-green-blue.
        said: Probabilities, float (K, h, w) in 0..1 of any size, or a rough label map, integers (H, W) in 0..K-1 with
            255 for "no opinion".
        classes: The classes' names, a label set or its name; needed for a label map, else numbers stand for names.
        crf: True or settings.
        gt_prob: How far a rough label map is trusted, between 0 and 1.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        InputError: The photo or what was said cannot be used.
        UsageError: The classes of a label map are not named, or gt_prob is out of range.
    """
    import torch

    from segcli import devices
    from segcli.crf.dense_crf import unary_from_labels
    from segcli.inference.prediction import from_probabilities

    read, path = as_photo(photo)
    known = _classes(said, classes)
    array = np.asarray(said)
    if array.dtype.kind == "f" and array.ndim != 3:
        raise InputError(f"probabilities have the shape (classes, height, width), not {array.shape}")
    if array.dtype.kind == "f":
        unary = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    elif array.shape == read.rgb.shape[:2]:
        unary = unary_from_labels(array.astype(np.int32), len(known), gt_prob)
    else:
        raise InputError(f"the label map has the shape {array.shape}, the photo {read.rgb.shape[:2]}")
    prediction = from_probabilities(unary, read.rgb.shape[:2]).to(devices.choose(device))
    prediction = replace(prediction, valid=read.valid)
    settings = CRFSettings.of(crf)
    info = {"crf": to_json(settings.to_dict())} if settings else {}
    return Result(read.rgb, known, prediction, path, read.notes, info, read.place).refine(settings)


def _classes(said: np.ndarray, classes: LabelSet | str | Sequence[str] | None) -> LabelSet:
    """The label set, which must have a class for each channel."""
    array = np.asarray(said)
    channels = len(array) if array.dtype.kind == "f" and array.ndim == 3 else None
    if classes is None:
        if channels is None:
            raise UsageError("the label map does not say which classes it has", "Name them with classes=[...].")
        return from_names([str(index) for index in range(channels)], "numbered")
    known = names.parse(classes).labels
    if channels not in (None, len(known)):
        raise InputError(f"the probabilities have {channels} channels, but {len(known)} classes are named")
    return known
