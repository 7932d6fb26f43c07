"""Labelling a folder of photos: found, planned, and only then a model is loaded, where anything is to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.crf.settings import CRFSettings
from segcli.decoding import check_options
from segcli.distributed import Processes
from segcli.errors import InputError, UsageError
from segcli.files.sources import Found, Source
from segcli.images.geo.units import GeoJsonCrs
from segcli.images.overlay_style import PLAIN, OverlayStyle
from segcli.images.reading import PhotoValues
from segcli.inference.options import ModelOptions
from segcli.labels import Byte, LabelSet
from segcli.pipeline import photo_values
from segcli.pipeline.foresight import foresee
from segcli.pipeline.giants.plan import IN_FLOATS, GiantPlan
from segcli.pipeline.kinds import DEFAULT_KINDS, FRAME_FILES, GEOJSON, OF_FILMS, MinArea, check_tidying
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.outputs import Outputs, kept_classes
from segcli.pipeline.reading import Reading
from segcli.pipeline.records import engine_of, int8_of
from segcli.pipeline.run import FolderRun, Invocation, Plan
from segcli.weights.facts import ModelFacts
from segcli.weights.reference import ModelReference

if TYPE_CHECKING:
    from segcli.pipeline.giants.giant import Giants
    from segcli.pipeline.int8 import Seen
    from segcli.pipeline.model import Model
    from segcli.pipeline.stages import Stages

DEFAULT_FOLDER = Path("segmented")
"""The output folder where none is named."""
SOME_FRAMES = 25
"""The frames between two that a form in 8 bits is compared on: a second or so."""
FRAMES_OF_A_FILM = 300
"""As many frames a film is taken to have before it is opened."""


@dataclass(frozen=True)
class Saving:
    """The choice of what is written of each photo.

    Attributes:
        kinds: Some of `kinds.KINDS`.
        classes: Names of the classes to keep; the others become background, or void. None: all.
        cutout_background: The colour of what is cut away; None leaves it transparent.
        overlay: How overlays look.
        min_area: Connected regions of fewer pixels are left out of label files, though not out of masks.
        geojson_crs: The coordinates of polygons on a map: "wgs84", or the photo's "own".
        fill_holes: Background that one region surrounds is part of it in label files and objects, though not in masks.
    """

    kinds: frozenset[str] = frozenset(DEFAULT_KINDS)
    classes: tuple[str, ...] | None = None
    cutout_background: tuple[Byte, Byte, Byte] | None = None
    overlay: OverlayStyle = PLAIN
    min_area: MinArea = 0
    geojson_crs: GeoJsonCrs = "wgs84"
    fill_holes: bool = False

    def __post_init__(self):
        check_options(self)
        check_tidying(self.min_area, self.fill_holes, self.kinds)

    def outputs(self, folder: Path, labels: LabelSet, info: dict[str, str]) -> Outputs:
        """An output folder that these are written to; UsageError where `classes` and the labels do not fit."""
        kept = kept_classes(self.classes, labels, self.kinds)
        rest = (self.overlay, kept, self.cutout_background, self.min_area, self.geojson_crs)
        return Outputs(folder, labels, self.kinds, info, *rest, fill_holes=self.fill_holes)


@dataclass(frozen=True)
class PredictJob:
    """Everything that a run of `segcli predict` is asked for.

    Attributes:
        reference: Which model; None where it is loaded already.
        options: How it is loaded and applied.
        crf: The CRF's settings; None leaves the network's outlines.
        reading: How photos are read.
        saving: What is written of each.
        folder: Where to.
        keep_engine: Other run folders whose engine this run stays with, such as that of `--from`.
    """

    reference: ModelReference | None
    options: ModelOptions = field(default_factory=ModelOptions)
    crf: CRFSettings | None = None
    reading: Reading = field(default_factory=Reading)
    saving: Saving = field(default_factory=Saving)
    folder: Path = DEFAULT_FOLDER
    keep_engine: tuple[Path, ...] = ()

    def check(self) -> None:
        """Refuse what cannot be, before anything is loaded; raises UsageError."""
        if self.reading.gsd is not None and self.options.size is not None:
            raise UsageError("--gsd and --size exclude each other", "Both say how large a photo is for the network.")
        if self.reference is None:
            return
        self.options.check(self.reference)
        if self.reference.labels is not None:
            self.saving.outputs(self.folder, self.reference.labels, {})

    def plan(self, facts: ModelFacts) -> Plan:
        """The plan of the run for a model whose facts are known, loaded or not."""
        recipe = {
            **self.options.recipe(facts),
            "crf": self.crf and self.crf.to_dict(),
            "input": self.reading.to_dict(),
        }
        outputs = self.saving.outputs(self.folder, facts.labels, facts.origin)
        return Plan(replace(outputs, read_as=photo_values.said(self.reading.photos)), recipe, self.reading.films)

    def begun_engine(self) -> str | None:
        """The engine that the output folder was begun with; a run goes on with it, so that what is done stays done."""
        engines = map(engine_of, (self.folder, *self.keep_engine))
        return next((engine for engine in engines if engine), None)

    def foreseen(self) -> ModelFacts | None:
        """The model's facts without loading the network; None where they cannot be known."""
        return foresee(self.reference, self.options, self.begun_engine(), int8_of(self.folder))

    def for_photos(self, found: Found, facts: ModelFacts, listener: Listener) -> PredictJob:
        """The same job with nothing left open of how these photos are read."""
        return replace(self, reading=self.reading.for_run(found, facts.photos, self.folder, listener))

    def readable(self, found: Found, photos: Iterable[Source] | None = None) -> Iterator[Seen]:
        """The photos that can be read, or those of `photos`, which are here, and some frames of the films."""
        from segcli.pipeline.int8 import Seen

        for source in found.photos if photos is None else photos:
            if self.giants.wants(source):
                continue  # it cannot be read whole
            with suppress(InputError, OSError):  # the run will say why
                yield Seen(source.tree.as_posix(), self.reading.read(source))
        for source in found.films:
            with suppress(InputError, OSError):
                yield from self._some_frames(source)

    def _some_frames(self, source: Source) -> Iterator[Seen]:
        """Frames of a film's part that are some way apart."""
        from segcli.pipeline.int8 import Seen

        part = replace(self.reading.films, stride=max(SOME_FRAMES, self.reading.films.stride))
        with closing(self.reading.open_film(source.path).frames(part)) as frames:
            for frame in frames:
                yield Seen(f"{source.tree.as_posix()}, {frame.seconds:.2f} s", self.reading.read(frame))

    def stages(self, model: Model, listener: Listener = SILENT) -> Stages:
        """The stages that each photo passes through."""
        from segcli.inference import oom
        from segcli.pipeline import stages

        refine = None
        if self.crf:  # which torch computes
            from segcli.crf.stage import Refinement

            refine = Refinement.by(self.crf)
        network = stages.network(model.segmenter)
        fallback = oom.on_cpu(model.segmenter, stages.network)
        giants = partial(_giants, self, model, listener)
        details = (self.reading.open_film, self.giants, giants, stages.early(model.segmenter))
        return stages.Stages(self.reading.read, network, refine, fallback, *details)

    @property
    def giants(self) -> GiantPlan:
        """How pictures that are too large for memory are done."""
        saving = self.saving
        return GiantPlan(self.options, self.reading.photos, self.crf, self.reading.gsd, saving.kinds, saving.fill_holes)


