"""Many photos through a model: reading, the network, the CRF and writing overlap; memory stays flat.

The network works in the caller's thread, each other stage in threads of its own, which Pillow, numpy and torch let run
at the same time. Between two stages a few photos wait at most: the slowest stage sets the pace, and no queue grows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from segcli.errors import InputError
from segcli.files.atomic import sha256, writing
from segcli.files.sources import Source
from segcli.films.frame import Film
from segcli.images.geo.place import Place
from segcli.images.photo import Photo
from segcli.inference import oom
from segcli.inference.prediction import Prediction
from segcli.inference.transform import Input, place_of, to_array
from segcli.pipeline.ahead import ahead, threads
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.progress import Watch, unwatched
from segcli.pipeline.recorder import Recorder
from segcli.pipeline.records import DONE, FAILED, OLD_RESULTS, Record, state

if TYPE_CHECKING:
    from segcli.inference.graph_segmenter import GraphSegmenter
    from segcli.inference.segmenter import Segmenter
    from segcli.pipeline.giants.giant import Giants
    from segcli.pipeline.giants.plan import GiantPlan

THREADS = max(2, min(8, (os.cpu_count() or 1) // 2))
"""That read, and as many that write. A photo of 12 megapixels takes 0.1 s to decode and 0.3 s to write, which a GPU
should not wait for."""
READ_AHEAD, REFINE_BEHIND, WRITE_BEHIND = THREADS, 2, 2 * THREADS
"""Photos in memory beyond the batch in hand: decoded early, not yet refined, not yet written."""
MADE_EARLY = 2**22
"""The pixels up to which a network's input is made as soon as a photo is decoded: each takes 12 bytes of memory while
it waits."""


class Readable(Protocol):
    """The minimum that a reader returns: a decoded photo, uint8 (H, W, 3), remarks, where it has data and lies."""

    rgb: np.ndarray
    notes: tuple[str, ...]
    valid: np.ndarray | None
    place: Place | None


@dataclass(frozen=True)
class Stages:
    """The stages of each item between its file and its prediction.

    Attributes:
        read: Decodes one item, in a thread; raises InputError or OSError where it cannot.
        predict: From what was read, for a batch, to predictions.
        refine: From a photo, uint8 (H, W, 3), and its prediction to a better one, such as the CRF's.
        fallback: `predict` on the CPU, for a photo that is too much for the device's memory.
        open_film: Opens a film, whose frames `read` takes too; None where there are photos alone.
        giant_plan: Tells the items that are too large for memory; None where there can be none.
        giants: Gives what does these; torch is imported then.
        prepare: Makes of what was read what `predict` takes, in the reader's thread; None where that is the same.
    """

    read: Callable[[Any], Readable]
    predict: Callable[[Sequence[Readable]], list[Prediction]]
    refine: Callable[[np.ndarray, Prediction], Prediction] | None = None
    fallback: Callable[[Sequence[Readable]], list[Prediction]] | None = None
    open_film: Callable[[Path], Film] | None = None
    giant_plan: GiantPlan | None = None
    giants: Callable[[], Giants] | None = None
    prepare: Callable[[Readable], Readable | Prepared] | None = None

    def is_giant(self, item: Any) -> bool:
        """Whether an item is done in parts."""
        return self.giant_plan is not None and self.giant_plan.wants(item)


@dataclass(frozen=True)
class Prepared:
    """A photo with the network's input that was made of it."""

    photo: Photo
    input: Input


def network(segmenter: Segmenter | GraphSegmenter) -> Callable[[Sequence[Photo | Prepared]], list[Prediction]]:
    """A predict stage that asks a Segmenter."""

    def predict(photos: Sequence[Photo | Prepared]) -> list[Prediction]:
        whole = [one if isinstance(one, Prepared) else _prepared(one, segmenter) for one in photos]
        predictions = segmenter.predict_inputs([one.input for one in whole])
        return [replace(one, valid=ready.photo.valid) for one, ready in zip(predictions, whole, strict=True)]

    return predict


