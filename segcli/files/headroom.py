"""Headroom: how much memory this process can still have before the system ends it, cgroup limits included."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
LEAST_SHARE, LEAST_BYTES = 0.02, 512 << 20
"""Memory is short where less than this share of it is free, and less than so many bytes."""


@dataclass(frozen=True)
class Headroom:
    """What is free of a memory, in bytes.

    Attributes:
        free: What can still be had; caches that the system would give up count as free.
        total: The whole of it.
    """

    free: int
    total: int

    @property
    def is_short(self) -> bool:
        """Whether so little is free that the system may end the process at the next step."""
        return self.free < min(LEAST_SHARE * self.total, LEAST_BYTES)


def of_host() -> Headroom | None:
    """The headroom of the processor's memory: the machine's or a cgroup's above this process, whichever is less.

    On Linux it takes a tenth of a millisecond. On macOS and Windows psutil tells; None where it is missing.
    """
    if sys.platform != "linux":
        return _by_psutil()
    found = [*_machine(), *_cgroups()]
    return min(found, key=lambda one: one.free, default=None)


def own_bytes() -> int:
    """The memory that this process has now, in bytes; 0 where the system does not tell."""
    if sys.platform != "linux":
        psutil = _psutil()
        return psutil.Process().memory_info().rss if psutil else 0
    try:
        return int((PROC / "self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _machine() -> Iterator[Headroom]:
    """Main memory, and what can be swapped: only when both are full the kernel ends a process."""
    values = _numbers(PROC / "meminfo", ":")
    if "MemAvailable" in values:
        free = values["MemAvailable"] + values.get("SwapFree", 0)
        yield Headroom(free << 10, (values["MemTotal"] + values.get("SwapTotal", 0)) << 10)


def _cgroups() -> Iterator[Headroom]:
    """Every limit of a cgroup that this process belongs to, of version 1 or 2, its parents' included."""
    try:
        lines = (PROC / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _limits(CGROUPS, path, ("memory.max", "memory.current", "inactive_file"))
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _limits(CGROUPS / "memory", path, names)


def _limits(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[Headroom]:
    """The limits of a cgroup and of those above it; in a container the own one may be the root alone."""
    own = root / path.lstrip("/")
    for folder in (own, *own.parents):
        if found := _limit(folder, *names):
            yield found
        if folder == root:
            return


def _limit(folder: Path, limit: str, used: str, cached: str) -> Headroom | None:
    """One cgroup's limit; None where it has none. Pages of files that nobody uses are given up before it is reached."""
    try:
        total, taken = ((folder / name).read_text().strip() for name in (limit, used))
        spare = _numbers(folder / "memory.stat", " ").get(cached, 0)
    except OSError:
        return None
    if not total.isdecimal() or int(total) >= 1 << 60:  # "max", or version 1's largest number
        return None
    return Headroom(max(0, int(total) - int(taken) + spare), int(total))


def _numbers(path: Path, sign: str) -> dict[str, int]:
    """The whole numbers of a file with lines such as "MemTotal:  24684096 kB"; empty where there is no such file."""
    try:
        pairs = [line.split(sign, 1) for line in path.read_text().splitlines() if sign in line]
    except OSError:
        return {}
    return {name: int(value.split()[0]) for name, value in pairs if value.split()[0].isdecimal()}


def _by_psutil() -> Headroom | None:
    psutil = _psutil()
    if psutil is None:
        return None
    memory = psutil.virtual_memory()
    return Headroom(memory.available, memory.total)


def _psutil():
    """psutil, where it is installed."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil
