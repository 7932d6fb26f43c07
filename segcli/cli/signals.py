"""Signals: Ctrl-C, TERM and HUP end the program at any moment, with 128 and the signal's number as its exit code.

Where an end wants care (`Watch.orderly`), the first signal raises KeyboardInterrupt. At any other moment, and at the
second signal, the process ends at once: files are whole or not there at any moment, so that nothing is lost by it.
This module imports little, since it comes before all else: the rest takes seconds, in which people press Ctrl-C.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals that end a program; Windows has no SIGHUP."""
_SHOW_CURSOR = b"\x1b[?25h"
_LAST_WORDS = (
    b'{"error": "interrupted", "hint": "What was written is whole: give the same command again, a training with '
    b'--resume.", "exit_code": %d}\n'
)


class Watch:
    """What the process does when it is told to end.

    Attributes:
        received: The number of the first signal that came; 0 before.
        owes_json: Whether `--json` has yet to print its object, which then says that the command was interrupted.
    """

    def __init__(self):
        self.received = 0
        self.owes_json = False
        self._orderly = 0

    def begin(self) -> None:
        """Answer the signals from now on, but for those that whoever started the process had ignored, as nohup does."""
        for number in ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._answer)
        sys.unraisablehook = self._unraisable
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_leave_to_the_parent)

    @contextmanager
    def orderly(self) -> Iterator[None]:
        """Within it, the first signal raises KeyboardInterrupt, so that what is in hand can be kept and tidied up."""
        self._orderly += 1
        try:
            yield
        finally:
            self._orderly -= 1

    def leave(self) -> NoReturn:
        """End the process now, without Python's own end: threads of libraries abort in it now and then."""
        if atomic := sys.modules.get("segcli.files.atomic"):
            atomic.clear_unfinished()
        code = 128 + self.received
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)  # a progress bar hides it
        with suppress(OSError):
            if self.owes_json:
                os.write(1, _LAST_WORDS % code)
        os._exit(code)

    def _answer(self, number: int, _: FrameType | None) -> None:
        is_first = not self.received
        self.received = self.received or number
        if is_first and self._orderly:
            raise KeyboardInterrupt
        self.leave()

    def _unraisable(self, found: Any) -> None:
        """Leave where a KeyboardInterrupt came up in a place that cannot pass it on, such as a `__del__`."""
        if isinstance(found.exc_value, KeyboardInterrupt):
            self.leave()
        sys.__unraisablehook__(found)


def _leave_to_the_parent() -> None:
    """In a process that reads photos for this one: Ctrl-C goes to both, and this one ends it."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)


WATCH = Watch()
"""The process's own."""