def early(segmenter: Segmenter | GraphSegmenter) -> Callable[[Photo], Photo | Prepared]:
    """A prepare stage for `network` of the same Segmenter: large inputs are left to that."""

    def prepare(photo: Photo) -> Photo | Prepared:
        height, width = place_of(photo.rgb.shape[:2], segmenter.preprocessing, photo.working).padded
        return photo if height * width > MADE_EARLY else _prepared(photo, segmenter)

    return prepare


def _prepared(photo: Photo, segmenter: Segmenter | GraphSegmenter) -> Prepared:
    return Prepared(photo, to_array(photo.rgb, segmenter.preprocessing, photo.working))


@dataclass
class Segmented:
    """One item after its stages.

    Attributes:
        item: What was asked for.
        photo: What was read, or None where that failed.
        prepared: What the predict stage takes, until it has taken it.
        prediction: What the network or the CRF made of it, or None where that failed.
        error: Why there is no photo or prediction.
        unrefined: The prediction as the network made it, where it was refined.
        refusal: The error of a refinement that failed.
        notes: What the user should know though there is one.
        seconds: Stage -> seconds.
        facts: What was noted of the item before it was read.
    """

    item: Any
    photo: Readable | None = None
    prepared: Readable | Prepared | None = None
    prediction: Prediction | None = None
    error: str | None = None
    unrefined: Prediction | None = None
    refusal: InputError | None = None
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def predict_all(
    items: Iterable, stages: Stages, batch: int = 1, note: Callable[[Any], dict] | None = None
) -> Iterator[Segmented]:
    """Take items through the stages, in order; the next are read, and those before refined, while the network works.

    Args:
        items: Whatever `stages.read` takes.
        stages: What to do with each.
        batch: Photos a call of the predict stage.
        note: Notes facts of an item before it is read.
    """
    with threads(THREADS) as readers, threads(1) as refiner:
        loads = ahead(readers, lambda item: _read(item, stages, note), items, READ_AHEAD + batch)
        predicted = _predicted(loads, stages, batch)
        if stages.refine is None:
            yield from predicted
        else:
            yield from ahead(refiner, partial(_refined, stages.refine), predicted, REFINE_BEHIND)


def work(
    sources: Iterable[Source],
    stages: Stages,
    outputs: Outputs,
    ledger: Ledger,
    settings: str,
    batch: int = 1,
    watch: Watch = unwatched,
) -> Iterator[Record]:
    """Do photos in their order, those too large for memory in parts, of which `watch` hears.

    Headers are read as it gets to them. The other arguments and the errors are those of `segment`.
    """
    for is_giant, group in groupby(sources, stages.is_giant):
        if is_giant:
            yield from replace(stages.giants(), watch=watch).records(group, outputs, ledger, settings)
        else:
            yield from segment(group, stages, outputs, ledger, settings, batch)


def segment(
    sources: Iterable[Source], stages: Stages, outputs: Outputs, ledger: Ledger, settings: str, batch: int = 1
) -> Iterator[Record]:
    """Segment and write photos; yield a Record each, in the order of the sources.

    A record is in the ledger once its files are on the disk, in a second or so, and at the latest when the iteration
    ends: nothing finished is lost when the caller stops early. One bad photo becomes a failed record; the rest goes on.

    Args:
        sources: What to segment.
        stages: What to do with each.
        outputs: Where and what to write.
        ledger: Takes every record.
        settings: Fingerprint of what decides the outputs.
        batch: Photos a call of the predict stage.

    Raises:
        SegcliError: The output folder cannot be written to; what is done is kept.
    """

    def finish(segmented: Segmented) -> Record:
        with writing(outputs.folder):
            record = _written(segmented, outputs, settings)
            recorder.add(record)
        return record

    with Recorder(ledger) as recorder, ThreadPoolExecutor(THREADS) as writers:
        yield from ahead(writers, finish, predict_all(sources, stages, batch, input_facts), WRITE_BEHIND)


def _read(item: Any, stages: Stages, note: Callable[[Any], dict] | None) -> Segmented:
    segmented, start = Segmented(item), time.perf_counter()
    try:
        segmented.facts = note(item) if note else {}
        segmented.photo = stages.read(item)
        segmented.notes = segmented.photo.notes
        segmented.prepared = stages.prepare(segmented.photo) if stages.prepare else segmented.photo
    except InputError as error:
        segmented.error = str(error)
    except OSError as error:
        segmented.error = error.strerror or str(error)
    except MemoryError:
        segmented.error = str(oom.too_large())
    segmented.seconds["read"] = _since(start)
    return segmented


