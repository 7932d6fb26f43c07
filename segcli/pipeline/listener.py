"""Listener: who hears what long work has to say. The command line's prints; this one is silent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segcli.files.download import Progress


class Counter:
    """Counts without showing."""

    def advance(self) -> None:
        """One more is done."""


class Listener:
    """Hears remarks, downloads and counts of long work, and does nothing with them."""

    def note(self, text: str) -> None:
        """A remark about what is being done, such as the device that was chosen."""

    def warn(self, text: str) -> None:
        """A remark that deserves attention."""

    @contextmanager
    def downloading(self) -> Iterator[Progress | None]:
        """Downloads happen in this block; call what it gives with (name, bytes done, bytes in all or None)."""
        yield None

    @contextmanager
    def counting(self, total: int, verb: str, unit: str = "images") -> Iterator[Counter]:
        """Work on `total` things happens in this block; `advance` what it gives after each."""
        yield Counter()


SILENT = Listener()
