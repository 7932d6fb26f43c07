"""A film through a model: segment after segment of its frames, then joined into the outputs and one record."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import numpy as np

from segcli.errors import InputError
from segcli.files.atomic import sync, writing
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.films import workshop
from segcli.films.encoding import OVERLAY, Piece, of_labels, piece
from segcli.films.frame import Film, Frame, Mark
from segcli.films.options import FilmOptions
from segcli.films.steady import Steady, memory_of
from segcli.films.workshop import FRAMES, Segment, Workshop
from segcli.images.masks import write_label_map
from segcli.images.overlay import film_overlay
from segcli.inference import oom
from segcli.inference.prediction import Prediction
from segcli.inference.uncertainty import uncertainty
from segcli.labels import BACKGROUND
from segcli.pipeline import film_files
from segcli.pipeline.kinds import FRAME_FILES, OF_FILMS
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.progress import FilmProgress, Watch, unwatched
from segcli.pipeline.records import DONE, FAILED, Record
from segcli.pipeline.stages import Stages, input_facts, predict_all, settle
from segcli.pipeline.writer import class_areas

READ_AHEAD, WRITE_BEHIND = 4, 4
"""Frames that are decoded early, and not yet encoded."""
LISTED = 0.01
"""The share of a frame that a class must have once to come into the legend."""


@dataclass(frozen=True)
class FilmRun:
    """All that the films of a run have in common.

    Attributes:
        stages: What happens to each frame; with `open_film`.
        outputs: Where and what to write.
        options: Which part of a film, and how.
        settings: Fingerprint of what decides the outputs of a film.
        batch: Frames a call of the predict stage.
        watch: Hears of each frame that is done.
    """

    stages: Stages
    outputs: Outputs
    options: FilmOptions
    settings: str
    batch: int = 1
    watch: Watch = unwatched

    def records(self, sources: Sequence[Source], ledger: Ledger) -> Iterator[Record]:
        """Do films, one Record each as soon as its files are whole and the ledger has it.

        A film that breaks off is a failed record with the outputs of what was decoded. Whoever stops early loses the
        segment in hand.

        Raises:
            SegcliError: The output folder cannot be written to; what is done is kept.
        """
        for source in sources:
            with writing(self.outputs.folder):
                record = self.record(source)
                sync(self.outputs.folder / output["path"] for output in record.outputs.values())
                ledger.append(record)
                workshop.remove(self.outputs.folder, source)  # not before: a run killed in between would do all again
            yield record

    def record(self, source: Source) -> Record:
        """Do one film."""
        start = time.perf_counter()
        base = {"name": source.tree.as_posix(), "input": source.input, "settings": self.settings}
        try:
            base |= input_facts(source)
            film = self.stages.open_film(source.path)
            made = _FilmWork(self, source, film, base["sha256"]).made()
        except InputError as error:
            return Record(status=FAILED, error=source.told(str(error)), **base)
        seconds = {"film": round(time.perf_counter() - start, 4)}
        return replace(made, seconds=seconds, **base)


@dataclass
class _Draft:
    """A segment in the making."""

    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    areas: list[dict[str, int]] = field(default_factory=list)
    unsure: float = 0.0
    last: Mark | None = None


class _FilmWork:
    """The work on one film."""

    def __init__(self, run: FilmRun, source: Source, film: Film, digest: str):
        self.run, self.source, self.film = run, source, film
        kinds = tuple(kind for kind in ("overlay", "mask") if kind in run.outputs.kinds)
        key = f"{run.settings} {digest} {film_files.encoder()}"
        self.shop = Workshop.of(run.outputs.folder, source, kinds, key)
        self.steady = Steady(memory=memory_of(self.shop.state())) if run.options.steady else None
        self.refusal = ""
        self.listed = list(self.shop.segments[-1].listed) if self.shop.segments else []

    def made(self) -> Record:
        """The record, once all segments are done and joined."""
        with ThreadPoolExecutor(1) as writer, closing(self._predicted()) as frames:
            while (first := next(frames, None)) is not None:
                self._segment(chain([first], islice(frames, FRAMES - 1)), writer)
        if not self.shop.segments:
            raise self._nothing()
        return self._joined()

    def _nothing(self) -> InputError:
        """Why no frame was done."""
        path, lasts = shown(self.source.input), self.film.duration
        if self.refusal:
            return InputError(f"{path}: {self.refusal}")
        if self.film.broken:
            return InputError(f"{path}: {self.film.broken}", "Does a player play it?")
        whole = "" if lasts is None else f": it lasts {lasts:.2f} s"
        message = f"{path} has no frame in the part that --start and --end name{whole}"
        return InputError(message, "Choose a part of it.")

    def _predicted(self) -> Iterator[tuple[Frame, np.ndarray, Prediction]]:
        """Each frame with its pixels and its final prediction; one that cannot be predicted breaks the film off."""
        stages = replace(self.run.stages, refine=None)
        frames = _ahead(self.film.frames(self.run.options, self._mark()))
        with closing(frames), closing(predict_all(frames, stages, self.run.batch)) as done:
            for one in done:
                settle(one)
                if one.prediction is None:
                    self.film.broken = self.refusal = one.error
                    return
                yield one.item, one.photo.rgb, self._final(one.prediction, one.photo.rgb, one.item.seconds)

    def _final(self, prediction: Prediction, rgb: np.ndarray, seconds: float) -> Prediction:
        if self.steady is not None:
            prediction = oom.near(lambda near: self.steady(near, rgb, seconds), prediction)
        refine = self.run.stages.refine
        return oom.near(lambda near: refine(rgb, near), prediction) if refine else prediction

    def _mark(self) -> Mark | None:
        """Where an earlier run has stopped."""
        if not self.shop.segments:
            return None
        last = self.shop.segments[-1]
        return Mark(last.numbers[-1], last.times[-1], last.raw)

    def _segment(self, frames: Iterator[tuple[Frame, np.ndarray, Prediction]], writer: ThreadPoolExecutor) -> None:
        """Do the frames of one segment and keep it."""
        draft, pending = _Draft(), deque[Future]()
        with ExitStack() as stack:
            pieces = self._pieces(stack)
            stack.callback(wait, pending)  # nobody may write a piece any more when it is closed
            before = FRAMES * len(self.shop.segments)
            for number, (frame, rgb, prediction) in enumerate(frames, before + 1):
                pending.append(writer.submit(self._add, draft, pieces, frame, rgb, prediction))
                if len(pending) > WRITE_BEHIND:
                    pending.popleft().result()
                self.run.watch(self._progress(number, frame.seconds))
            for future in pending:
                future.result()
        state = {} if self.steady is None else self.steady.kept()
        self.shop.add(self._kept(draft), state)

    def _progress(self, frames: int, seconds: float) -> FilmProgress:
        film, options = self.film, self.run.options
        count = options.expected(film.count, film.duration)
        return FilmProgress(self.source.path, frames, count, seconds, *options.part(film.duration))

    def _pieces(self, stack: ExitStack) -> dict[str, Piece]:
        encodings = {"overlay": OVERLAY, "mask": of_labels(len(self.run.outputs.labels))}
        return {
            kind: stack.enter_context(piece(self.shop.picture(kind), encodings[kind], self.film.aspect))
            for kind in self.shop.kinds
        }

    def _add(
        self, draft: _Draft, pieces: dict[str, Piece], frame: Frame, rgb: np.ndarray, prediction: Prediction
    ) -> None:
        """Write one frame."""
        outputs = self.run.outputs
        label_map = outputs.label_map(prediction)
        areas = class_areas(label_map, outputs.labels)
        self._list(areas, label_map.size)
        if "overlay" in pieces:
            drawn = film_overlay(rgb, label_map, outputs.labels, self.listed, outputs.overlay)
            pieces["overlay"].add(np.asarray(drawn))
        if "mask" in pieces:
            pieces["mask"].add(label_map)
        if FRAME_FILES in outputs.kinds:
            path = film_files.frame_path(outputs, self.source, frame.mark.number)
            write_label_map(path, label_map, outputs.labels, outputs.info)
        draft.numbers.append(frame.mark.number)
        draft.times.append(frame.mark.pts)
        draft.areas.append(areas)
        draft.unsure += uncertainty(prediction)
        draft.last = frame.mark

    def _list(self, areas: dict[str, int], pixels: int) -> None:
        """Put into the legend what a frame shows for the first time; it is left there, so that it never jumps."""
        names = self.run.outputs.labels.names
        for name, count in areas.items():
            label = names.index(name)
            if count >= LISTED * pixels and label not in self.listed and name != BACKGROUND:
                self.listed.append(label)

    def _kept(self, draft: _Draft) -> Segment:
        before = [self.shop.segments[-1].times[-1]] if self.shop.segments else []
        times = [*before, *draft.times]
        default = max(1, round(0.04 / self.film.tick))
        length = times[-1] - times[-2] if len(times) > 1 else default
        facts = {"length": length, "unsure": draft.unsure, "listed": tuple(self.listed)}
        pictures = (tuple(draft.numbers), tuple(draft.times), tuple(draft.areas))
        return Segment(*pictures, draft.last.raw, notes=tuple(self.film.notes), **facts)

    def _joined(self) -> Record:
        outputs, film = self.run.outputs, self.film
        made = film_files.Made(self.source, film, tuple(self.shop.segments), self.run.options)
        files, notes = film_files.write(outputs, made, {kind: self.shop.pictures(kind) for kind in self.shop.kinds})
        areas, frames = Counter(), len(made.times)
        for one in made.areas:
            areas.update(one)
        error = None
        if film.broken:
            reason = self.source.told(film.broken)
            error = f"breaks off after {made.seconds[-1]:.2f} s ({frames} frames are done and kept): {reason}"
        notes = (*(note for segment in made.segments for note in segment.notes), *film.notes, *notes)
        if others := sorted(outputs.kinds - OF_FILMS):
            notes = (*notes, f"Films can have {', '.join(sorted(OF_FILMS))}, but not {', '.join(others)}.")
        order = {name: index for index, name in enumerate(outputs.labels.names)}
        return Record(
            name="",
            input="",
            status=FAILED if error else DONE,
            height=film.size[0],
            width=film.size[1],
            frames=frames,
            outputs={kind: outputs.facts(path) for kind, path in files.items()},
            areas=dict(sorted(areas.items(), key=lambda area: order[area[0]])),
            uncertainty=round(sum(segment.unsure for segment in made.segments) / frames, 6),
            notes=tuple(dict.fromkeys(notes)),
            error=error,
        )


def _ahead(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames, decoded in a thread of their own a few ahead."""
    end = object()
    with ThreadPoolExecutor(1) as pool, closing(frames):
        begun = deque(pool.submit(next, frames, end) for _ in range(READ_AHEAD))
        try:
            while (frame := begun.popleft().result()) is not end:
                begun.append(pool.submit(next, frames, end))
                yield frame
        finally:
            for future in begun:
                future.cancel()
            wait(begun)