def _predicted(loads: Iterator[Segmented], stages: Stages, batch: int) -> Iterator[Segmented]:
    while group := list(islice(loads, batch)):
        _predict([segmented for segmented in group if segmented.prepared is not None], stages)
        yield from group


def _predict(group: list[Segmented], stages: Stages) -> None:
    if not group:
        return
    start = time.perf_counter()
    outcomes = oom.predict([segmented.prepared for segmented in group], stages.predict, stages.fallback)
    share = round(_since(start) / len(group), 4)
    for segmented, outcome in zip(group, outcomes, strict=True):
        segmented.prepared = None  # which would wait for the writer
        segmented.seconds["predict"] = share
        segmented.prediction = outcome.prediction
        if outcome.prediction is None:
            segmented.error = outcome.note
        elif outcome.note:
            segmented.notes += (outcome.note,)


def settle(segmented: Segmented) -> None:
    """Make sure that an item's scores are numbers, else it has failed; twice does no harm.

    It waits for the device: whoever takes items as `predict_all` gives them calls it, best in a thread of its own, so
    that the network has the next ones meanwhile. Refined items are settled already.
    """
    if segmented.prediction is None:
        return
    try:
        segmented.prediction = oom.near(Prediction.settled, segmented.prediction)
    except InputError as error:
        segmented.prediction, segmented.error = None, str(error)
    else:
        segmented.notes += tuple(note for note in segmented.prediction.notes if note not in segmented.notes)


def _refined(refine: Callable[[np.ndarray, Prediction], Prediction], segmented: Segmented) -> Segmented:
    settle(segmented)
    if segmented.prediction is None:
        return segmented
    start, photo, segmented.unrefined = time.perf_counter(), segmented.photo.rgb, segmented.prediction
    try:
        segmented.prediction = oom.near(lambda prediction: refine(photo, prediction), segmented.unrefined)
    except InputError as error:
        segmented.prediction, segmented.error, segmented.refusal = None, str(error), error
    segmented.seconds["refine"] = _since(start)
    return segmented


def _failed(source: Source, error: str, outputs: Outputs, base: Mapping[str, Any]) -> Record:
    notes = (OLD_RESULTS,) if outputs.are_left_of(source) else ()
    return Record(status=FAILED, error=source.told(error), notes=notes, **base)


def _written(segmented: Segmented, outputs: Outputs, settings: str) -> Record:
    source, start = segmented.item, time.perf_counter()
    settle(segmented)
    base = {"name": source.tree.as_posix(), "input": source.input, "settings": settings, **segmented.facts}
    base["seconds"] = segmented.seconds
    if segmented.prediction is None:
        return _failed(source, segmented.error, outputs, base)
    photo, place = segmented.photo.rgb, segmented.photo.place
    try:
        written = oom.near(lambda prediction: outputs.write(source, photo, prediction, place), segmented.prediction)
    except InputError as error:
        return _failed(source, str(error), outputs, base)
    segmented.seconds["write"] = _since(start)
    valid = segmented.photo.valid
    return Record(
        status=DONE,
        width=photo.shape[1],
        height=photo.shape[0],
        outputs=written.files,
        areas=written.areas,
        uncertainty=written.uncertainty,
        specks=written.specks,
        objects=written.objects,
        pixel_area=written.pixel_area,
        no_data=None if valid is None else int(valid.size - np.count_nonzero(valid)),
        notes=tuple(map(source.told, segmented.notes + written.notes)),
        **base,
    )


def input_facts(source: Source) -> dict:
    """The input as it is before reading: a file that changes meanwhile does not pass for done."""
    status = source.path.stat()
    facts = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": sha256(source.path)}
    if source.origin is not None:  # the time of a copy says nothing
        facts |= {"mtime_ns": 0, "etag": source.origin.etag or None}
    return {**facts, "beside": state(source.beside)}


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 4)
