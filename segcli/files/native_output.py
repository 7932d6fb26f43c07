"""Native output: what C libraries print on stderr while they work, caught and given to whoever called them.

libtiff says there, and nowhere else, which lines of a picture it could not decode.
"""

import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition
from typing import TypeVar

Made = TypeVar("Made")

STDERR = 2
"""The file descriptor that C code prints to."""
_LIBTIFF = re.compile(rb"[A-Za-z_][\w.]*: .*\.")
"""A line as libtiff's own handlers print it: "Fax4Decode: Bad code word at line 5 of strip 0 (x 2)."."""
_MOST_KEPT = 1 << 24
"""After so many bytes the file is emptied, for which a block waits until no other is open."""


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
    """File descriptor 2, which leads to a file while any block is open.

    Whoever prints appends, and what was read stays until no block is open: C code may print at any moment, also between
    the reading and what would clear it away.
    """

    def __init__(self):
        self._changed = Condition()
        self._open: list[_Heard] = []
        self._is_taken = False
        self._file = self._real = -1
        self._read = 0

    @contextmanager
    def shared(self) -> Iterator[_Heard]:
        """A block beside which others may be open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken and (self._read < _MOST_KEPT or not self._open))
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

    def after_fork(self) -> None:
        """Begin anew in a forked process: the file is its parent's, and so are the blocks."""
        if self._real >= 0:
            os.dup2(self._real, STDERR)
            os.close(self._real)
        if self._file >= 0:
            os.close(self._file)
        self.__init__()

    def _end(self, heard: _Heard) -> None:
        if heard not in self._open:  # the process was forked within the block
            return
        lines = self._printed(whole=len(self._open) > 1)
        for one in self._open:
            one.lines += lines
        self._open.remove(heard)
        if not self._open:
            self._restore()
        self._changed.notify_all()

    def _redirect(self) -> None:
        with suppress(OSError, ValueError, AttributeError):  # closed, on a full disk, or None as of pythonw
            sys.stderr.flush()
        with suppress(OSError):
            real = os.dup(STDERR)  # first: where it is closed, the file would take its place
            try:
                self._file = self._file if self._file >= 0 else _file()
                os.dup2(self._file, STDERR)
            except OSError:
                os.close(real)
                raise
            self._real = real

    def _restore(self) -> None:
        if self._real >= 0:
            os.dup2(self._real, STDERR)
            os.close(self._real)
            self._real = -1
            os.ftruncate(self._file, 0)
            self._read = 0

    def _printed(self, whole: bool) -> list[str]:
        """The lines of libtiff since the last call; what others printed is passed on.

        Args:
            whole: Leave the beginning of a line for the next call: libtiff prints a line in several pieces.
        """
        if self._real < 0:
            return []
        new = self._new()
        rest = len(new) - (new.rfind(b"\n") + 1) if whole else 0
        self._read -= rest
        lines = new[: len(new) - rest].splitlines(keepends=True)
        found = [line.strip() for line in lines if _LIBTIFF.fullmatch(line.strip())]
        for line in lines:
            if line.strip() not in found:
                with suppress(OSError):
                    os.write(self._real, line)
        return [line.decode(errors="backslashreplace") for line in found]

    def _new(self) -> bytes:
        """What the file holds that was not read yet."""
        end, found = os.fstat(self._file).st_size, b""
        while self._read < end:
            found += (part := _read_at(self._file, end - self._read, self._read))
            self._read += len(part)
        return found


def _read_at(file: int, size: int, offset: int) -> bytes:
    """At most so many bytes from there on; where the system cannot do it in one step maybe none, and no others."""
    if hasattr(os, "pread"):
        return os.pread(file, size, offset)  # whatever others print meanwhile, which moves the file's own place
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, size)


def _file() -> int:
    """A file that all writing appends to: in memory where the system has such, else without a name."""
    if sys.platform == "win32":
        name = Path(tempfile.gettempdir(), f"segcli-{os.getpid()}-{secrets.token_hex(8)}")
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_TEMPORARY | os.O_BINARY)
    import fcntl

    if hasattr(os, "memfd_create"):
        made = os.memfd_create("stderr")
    else:
        with tempfile.TemporaryFile() as file:
            made = os.dup(file.fileno())
    fcntl.fcntl(made, fcntl.F_SETFL, os.O_APPEND)
    return made


_ear = _Ear()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ear.after_fork)
