"""Errand: a job as it is sent to workers, with what a worker must have and see before it may begin."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from segcli import __version__, processor
from segcli.errors import SegcliError
from segcli.files.atomic import sha256
from segcli.files.listing import Source
from segcli.files.paths import shown
from segcli.pipeline.job import Job
from segcli.pipeline.records import REVISION, RUN_FILE, Record

PACKAGES = {"torch": "torch", "onnx": "onnxruntime"}
"""The engine of a network -> the package that it is."""
SAME = "Install the same packages on all computers."
SHARED = "All computers must reach the photos, the output folder and the weights by the same paths."


def station() -> dict[str, str]:
    """What a process says of itself: versions, where it runs, and whether it has nothing but a CPU to compute with.

    A worker with another version of segcli answers it too, so that it is plain texts, whose names stay.
    """
    return {
        "segcli": __version__,
        "revision": str(REVISION),
        **{package: _version(package) for package in PACKAGES.values()},
        "alone": "yes" if processor.is_alone() else "",
        "host": socket.gethostname(),
    }


def _version(package: str) -> str:
    """A package's version, without what says for which processor it was made; empty where it is not installed."""
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""


def difference(own: dict[str, str], theirs: dict[str, str], engine: str | None = None) -> str:
    """What tells two processes apart that must be alike for equal results; empty where nothing does.

    Args:
        own: The worker.
        theirs: The process that gives out the work.
        engine: What runs the network; None as long as that is not decided.
    """
    names = ("segcli", "revision", *([PACKAGES[engine]] if engine else []))
    for name in names:
        mine, other = own.get(name, ""), theirs[name]
        if mine != other:
            return f"has {name} {mine}, and this run {name} {other}" if mine else f"has no {name}, which this run takes"
    return ""


@dataclass(frozen=True)
class Errand:
    """A job on its way to workers.

    Attributes:
        job: The job; its paths are absolute, since a worker's folder is another.
        station: The process that gives out the work.
        run_file: The sha256 of run.toml in the output folder, which tells that a worker sees the same folder.
        photo: A photo of the run, which a worker must see too.
        size: Its bytes.
    """

    job: Job
    station: dict[str, str]
    run_file: str
    photo: Path
    size: int

    @classmethod
    def of(cls, job: Job, photo: Source) -> Errand:
        """The errand of a job whose run.toml is written; `photo` is one of its photos. Raises OSError."""
        path = photo.path.absolute()
        return cls(job, station(), sha256(job.asked.folder / RUN_FILE), path, path.stat().st_size)

    def refusal(self) -> str:
        """Why this process cannot do it, and what to do, in two lines; empty where it can.

        Weights of a name, which are fetched where they are not here, are compared later, when they are loaded.
        """
        if found := difference(station(), self.station, self.job.engine):
            return f"{found}\n{SAME}"
        weights, run_file = self.job.asked.reference.path, self.job.asked.folder / RUN_FILE
        if weights is not None and _hash(weights) != self.job.weights:
            return f"has no {shown(weights)}, or another one\n{SHARED}"
        if _hash(run_file) != self.run_file:
            return f"does not see the output folder {shown(run_file.parent)}\n{SHARED}"
        return "" if _size(self.photo) == self.size else f"does not see {shown(self.photo)}\n{SHARED}"


@dataclass(frozen=True)
class Done:
    """What a worker says of a batch.

    Attributes:
        records: One for each photo; none where it refuses.
        seconds: How long it worked on them, the loading of the network apart.
        worker: Its address.
        refusal: Why it does none of this run.
    """

    records: tuple[Record, ...]
    seconds: float
    worker: str
    refusal: str = ""


def _hash(path: Path) -> str:
    try:
        return sha256(path)
    except (OSError, SegcliError):
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
