"""A folder of photos through a Segmenter: reading, the network and writing overlap; memory stays flat."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import numpy as np

from segcli.errors import InputError
from segcli.files import Source
from segcli.inference import Prediction, Segmenter
from segcli.ledger import DONE, FAILED, Ledger, Record, sha256
from segcli.outputs import Outputs

READERS, WRITERS = 2, 2
READ_AHEAD, WRITE_BEHIND = 2, 4
"""Photos in memory beyond the batch in hand: the first decoded early, the others still being written."""


class Readable(Protocol):
    """What a reader returns: at least a decoded photo, uint8 (H, W, 3), and remarks on it."""

    rgb: np.ndarray
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Stages:
    """What happens to each photo between its file and its outputs.

    Attributes:
        read: Decodes one source, in a thread; raises InputError or OSError where it cannot.
        predict: From what was read, for a batch, to predictions.
        refine: From what was read and its prediction to a better one, such as the CRF's.
    """

    read: Callable[[Source], Readable]
    predict: Callable[[Sequence[Readable]], list[Prediction]]
    refine: Callable[[Readable, Prediction], Prediction] | None = None


def network(segmenter: Segmenter) -> Callable[[Sequence[Readable]], list[Prediction]]:
    """A predict stage that asks a Segmenter."""
    return lambda photos: segmenter.predict([photo.rgb for photo in photos])


@dataclass
class _Loaded:
    """A photo on its way through the pipeline, or the reason why there is none."""

    source: Source
    photo: Readable | None = None
    error: str | None = None
    facts: dict = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def segment(
    sources: Sequence[Source], stages: Stages, outputs: Outputs, ledger: Ledger, settings: str, batch: int = 1
) -> Iterator[Record]:
    """Segment and write photos; yield a Record each, in the order of the sources.

    A record is in the ledger as soon as its files are whole, so that nothing finished is lost when the
    caller stops early. One bad photo becomes a failed record; the rest goes on.

    Args:
        sources: What to segment.
        stages: What to do with each.
        outputs: Where and what to write.
        ledger: Takes every record.
        settings: Fingerprint of what decides the outputs.
        batch: Photos a call of the predict stage.

    Raises:
        OSError: The output folder cannot be written to; what is done is kept.
    """
    lock = threading.Lock()

    def finish(loaded: _Loaded, prediction: Prediction | None) -> Record:
        record = _written(loaded, prediction, outputs, settings)
        with lock:
            ledger.append(record)
        return record

    with ThreadPoolExecutor(READERS) as readers, ThreadPoolExecutor(WRITERS) as writers:
        pending: deque[Future[Record]] = deque()
        loads = _ahead(readers, lambda source: _load(source, stages.read), sources, READ_AHEAD + batch)
        while group := list(islice(loads, batch)):
            predictions = _predict(group, stages)
            pending.extend(writers.submit(finish, *pair) for pair in zip(group, predictions, strict=True))
            while len(pending) > WRITE_BEHIND:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _load(source: Source, read: Callable[[Source], Readable]) -> _Loaded:
    loaded, start = _Loaded(source), time.perf_counter()
    try:
        status = source.path.stat()
        digest = sha256(source.path)
        loaded.facts = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": digest}
        loaded.photo = read(source)
    except InputError as error:
        loaded.error = str(error)
    except OSError as error:
        loaded.error = error.strerror or str(error)
    loaded.seconds["read"] = _since(start)
    return loaded


def _predict(group: list[_Loaded], stages: Stages) -> list[Prediction | None]:
    """A prediction for each photo of the group, None where there is no photo."""
    good = [loaded for loaded in group if loaded.photo is not None]
    start = time.perf_counter()
    predictions = stages.predict([loaded.photo for loaded in good])
    seconds = _since(start) / max(len(good), 1)
    results: dict[int, Prediction] = {}
    for loaded, prediction in zip(good, predictions, strict=True):
        loaded.seconds["predict"] = round(seconds, 4)
        start = time.perf_counter()
        results[id(loaded)] = stages.refine(loaded.photo, prediction) if stages.refine else prediction
        if stages.refine:
            loaded.seconds["refine"] = _since(start)
    return [results.get(id(loaded)) for loaded in group]


def _written(loaded: _Loaded, prediction: Prediction | None, outputs: Outputs, settings: str) -> Record:
    source, start = loaded.source, time.perf_counter()
    base = {"name": source.tree.as_posix(), "input": str(source.path), "settings": settings, **loaded.facts}
    if loaded.photo is None or prediction is None:
        return Record(status=FAILED, error=loaded.error, seconds=loaded.seconds, **base)
    height, width = loaded.photo.rgb.shape[:2]
    files, found = outputs.write(source, loaded.photo.rgb, prediction)
    loaded.seconds["write"] = _since(start)
    return Record(
        status=DONE,
        width=width,
        height=height,
        outputs=files,
        areas=found,
        seconds=loaded.seconds,
        notes=loaded.photo.notes,
        **base,
    )


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 4)


def _ahead(pool: ThreadPoolExecutor, load: Callable, items: Iterable, depth: int) -> Iterator:
    """Results of `load` in order, with at most `depth` of them begun before they are asked for."""
    queue = iter(items)
    begun = deque(pool.submit(load, item) for item in islice(queue, depth))
    while begun:
        result = begun.popleft().result()
        begun.extend(pool.submit(load, item) for item in islice(queue, 1))
        yield result
