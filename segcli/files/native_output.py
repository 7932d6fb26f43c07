"""Native output: what C libraries print on stderr while they work, caught and given to whoever called them.

libtiff says there, and nowhere else, which lines of a picture it could not decode.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition
from typing import BinaryIO, TypeVar

Made = TypeVar("Made")

STDERR = 2
"""The file descriptor that C code prints to."""
_LIBTIFF = re.compile(rb"[A-Za-z_][\w.]*: .*\.")
"""A line as libtiff's own handlers print it: "Fax4Decode: Bad code word at line 5 of strip 0 (x 2)."."""


def listened(work: Callable[[], Made]) -> tuple[Made, list[str]]:
    """What some work gives, and the lines that libtiff prints on stderr meanwhile; other libraries' go their way.

    Work of several threads goes on at the same time, so that a line may be another's: then the work is done once more,
    alone. Where stderr cannot be caught there are no lines. What Python prints on stderr is caught too, unless it has
    a descriptor of its own, as in the `segcli` program.
    """
    with _ear.shared() as heard:
        made = work()
    if not heard.lines or heard.was_alone:
        return made, heard.lines
    with _ear.alone() as heard:
        made = work()
    return made, heard.lines


class _Heard:
    """What was printed within a block.

    Attributes:
        lines: libtiff's.
        was_alone: Whether no other block was open meanwhile.
    """

    def __init__(self, was_alone: bool):
        self.lines: list[str] = []
        self.was_alone = was_alone


class _Ear:
    """File descriptor 2, which leads to a file while any block is open."""

    def __init__(self):
        self._changed = Condition()
        self._open: list[_Heard] = []
        self._is_taken = False
        self._file: BinaryIO | None = None
        self._real = -1

    @contextmanager
    def shared(self) -> Iterator[_Heard]:
        """A block beside which others may be open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken)
            heard = self._begin()
        try:
            yield heard
        finally:
            with self._changed:
                self._end(heard)

    @contextmanager
    def alone(self) -> Iterator[_Heard]:
        """A block beside which no other is open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken)
            self._is_taken = True
            self._changed.wait_for(lambda: not self._open)
            heard = self._begin()
        try:
            yield heard
        finally:
            with self._changed:
                self._is_taken = False
                self._end(heard)

    def _begin(self) -> _Heard:
        for other in self._open:
            other.was_alone = False
        if not self._open:
            self._redirect()
        self._open.append(heard := _Heard(not self._open))
        return heard

    def _end(self, heard: _Heard) -> None:
        lines = self._printed()
        for one in self._open:
            one.lines += lines
        self._open.remove(heard)
        if not self._open:
            self._restore()
        self._changed.notify_all()

    def _redirect(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()
            self._file = self._file or _file()
            self._real = os.dup(STDERR)
            os.dup2(self._file.fileno(), STDERR)

    def _restore(self) -> None:
        if self._real >= 0:
            os.dup2(self._real, STDERR)
            os.close(self._real)
            self._real = -1

    def _printed(self) -> list[str]:
        """The lines of libtiff since the last call; what others printed is passed on."""
        if self._real < 0 or not self._file.tell():
            return []
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        self._file.seek(0)
        self._file.truncate()
        found = [line.strip() for line in lines if _LIBTIFF.fullmatch(line.strip())]
        for line in lines:
            if line.strip() not in found:
                with suppress(OSError):
                    os.write(self._real, line)
        return [line.decode(errors="backslashreplace") for line in found]


def _file() -> BinaryIO:
    """A file in memory where the system has such; else without a name."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


_ear = _Ear()
