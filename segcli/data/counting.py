"""Counting: who shows how far long work in this room has come."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Protocol


class Counter(Protocol):
    """Counts things that are done."""

    def advance(self) -> None:
        """One more is done."""


Counting = Callable[[int, str], AbstractContextManager[Counter]]
"""Makes a block for work on so many things, called by a verb; `pipeline.listener.Listener.counting` is one."""


@contextmanager
def uncounted(total: int, verb: str) -> Iterator[Counter]:
    """A block for work that nobody counts."""
    yield SimpleNamespace(advance=lambda: None)
