"""Every error that a user can cause or meet, and the exit code each one ends with.

SegcliError                 1  the work failed
├── UsageError              2  the command line or a configuration asks for something that cannot be
├── InputError              1  one file cannot be used; a folder run records it, goes on and ends with 3
├── WeightsError            1  weights cannot be had, or do not fit
├── DatasetError            1  a dataset is missing or broken
└── DeviceError             1  the device that was asked for cannot do the work

A message says in one line what is wrong; its hint says what to do next. Anything else that
is raised is a bug and says so.
"""

from collections.abc import Iterable
from difflib import get_close_matches

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
"""The exit codes: done, failed, wrong usage, done but some inputs failed; a signal's is 128 and its number."""


LONGEST = 2000
"""The most characters of a message, or of a line of a hint: what a file holds must not fill the screen."""


class SegcliError(Exception):
    """The base of all expected errors: what went wrong, in one line, and what to do about it.

    The texts are made printable, the message one line, since they may quote what a file holds.

    Args:
        message: One line without a full stop at its end.
        hint: The next step, as a sentence or a command, or a few lines; empty when the message holds it already.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, hint: str = ""):
        self.message = _line(message)
        self.hint = "\n".join(map(_line, hint.split("\n")))
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


def _line(text: str) -> str:
    """A text on one line, with escapes for what would not print, and without its end where it is too long."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: LONGEST + 1])
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


class UsageError(SegcliError):
    """The command line or a configuration asks for something that cannot be."""

    exit_code = EXIT_USAGE


class InputError(SegcliError):
    """One input file cannot be used."""


class WeightsError(SegcliError):
    """Weights cannot be had, cannot be trusted, or do not fit the model."""


class DatasetError(SegcliError):
    """A dataset is missing, incomplete or broken."""


class DeviceError(SegcliError):
    """The device that was asked for is not there or cannot do the work."""


def nearest(word: str, known: Iterable[str], otherwise: str = "", most: int = 1) -> str:
    """The hint for a word that is not among the known ones.

    Args:
        word: The word that the user wrote.
        known: The words that there are.
        otherwise: The hint where nothing is near; a list of all that is known if empty.
        most: The number of near words to offer.
    """
    known = list(known)
    if near := get_close_matches(word, known, n=most):
        return f"Did you mean {' or '.join(near)}?"
    return otherwise or f"Known: {', '.join(known)}."
