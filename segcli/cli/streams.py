"""Standard streams: where they are closed, full or read no more, they do not break off the work.

What a stream has lost is told at the end of the program. A reader who has seen enough (`| head`) has lost nothing.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Stream:
    """A text stream that goes on when it cannot be written to; in all else the stream that it is made of.

    Attributes:
        lost: Why something that was written is lost; None where nothing is.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.lost: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or note why it is lost; returns its length."""
        with self._going_on():
            self._stream.write(text)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        """Write texts one after the other, as `write` does."""
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        """Write what is held back, or note why it is lost."""
        with self._going_on():
            self._stream.flush()

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = self.lost or error
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def begin() -> None:
    """Make the process's three streams usable, whatever it was started with.

    A closed one becomes the null device: else the first file that is opened takes its number, and what libraries print
    goes into a mask.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    sys.stdin = sys.stdin or _null(0, "r")
    sys.stdout = Stream(_any_text(sys.stdout or _null(1, "w")))
    sys.stderr = Stream(_apart(sys.stderr or _null(2, "w")))


def _any_text(stream: TextIO) -> TextIO:
    """A stream that writes escapes for what its encoding lacks, such as a file's name in another script."""
    if getattr(stream, "errors", "") == "strict":
        stream.reconfigure(errors="backslashreplace")
    return stream


def _apart(stream: TextIO) -> TextIO:
    """Stderr on a descriptor of its own, so that what C libraries print can be caught without what we say."""
    stream.flush()
    return os.fdopen(os.dup(stream.fileno()), "w", buffering=1, encoding=stream.encoding, errors=stream.errors)


def _null(number: int, mode: str) -> TextIO:
    return os.fdopen(number, mode, encoding="utf-8", closefd=False)


def lost() -> OSError | None:
    """Why something on stdout did not arrive; None where all did. Writes out what is held back."""
    sys.stdout.flush()
    return getattr(sys.stdout, "lost", None)
