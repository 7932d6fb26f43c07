"""Giants: pictures too large for memory, each done in parts and recorded as every other photo is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from segcli.crf.settings import WORKING_SIZE
from segcli.crf.stage import Refinement
from segcli.errors import InputError
from segcli.files.atomic import hashing, sha256, sync, writing
from segcli.files.sources import Source
from segcli.images.geo.ground import pixel_area
from segcli.images.geo.place import Place, read_place
from segcli.images.photo import View as BandView
from segcli.images.raster import Raster
from segcli.images.strips.extent import extent
from segcli.images.strips.photo import PhotoStrips
from segcli.images.strips.source import Strips, opened_strips
from segcli.images.strips.survey import Survey, surveyed
from segcli.inference import oom
from segcli.inference.certainty import FINER, LONGEST
from segcli.inference.forward import Forward
from segcli.inference.segmenter import Segmenter
from segcli.inference.transform import fit
from segcli.inference.uncertainty import SIZE
from segcli.inference.windows import Enlarging, Windows
from segcli.labels import VOID
from segcli.pipeline import place_files
from segcli.pipeline.giants.journal import Journal
from segcli.pipeline.giants.labels import LabelRows
from segcli.pipeline.giants.pictures import SmallPicture
from segcli.pipeline.giants.plan import GiantPlan, said
from segcli.pipeline.giants.refining import Refining
from segcli.pipeline.giants.samples import Samples
from segcli.pipeline.giants.stream import Network, Sinks, Stream
from segcli.pipeline.giants.view import View
from segcli.pipeline.giants.writing import RESAMPLING, Finished, Writing, small_size
from segcli.pipeline.kinds import OBJECTS
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.listener import Listener
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.progress import GiantProgress, Stage, Watch, unwatched
from segcli.pipeline.records import DONE, FAILED, Record
from segcli.pipeline.stages import input_facts


@dataclass(frozen=True)
class Giants:
    """The pictures of a run that are done in parts.

    Attributes:
        plan: Which these are, and how they are done.
        segmenter: Gives the model under torch, on its device; called once one of them is to be done.
        listener: Hears how each is done.
        watch: Hears how far each is.
    """

    plan: GiantPlan
    segmenter: Callable[[], Segmenter]
    listener: Listener
    watch: Watch = unwatched

    def records(self, sources: Iterable[Source], outputs: Outputs, ledger: Ledger, settings: str) -> Iterator[Record]:
        """Do pictures, a record each, which is in the ledger once its files are on the disk.

        Raises:
            SegcliError: The output folder cannot be written to; what is done is kept.
        """
        for source in sources:
            with writing(outputs.folder):
                record, journal = self._record(source, outputs, settings)
                sync(outputs.folder / output["path"] for output in record.outputs.values())
                ledger.append(record)
                if journal is not None:
                    journal.remove()
            yield record

    def _record(self, source: Source, outputs: Outputs, settings: str) -> tuple[Record, Journal | None]:
        base: dict[str, Any] = {"name": source.tree.as_posix(), "input": source.input, "settings": settings}
        try:
            base |= input_facts(source)
            self.plan.check()
            with opened_strips(source.path, self.plan.photos, source.page) as strips:
                return self._done(source, strips, outputs, base)
        except InputError as error:
            return Record(status=FAILED, error=source.told(str(error)), **base), None
        except (MemoryError, RuntimeError) as error:
            if not oom.is_shortage(error):
                raise
            said_so = f"{oom.TOO_LARGE}. Use a smaller --tile."
            return Record(status=FAILED, error=said_so, **base), None

    def _done(
        self, source: Source, strips: Strips, outputs: Outputs, base: Mapping[str, Any]
    ) -> tuple[Record, Journal]:
        begun, segmenter = time.perf_counter(), self.segmenter()
        place, remarks = read_place(source.path, source.page)
        windows = self.plan.windows(strips.size, place, segmenter.model)
        key = {**base, "tile": windows.tile, "resized": list(windows.place.resized)}
        journal = Journal(outputs.folder, source.tree.as_posix(), key)
        told = said(extent(source.path, source.page), windows)
        done = f"; {journal.facts['row']} of {len(windows.rows)} rows of them are done" if journal.facts else ""
        self.listener.note(f"{source.input}: {told}{done}")
        try:
            work = _Work(source, strips, windows, segmenter, outputs, journal, self.plan, self.watch)
            finished, notes = work.run(place)
            streamed = time.perf_counter()
            files, written = _written(finished, outputs)
        except BaseException:
            journal.close()
            raise
        seconds = {"predict": streamed - begun, "write": time.perf_counter() - streamed}
        height, width = strips.size
        record = Record(
            status=DONE,
            width=width,
            height=height,
            outputs=files,
            areas=written.areas,
            uncertainty=written.uncertainty,
            specks=written.specks,
            objects=written.objects,
            pixel_area=pixel_area(finished.place),
            no_data=finished.void or None,
            seconds={stage: round(value, 4) for stage, value in seconds.items()},
            notes=tuple(map(source.told, (*notes, *remarks, *_remarks(outputs, finished, written)))),
            **base,
        )
        return record, journal


def _remarks(outputs: Outputs, finished: Finished, written: Writing) -> tuple[str, ...]:
    """What the user should know of the files of a picture."""
    return (*outputs.notes(written.areas), *place_files.notes(outputs, finished.place))


def _written(finished: Finished, outputs: Outputs) -> tuple[dict[str, dict], Writing]:
    """Write the files of a picture; what its record keeps of them, and the rest of what is known then."""
    with hashing() as hashes:
        made = Writing(finished, outputs)
        files = made.write()
    facts = {}
    for kind, path in files.items():
        where = path.relative_to(outputs.folder).as_posix()
        facts[kind] = {"path": where, "bytes": path.stat().st_size, "sha256": hashes.get(path) or sha256(path)}
    return facts, made


@dataclass(frozen=True)
class _Work:
    """One picture, put together from what does its parts."""

    source: Source
    strips: Strips
    windows: Windows
    segmenter: Segmenter
    outputs: Outputs
    journal: Journal
    plan: GiantPlan
    watch: Watch

    def run(self, place: Place | None) -> tuple[Finished, tuple[str, ...]]:
        """Do what is left of it; the picture with all rows labelled, and remarks."""
        survey, size = self._survey(), self.strips.size
        network = self._network
        classes, grid = network.grid(self.windows)
        labels = LabelRows(self.journal, size[1], "u1" if classes <= VOID else "u2")
        pictures = {kind: self._picture(kind) for kind in RESAMPLING if kind in self.outputs.kinds}
        samples = {name: self._samples(name, grid, classes) for name in self._sampled()}
        table = None if self.outputs.classes is None else self.outputs.kept
        sinks = Sinks(labels, list(pictures.values()), list(samples.values()), table)
        photo = PhotoStrips(self.strips, survey)
        enlarging = Enlarging(self.windows, grid, network.align_corners, size)
        refining = self.plan.crf and Refining(Refinement.by(self.plan.crf), enlarging)
        view = View(photo, self.windows.place.resized, survey.void > 0, sinks.pictures, keep=refining is not None)
        work = (network, enlarging, self.windows, view, sinks, self.journal, refining)
        Stream(*work, *_kept(survey), classes, grid, self._tell).run()
        self._tell("files", len(self.windows), size[0])
        place = None if place is None else place.of_size(size)
        return Finished(self.source, photo, labels, pictures, samples, survey.void, place), survey.notes

    @cached_property
    def _network(self) -> Network:
        return network_of(self.segmenter)

    def _tell(self, stage: Stage, windows: int, rows: int) -> None:
        """Say how far it is: windows seen in this pass, and rows of the picture that are looked at or labelled."""
        height, width = self.strips.size
        passes = self._network.passes(self.windows)
        number = passes if stage in ("labels", "files") else 1
        pixels = rows * width, height * width
        self.watch(GiantProgress(self.source.path, stage, windows, len(self.windows), (number, passes), *pixels))

    def _survey(self) -> Survey:
        stored = self.journal.facts.get("survey")
        if stored is None:
            return surveyed(_Watched(self.strips, partial(self._tell, "values", 0)), self.plan.photos)
        limits = tuple((low, high) for low, high in stored["limits"])
        view = BandView(tuple(stored["taken"]), stored["alpha"], limits)
        return Survey(view, tuple(stored["notes"]), stored["void"], self.journal.arrays.get("blocks"))

    def _picture(self, kind: str) -> SmallPicture:
        size = self.strips.size
        return SmallPicture(self.journal, kind, size, small_size(kind, size, self.outputs), RESAMPLING[kind])

    def _sampled(self) -> tuple[str, ...]:
        """What scores are kept for."""
        return ("uncertainty", *(kind for kind in ("probs", OBJECTS) if kind in self.outputs.kinds))

    def _samples(self, name: str, grid: tuple[int, int], classes: int) -> Samples:
        """The scores for a purpose, at the size that those of a photo have for it."""
        sides = {"uncertainty": SIZE, "probs": WORKING_SIZE, OBJECTS: min(LONGEST, FINER * max(grid))}
        size = fit(self.strips.size, sides[name])
        enlarging = Enlarging(self.windows, grid, self.segmenter.model.spec.align_corners, size)
        return Samples(self.journal, enlarging, self.strips.size, classes, sure=name == OBJECTS)


@dataclass(frozen=True)
class _Watched:
    """The strips of a picture; `told` hears of the row after the last one that was read."""

    strips: Strips
    told: Callable[[int], None]

    @property
    def size(self) -> tuple[int, int]:
        return self.strips.size

    @property
    def band(self) -> int:
        return self.strips.band

    def raster(self, top: int, bottom: int) -> Raster:
        raster = self.strips.raster(top, bottom)
        self.told(bottom)
        return raster


def network_of(segmenter: Segmenter) -> Network:
    """The network of a segmenter, to be asked window by window."""
    forward, model = Forward(segmenter.network, segmenter.device, segmenter.half), segmenter.model
    stride, corners = model.output_stride, model.spec.align_corners
    return Network(forward, segmenter.device, segmenter.preprocessing, stride, corners)


def _kept(survey: Survey) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the journal keeps of a survey."""
    view = survey.view
    facts = {
        "taken": list(view.taken),
        "alpha": view.alpha,
        "limits": [list(bounds) for bounds in view.limits],
        "notes": list(survey.notes),
        "void": survey.void,
    }
    return {"survey": facts}, {} if survey.blocks is None else {"blocks": survey.blocks}