def _giants(job: PredictJob, model: Model, listener: Listener) -> Giants:
    """What does the pictures of a job that are too large for memory."""
    from segcli.pipeline.giants.giant import Giants
    from segcli.pipeline.model import under_torch

    return Giants(job.giants, partial(under_torch, model, job.reference, listener), listener)


def run(
    job: PredictJob,
    found: Found,
    *,
    model: Model | None = None,
    listener: Listener = SILENT,
    invocation: Invocation | None = None,
    processes: Processes | None = None,
    batch: int = 1,
    verify: bool = False,
    run_of: Callable[..., FolderRun] = FolderRun,
    first: Callable[[], Iterable[Source]] | None = None,
) -> FolderRun:
    """A run that labels the photos found; iterate over it to work.

    Args:
        job: What is asked for.
        found: The photos.
        model: One that is loaded already; None loads it where anything is to do.
        listener: Hears of the device, downloads and remarks.
        invocation: The inputs and options as typed, for run.toml.
        processes: Who shares the work.
        batch: Photos a step on a GPU; it never changes a mask.
        verify: Compare contents, not times, to see what is done.
        run_of: What makes the run.
        first: Gives photos that can be read now; None: those found.
    """
    _check_places(job.saving, found)
    if FRAME_FILES in job.saving.kinds and not found.films:
        raise UsageError(f"--save {FRAME_FILES}: there is no film", "Name films, or moving pictures with --films all.")
    if not (found.photos or job.saving.kinds & OF_FILMS):
        kinds = ", ".join(sorted(OF_FILMS))
        raise UsageError(f"--save names nothing that films have: {kinds}", "Add one of these.")
    options = job.giants.options_for(job.reference, found.files) if found.is_here else job.options
    if options.precision != job.options.precision:
        listener.note(IN_FLOATS)
    job = replace(job, options=options)
    ready_for = _once_a_model(job, found, listener)

    def prepare() -> tuple[Plan, Stages]:
        keep = job.begun_engine()
        details = {"photos": _passes(found), "keep_engine": keep}
        details["first"] = lambda facts: ready_for(facts).readable(found, first() if first else None)
        from segcli.pipeline.model import load_with

        ready = model or load_with(job.options, job.reference, listener, **details)
        whole = ready_for(ready.facts)
        return whole.plan(ready.facts), whole.stages(ready, listener)

    begun = any(job.folder.glob("manifest*.jsonl"))  # else nothing can be done already
    facts = model.facts if model else job.foreseen() if begun else None
    foreseen = facts and ready_for(facts).plan(facts)
    details = {"invocation": invocation, "processes": processes, "batch": batch, "verify": verify}
    return run_of(found, job.folder, prepare, foreseen=foreseen, **details)


def _check_places(saving: Saving, found: Found) -> None:
    """Refuse polygons on a map that cannot be made; raises UsageError."""
    if GEOJSON in saving.kinds or saving.geojson_crs != "wgs84":
        from segcli.pipeline import place_files

        place_files.check(saving.kinds, saving.geojson_crs, found.photos if found.is_here else ())


def _passes(found: Found) -> int:
    """About how many pictures the network will see."""
    return len(found.photos) + FRAMES_OF_A_FILM * len(found.films)


def _once_a_model(job: PredictJob, found: Found, listener: Listener) -> Callable[[ModelFacts], PredictJob]:
    """Makes `job.for_photos` of facts; photos are measured once for each kind that models were trained on."""
    known: list[tuple[PhotoValues, PredictJob]] = []

    def ready_for(facts: ModelFacts) -> PredictJob:
        for values, ready in known:
            if values == facts.photos:
                return ready
        known.append((facts.photos, job.for_photos(found, facts, listener)))
        return known[-1][1]

    return ready_for
