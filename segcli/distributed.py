"""Processes: several processes on one job, as torchrun starts them, and how their results come together.

torch is imported only where there are several: a run on one process that has nothing to do must not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from segcli.errors import SegcliError

if TYPE_CHECKING:
    import numpy as np

Item = TypeVar("Item")

PATIENCE = timedelta(days=7)
"""How long a process waits for a slower one; torch's half hour ends long runs. One that is gone is noticed at once."""


@dataclass(frozen=True)
class Processes:
    """The processes that share a job, seen from one of them; a job on one process is a world of size 1.

    Attributes:
        rank: The number of this process, 0 to world_size - 1.
        world_size: The number of processes.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def shard(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part: every world_size-th item, so that similar neighbours are shared out."""
        return items[self.rank :: self.world_size]

    def all_reduce_sum(self, counts: np.ndarray) -> np.ndarray:
        """The sum of every process's int64 counts, exact, in every process."""
        if self.world_size == 1:
            return counts
        import torch

        tensor = torch.from_numpy(counts.copy())
        with _heard():
            torch.distributed.all_reduce(tensor)
        return tensor.numpy()

    def all_gather(self, value: Any) -> list[Any]:
        """Every process's value, by rank, in every process; values must pickle."""
        if self.world_size == 1:
            return [value]
        import torch

        values: list[Any] = [None] * self.world_size
        with _heard():
            torch.distributed.all_gather_object(values, value)
        return values


def is_main() -> bool:
    """Whether this process will speak for all that torchrun starts, before they have joined."""
    return int(os.environ.get("RANK", "0")) == 0


def world_size() -> int:
    """How many processes torchrun starts for this job, before they have joined; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def _heard() -> Iterator[None]:
    """Say of a process that is gone what a person can use: torch tells of a closed connection."""
    try:
        yield
    except RuntimeError as error:
        raise gone() from error


def is_gone(error: Exception) -> bool:
    """Whether an error of torch means that another process has ended; what carries its messages is named in it."""
    return any(word in str(error) for word in ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer"))


def gone() -> SegcliError:
    """The error of a process that has lost another one."""
    return SegcliError("another process of this run has ended", "Its own message says why.")


@contextmanager
def join() -> Iterator[Processes]:
    """The processes that torchrun's environment describes, this one among them; left at the end of the block."""
    if world_size() == 1:
        yield Processes()
        return
    import torch

    # Its functions' default groups are those of the moment it is imported. Imported later, by way of torchvision, it
    # would keep the group; the group's threads would then meet the end of Python, which aborts now and then (code 134).
    import torch.distributed.nn

    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Processes(torch.distributed.get_rank(), torch.distributed.get_world_size())
    finally:
        torch.distributed.destroy_process_group()
