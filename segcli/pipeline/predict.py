"""Labelling a folder of photos: found, planned, and only then a model is loaded, where anything is to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from segcli.distributed import Processes
from segcli.errors import UsageError
from segcli.files.sources import Found, Source
from segcli.images.reading import PhotoValues
from segcli.pipeline.giants.plan import IN_FLOATS
from segcli.pipeline.job import Job, PredictJob, Saving
from segcli.pipeline.kinds import FRAME_FILES, GEOJSON, OF_FILMS
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.run import FolderRun, Invocation, Plan
from segcli.weights.facts import ModelFacts

if TYPE_CHECKING:
    from segcli.pipeline.model import Model
    from segcli.pipeline.stages import Stages

FRAMES_OF_A_FILM = 300
"""As many frames a film is taken to have before it is opened."""


@dataclass
class Preparation:
    """What makes the job of a run ready, once there is anything to do.

    Attributes:
        asked: What is asked for.
        found: The photos.
        listener: Hears of the device, downloads and remarks.
        batch: Photos a step on a GPU.
        first: Gives photos that can be read now; None: those found.
        dry: Convert nothing: the run is only foretold.
        foreseen: The model's facts as far as they are known without loading it.
    """

    asked: PredictJob
    found: Found
    listener: Listener = SILENT
    batch: int = 1
    first: Callable[[], Iterable[Source]] | None = None
    dry: bool = False
    foreseen: ModelFacts | None = None
    _known: list[tuple[PhotoValues, PredictJob]] = field(default_factory=list)

    @property
    def passes(self) -> int:
        """About how many pictures the network will see."""
        return len(self.found.photos) + FRAMES_OF_A_FILM * len(self.found.films)

    def asked_of(self, facts: ModelFacts) -> PredictJob:
        """What is asked for with nothing left open of how photos are read.

        They are measured once for each kind that models were trained on.
        """
        for values, ready in self._known:
            if values == facts.photos:
                return ready
        self._known.append((facts.photos, self.asked.for_photos(self.found, facts, self.listener)))
        return self._known[-1][1]

    def here(self, model: Model | None = None) -> tuple[Plan, Stages]:
        """The plan and the stages of a run in this process, by a model that is loaded unless one is given."""
        from segcli.pipeline.model import load_with

        details: dict[str, Any] = {"photos": self.passes, "keep_engine": self.asked.begun_engine(), "dry": self.dry}
        first = self.first

        def readable(facts: ModelFacts) -> Iterable:
            return self.asked_of(facts).readable(self.found, first() if first else None)

        asked = self.asked
        ready = model or load_with(asked.options, asked.reference, self.listener, first=readable, **details)
        facts = (self.foreseen if self.dry else None) or ready.facts  # a dry run may do without what a run converts
        job = Job.of(self.asked_of(facts), facts, self.batch)
        return job.plan, job.stages(ready, self.listener)


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
    prepared: Callable[[Preparation], Any] | None = None,
    dry: bool = False,
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
        prepared: Gives what `run_of` takes to prepare the run, where the network runs elsewhere.
        dry: The run is only foretold: nothing is converted.
    """
    _check_places(job.saving, found)
    for remark in found.remarks:
        listener.note(remark)
    if FRAME_FILES in job.saving.kinds and not found.films:
        raise UsageError(f"--save {FRAME_FILES}: there is no film", "Name films, or moving pictures with --films all.")
    if not (found.photos or job.saving.kinds & OF_FILMS):
        kinds = ", ".join(sorted(OF_FILMS))
        raise UsageError(f"--save names nothing that films have: {kinds}", "Add one of these.")
    options = job.giants.options_for(job.reference, found.files) if found.is_here else job.options
    if options.precision != job.options.precision:
        listener.note(IN_FLOATS)
    job = replace(job, options=options)
    preparation = Preparation(job, found, listener, batch, first, dry)
    begun = any(job.folder.glob("manifest*.jsonl"))  # else nothing can be done already
    facts = preparation.foreseen = model.facts if model else job.foreseen() if begun else None
    foreseen = facts and preparation.asked_of(facts).plan(facts)
    prepare = partial(prepared, preparation) if prepared else partial(preparation.here, model)
    details = {"invocation": invocation, "processes": processes, "batch": batch, "verify": verify}
    return run_of(found, job.folder, prepare, foreseen=foreseen, **details)


def _check_places(saving: Saving, found: Found) -> None:
    """Refuse polygons on a map that cannot be made; raises UsageError."""
    if GEOJSON in saving.kinds or saving.geojson_crs != "wgs84":
        from segcli.pipeline import place_files

        place_files.check(saving.kinds, saving.geojson_crs, found.photos if found.is_here else ())
