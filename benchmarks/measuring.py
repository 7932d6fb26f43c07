"""Measuring side by side: contenders take turns, so that whatever else the machine does strikes them all alike."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import torch

Result = TypeVar("Result")


@dataclass
class Timings:
    """The times that repeated runs of one thing took.

    Attributes:
        wall: The seconds of each run.
        cores: The seconds of processor time of each run, all threads together.
    """

    wall: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)

    @contextmanager
    def one(self) -> Iterator[list]:
        """Note what one of the things took that are done in the block; they are put into the list."""
        done: list = []
        start, start_cores = time.perf_counter(), time.process_time()
        yield done
        self.wall.append((time.perf_counter() - start) / len(done))
        self.cores.append((time.process_time() - start_cores) / len(done))

    def add(self, work: Callable[[], Result], repeats: int = 1) -> Result:
        """Run `work` so many times and note the mean as one measurement; returns what it returned last."""
        with self.one() as done:
            for _ in range(repeats):
                done.append(work())
        return done[-1]

    @property
    def seconds(self) -> float:
        """The median of the runs' seconds."""
        return statistics.median(self.wall)

    @property
    def core_seconds(self) -> float:
        """The median of the runs' seconds of processor time."""
        return statistics.median(self.cores)


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int, repeats: int = 1) -> dict[str, Timings]:
    """Run everything once to warm up, then in rounds, each round in the reverse order of the one before."""
    timings = {name: Timings() for name in works}
    for work in works.values():
        work()
    names = list(works)
    for _ in range(rounds):
        for name in names:
            timings[name].add(works[name], repeats)
        names.reverse()
    return timings


def peak_multiply_adds(rounds: int, side: int = 2048) -> float:
    """The multiply-adds a second that a product of two large float32 matrices reaches: the best of a few."""
    a, b, out = (torch.randn(side, side) for _ in range(3))
    timings = in_turns({"product": lambda: torch.mm(a, b, out=out)}, max(rounds, 3), repeats=3)
    return side**3 / min(timings["product"].wall)


def machine(libraries: Iterable[str]) -> str:
    """The machine in one line: processor, cores in use, what else was going on, and versions."""
    versions = [f"{name} {metadata.version(name)}" for name in libraries if _installed(name)]
    load = f", load {os.getloadavg()[0]:.1f} before the start" if hasattr(os, "getloadavg") else ""
    cores = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    return f"{processor()} {vnni()}, {cores}{load}; Python {platform.python_version()}, {', '.join(versions)}"


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def vnni() -> str:
    """Whether the processor has the instructions for products of 8 bits, as far as its system tells."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return "VNNI unknown"
    words = set(path.read_text(encoding="utf-8").split())
    return "with VNNI" if words & {"avx512_vnni", "avx_vnni"} else "without VNNI"


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def table(headings: list[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; all columns but the first are numbers and stand at the right."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
