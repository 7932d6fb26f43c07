"""Driver: gives the photos of a run out to the workers of a cluster, and takes their records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from segcli.errors import SegcliError
from segcli.files.listing import Source
from segcli.pipeline.cluster import errand as errands
from segcli.pipeline.cluster import worker
from segcli.pipeline.cluster.batches import Batches
from segcli.pipeline.cluster.errand import SAME, Done, Errand, difference, station
from segcli.pipeline.cluster.scheduler import KilledError, Scheduler
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.records import FAILED, Record

MORE = 2
"""The batches that are under way at once beyond one for each thread of a worker and one for each worker."""
THREADS = 2
"""The threads of a worker, at most, that are of use: one writes while the network sees the photos of the other."""
KILLED = (
    "every worker that got it died: it needs more memory than a worker has, or it crashes the program that reads it"
)
"""The error of a photo whose worker died again and again, though it had nothing else."""


class Driver:
    """Gives out work.

    Args:
        scheduler: The cluster.
        listener: Hears of workers that cannot do it.
    """

    def __init__(self, scheduler: Scheduler, listener: Listener = SILENT):
        self.scheduler = scheduler
        self._listener = listener
        self._refusing: set[str] = set()

    def stations(self) -> dict[str, dict[str, str]]:
        """What each worker says of itself, by its address, once there is one and all can be taken.

        Raises:
            SegcliError: One has no segcli, or another version of it; or the scheduler is lost.
        """
        self.scheduler.wait_for_workers()
        answers = self.scheduler.ask(errands.station)
        for address, answer in answers.items():
            if isinstance(answer, BaseException):
                raise refused(address, f"has no segcli that could do this ({_line(answer)})\n{SAME}")
            if found := difference(answer, station()):
                raise refused(address, f"{found}\n{SAME}")
        self._tell(answers)
        return answers

    def _tell(self, stations: Mapping[str, Mapping[str, str]]) -> None:
        """Say how large the cluster is, and what is odd about it."""
        if several := [address for address in stations if self.scheduler.threads.get(address, 1) > THREADS]:
            many = f"{len(several)} of {len(stations)} workers have more than {THREADS} threads"
            self._listener.warn(f"{many}, which take memory and save no time: start them with --nthreads {THREADS}")
        hosts = len({station["host"] for station in stations.values()})
        workers, computers = counted(len(stations), "worker"), counted(hosts, "computer")
        self._listener.note(f"cluster {self.scheduler.address}: {workers} on {computers}")

    def records(self, errand: Errand, sources: Sequence[Source]) -> Iterator[Record]:
        """The records of photos as they become done; their files are in the output folder.

        Raises:
            SegcliError: No worker can do them, or one met what fails them all; or the scheduler is lost.
        """
        for address, answer in self.scheduler.ask(Errand.refusal, errand).items():
            if isinstance(answer, BaseException):
                raise refused(address, f"cannot do this run ({_line(answer)})\n{SAME}")
            if answer:
                raise refused(address, answer)
        suspects: list[Source] = []
        yield from self._done(errand, Batches(sources), suspects)
        for source in suspects:  # each alone: of a worker that dies, all that it was given is suspected
            killed: list[Source] = []
            yield from self._done(errand, Batches([source]), killed)
            yield from (_failed(errand, one) for one in killed)

    def _done(self, errand: Errand, batches: Batches, killed: list[Source]) -> Iterator[Record]:
        """The records of all batches; the photos of those whose workers died again and again go to `killed`."""
        flight = self.scheduler.flight()
        while True:
            workers = self.scheduler.workers()
            while len(flight) < self._threads() + len(workers) + MORE and (batch := batches.take(len(workers))):
                self._send(flight, errand, batch)
            if not flight:
                return
            for landed in flight.landed():
                batch, result = landed.note, landed.result
                if isinstance(result, KilledError):
                    killed.extend(batch)
                elif isinstance(result, BaseException):
                    raise result
                elif result.refusal:
                    self._refuse(result)
                    self._send(flight, errand, batch)
                else:
                    batches.learn(len(batch), result.seconds)
                    yield from _checked(batch, result)

    def _threads(self) -> int:
        return sum(min(count, THREADS) for count in self.scheduler.threads.values())

    def _send(self, flight: Any, errand: Errand, batch: list[Source]) -> None:
        able = [one for one in self.scheduler.workers() if one not in self._refusing] if self._refusing else ()
        flight.send(worker.work, errand, list(map(worker.away, batch)), note=batch, workers=able)

    def _refuse(self, result: Done) -> None:
        """Leave a worker out that has joined late and cannot do the run; SegcliError where none is left."""
        error = refused(result.worker, result.refusal)
        if result.worker not in self._refusing:
            self._refusing.add(result.worker)
            self._listener.warn(f"{error.message}; it gets no work")
        if not set(self.scheduler.workers(fresh=True)) - self._refusing:
            raise error


def _checked(batch: Sequence[Source], result: Done) -> tuple[Record, ...]:
    """The records of a batch. Raises SegcliError where they are those of other photos."""
    if {record.name for record in result.records} != {source.tree.as_posix() for source in batch}:
        raise SegcliError(f"worker {result.worker} did other photos than it was given", SAME)
    return result.records


def _failed(errand: Errand, source: Source) -> Record:
    """The record of a photo that has killed its workers."""
    return Record(source.tree.as_posix(), source.input, FAILED, errand.job.plan.settings, error=KILLED)


def refused(address: str, refusal: str) -> SegcliError:
    """The error of a worker that cannot do the run, for a reason and a next step in two lines."""
    what, _, hint = refusal.partition("\n")
    return SegcliError(f"worker {address} {what}", hint)


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def counted(number: int, word: str) -> str:
    """A number of things, in words."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
