"""Job: what is asked of a run of `segcli predict`, and the same with nothing left open, for any process to work on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.crf.settings import CRFSettings
from segcli.decoding import check_options
from segcli.errors import InputError, UsageError
from segcli.files.sources import Found, Source
from segcli.images.geo.units import GeoJsonCrs
from segcli.images.overlay_style import PLAIN, OverlayStyle
from segcli.inference.options import ModelOptions
from segcli.labels import Byte, LabelSet
from segcli.pipeline import photo_values
from segcli.pipeline.foresight import foresee
from segcli.pipeline.giants.plan import GiantPlan
from segcli.pipeline.kinds import DEFAULT_KINDS, MinArea, check_tidying
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.outputs import Outputs, kept_classes
from segcli.pipeline.progress import Watch, unwatched
from segcli.pipeline.reading import Reading
from segcli.pipeline.records import Record, engine_of, int8_of
from segcli.pipeline.run import Plan
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
            raise UsageError(
                "--gsd and --size cannot be used together", "Both say how large a photo is for the network."
            )
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


@dataclass(frozen=True)
class Job:
    """A run with nothing left open, which any process can work on: it pickles, and holds no network.

    Attributes:
        asked: What is asked for, with how photos are read.
        plan: What decides the outputs.
        engine: What runs the network, "torch" or "onnx".
        weights: The sha256 of its weights; None where that is not known.
        batch: Photos a step on a GPU; it never changes a mask.
    """

    asked: PredictJob
    plan: Plan
    engine: str
    weights: str | None = None
    batch: int = 1

    @classmethod
    def of(cls, asked: PredictJob, facts: ModelFacts, batch: int = 1) -> Job:
        """The job of a model whose facts are known."""
        return cls(asked, asked.plan(facts), facts.engine, facts.provenance.get("sha256"), batch)

    def stages(self, model: Model, listener: Listener = SILENT) -> Stages:
        """The stages that each photo passes through."""
        return self.asked.stages(model, listener)

    def run(
        self, sources: Iterable[Source], stages: Stages, ledger: Ledger, watch: Watch = unwatched
    ) -> Iterator[Record]:
        """Do photos in their order, a record each, which the ledger takes once the photo's files are on the disk."""
        return self.plan.work(sources, stages, ledger, self.batch, watch)
