"""Several processes on one job, as torchrun starts them: who I am, and how results come together."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import distributed

Item = TypeVar("Item")


@dataclass(frozen=True)
class Team:
    """The processes that share a job; alone, a team of one.

    Attributes:
        rank: Which one this is, 0 to size - 1.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part: every size-th item, so that similar neighbours are shared out."""
        return items[self.rank :: self.size]

    def total(self, counts: np.ndarray) -> np.ndarray:
        """The sum of every process's int64 counts, exact, in every process."""
        if self.size == 1:
            return counts
        tensor = torch.from_numpy(counts.copy())
        distributed.all_reduce(tensor)
        return tensor.numpy()

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, by rank, in every process; values must pickle."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values


@contextmanager
def join() -> Iterator[Team]:
    """The team that torchrun's environment describes, or a team of one; left at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team()
        return
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
