"""Pace: calls that wait for a server, each in a thread of its own, given up once too little arrives.

A limit on a socket's silence is not enough: a server that sends a byte now and then stays below it for ever.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")

LEAST = 64 << 10
"""The bytes that must arrive within SECONDS."""
SECONDS = 60.0
"""The time in which they must."""


class StalledError(Exception):
    """Fewer than LEAST bytes arrived within SECONDS."""

    def __str__(self) -> str:
        return f"less than {LEAST >> 10} kB came in {SECONDS:.0f} seconds"


class Pace:
    """The least speed of a download; every LEAST bytes give it SECONDS more, or as many as it is made with."""

    def __init__(self, seconds: float | None = None):
        self._given_up, self._seconds = False, seconds
        self._restart()

    def _restart(self) -> None:
        self._came, self._until = 0, time.monotonic() + (self._seconds or SECONDS)

    def add(self, count: int) -> None:
        """Count bytes that arrived; StalledError for a call that nobody waits for any more, so that it ends."""
        if self._given_up:
            raise StalledError
        self._came += count
        if self._came >= LEAST:
            self._restart()

    def wait(self, call: Callable[[], Result]) -> Result:
        """What a call gives or raises; StalledError once time is up, whatever the call is waiting for."""
        future: Future[Result] = Future()
        Thread(target=_into, args=(future, call), daemon=True).start()
        try:
            while (left := self._until - time.monotonic()) > 0:
                try:
                    return future.result(left)
                except TimeoutError:
                    if future.done():  # the call's own
                        return future.result()
            raise StalledError
        except BaseException:
            self._given_up = not future.done()
            raise


def _into(future: Future, call: Callable) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # the one who waits is told of it
        future.set_exception(error)
