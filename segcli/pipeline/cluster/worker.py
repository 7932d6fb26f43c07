"""What a Dask worker does for a run: batches of photos, by a network that it keeps.

A worker with two threads has two batches in hand: the network sees photos of one while those of the other are written
and brought to the disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from segcli.files.listing import Source
from segcli.pipeline.cluster.errand import Done, Errand
from segcli.pipeline.job import Job
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.model import load_with
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.progress import Watch, unwatched
from segcli.pipeline.records import FAILED, Record

if TYPE_CHECKING:
    from segcli.pipeline.stages import Stages

TOO_LARGE = (
    "it is too large for memory, and workers cannot do pictures in parts. The same command without --cluster does it."
)
"""The error of a picture that would be done in parts: its journal is for one process, and a worker that is thought dead
may still be at it."""


class _Kept:
    """What a worker keeps from one batch to the next: the network of the last recipe, and the last errand's answer.

    Attributes:
        lock: For one batch at a time to look at the rest, and to load the network.
        network: For one batch at a time to ask the network, which takes all the threads and memory that it may.
    """

    lock = threading.Lock()
    network = threading.Lock()
    recipe: object = None
    stages: Stages | None = None
    errand: Errand | None = None
    refusal = ""


def work(errand: Errand, sources: Sequence[Source]) -> Done:
    """Do a batch of photos; the files are on the disk when it returns.

    Raises:
        SegcliError: The network cannot be loaded, or the output folder not be written to.
    """
    with _Kept.lock:
        if _Kept.errand != errand:
            _Kept.errand, _Kept.refusal = None, errand.refusal()
            _Kept.errand = errand
        stages = None if _Kept.refusal else _stages(errand.job)
        if stages is None:
            return Done((), 0.0, _address(), _Kept.refusal)
    begun = time.perf_counter()
    records = tuple(errand.job.run(sources, stages, Elsewhere(errand.job.asked.folder)))
    return Done(records, time.perf_counter() - begun, _address())


def _stages(job: Job) -> Stages | None:
    """The stages of a job, whose network is kept for as long as the recipe stays; None where it is another one."""
    recipe = (job.plan.settings, job.asked)
    if _Kept.recipe != recipe:
        _Kept.recipe = _Kept.stages = None  # the last one's memory goes first
        model = load_with(job.asked.options, job.asked.reference)
        facts = model.facts
        if (facts.engine, facts.provenance.get("sha256")) != (job.engine, job.weights):
            _Kept.refusal = f"has other weights of {job.asked.reference} than this run"
            return None
        stages = job.stages(model)
        alone = {"predict": _alone(stages.predict), "fallback": stages.fallback and _alone(stages.fallback)}
        _Kept.stages, _Kept.recipe = replace(stages, giants=NoGiants, **alone), recipe
    return _Kept.stages


def _alone(predict: Callable) -> Callable:
    """The same stage, which one batch at a time passes."""

    def predict_alone(photos: Sequence) -> list:
        with _Kept.network:
            return predict(photos)

    return predict_alone


def _address() -> str:
    from distributed import get_worker

    return get_worker().address


class Elsewhere:
    """The ledger of a worker: files are brought to the disk here, and their records written by who gave out the work.

    Args:
        folder: The output folder.
    """

    is_home: ClassVar[bool] = True

    def __init__(self, folder: Path):
        self.folder = folder

    def append(self, record: Record) -> None:
        """Pass over a record."""


@dataclass(frozen=True)
class NoGiants:
    """What a worker does of pictures that are too large for memory: nothing but say so."""

    watch: Watch = unwatched

    def records(self, sources: Iterable[Source], outputs: Outputs, ledger: Ledger, settings: str) -> Iterator[Record]:
        """A failed record each."""
        for source in sources:
            yield Record(source.tree.as_posix(), source.input, FAILED, settings, error=TOO_LARGE)


def away(source: Source) -> Source:
    """A photo as a worker finds it, whose folder is another: by its absolute path."""
    path = source.path.absolute()
    return source if path == source.path else replace(source, path=path, given=source.path)
