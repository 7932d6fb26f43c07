"""Scheduler: the connection to a Dask scheduler, which shares out calls among its workers and does them again."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError, UsageError
from segcli.pipeline.cluster.address import SchedulerAddress
from segcli.pipeline.listener import SILENT, Listener

if TYPE_CHECKING:
    from distributed import Client, Future

INSTALL = "pip install 'segcli[cluster]'"
SECONDS_TO_CONNECT = 15
SECONDS_TO_PART = 5
SECONDS_TO_FETCH = 10
BETWEEN_LOOKS = 2.0
"""The seconds between two looks at which workers there are: they come and go."""
NAP = 0.02
"""The seconds between two looks at what is done; a worker has its next batch by then."""
AGAIN = "What is done is kept: when the scheduler is there again, the same command goes on."
CERTIFICATES = (
    "Name them by Dask's own settings: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ...__TLS__CLIENT__CERT and "
    "...__TLS__CLIENT__KEY."
)


class KilledError(Exception):
    """A call whose workers died again and again."""


@dataclass(frozen=True)
class Landed:
    """A call that is over.

    Attributes:
        note: What was sent with it, which no worker sees.
        result: What it gave; where it has failed the error, KilledError where its workers died.
    """

    note: Any
    result: Any


class Scheduler:
    """The connection to a Dask scheduler; nothing here listens or starts anything.

    Args:
        address: Where it is.
        listener: Hears that there is no worker.

    Attributes:
        threads: The threads of each worker, by its address, when it was last asked for them.
    """

    def __init__(self, address: SchedulerAddress, listener: Listener = SILENT):
        self.address = address
        self._listener = listener
        self._client: Client | None = None
        self.threads: dict[str, int] = {}
        self._looked, self._is_told = 0.0, False

    def connect(self) -> None:
        """Connect, unless that is done.

        Raises:
            UsageError: The package is not installed, or there are no certificates for tls://.
            SegcliError: No scheduler answers.
        """
        if self._client is not None:
            return
        if find_spec("distributed") is None:
            raise UsageError("--cluster needs the package distributed, which is not installed", INSTALL)
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is told here
        try:
            self._client = Client(str(self.address), timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (TypeError, ValueError, ssl.SSLError, FileNotFoundError) as error:
            if self.address.scheme != "tls":
                raise
            raise UsageError(f"{self.address} takes certificates that are not there ({error})", CERTIFICATES) from error
        except (OSError, TimeoutError) as error:
            hint = "Is it running, and is that its address? `dask scheduler` prints it."
            raise SegcliError(f"no Dask scheduler answers at {self.address}", hint) from error

    def workers(self, fresh: bool = False) -> Sequence[str]:
        """The addresses of the workers, now or as they were a moment ago; says so where there is none."""
        if fresh or time.monotonic() - self._looked >= BETWEEN_LOOKS:
            with self._explained():
                self.threads = dict(self._client.nthreads())
            self._looked = time.monotonic()
            if not self.threads and not self._is_told:
                self._listener.warn(f"no worker is there: waiting for one to join {self.address}")
            self._is_told = not self.threads
        return tuple(self.threads)

    def wait_for_workers(self) -> None:
        """Wait until there is a worker, with a call that one has to make: some clusters grow when there is work."""
        if not self.workers(fresh=True):
            with self._explained():
                self._client.submit(_nothing, pure=False).result()
            self.workers(fresh=True)

    def ask(self, function: Callable, *arguments: Any) -> dict[str, Any]:
        """What each worker answers at once, by its address; an exception where it cannot."""
        with self._explained():
            return self._client.run(function, *arguments, on_error="return")

    def flight(self) -> Flight:
        """Calls to be made."""
        return Flight(self, self._client)

    def gone(self) -> SegcliError:
        """The error of a scheduler that has ended or cannot be reached any more."""
        return SegcliError(f"the connection to the scheduler at {self.address} is lost", AGAIN)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from distributed.client import CancelledError

        try:
            yield
        except (OSError, TimeoutError, CancelledError) as error:
            raise self.gone() from error

    def close(self) -> None:
        """Part from it; what is not done is forgotten there."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # it may be gone
                client.close(timeout=SECONDS_TO_PART)


class Flight:
    """Calls that workers make, as they become done.

    Args:
        scheduler: Shares them out.
        client: The connection.
    """

    def __init__(self, scheduler: Scheduler, client: Client):
        from distributed import as_completed

        self._scheduler, self._client = scheduler, client
        self._completed = as_completed(loop=client.loop)
        self._notes: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._notes)

    def send(self, function: Callable, *arguments: Any, note: Any, workers: Sequence[str] = ()) -> None:
        """Have a worker make a call; one of `workers`, if any is named and there."""
        where = {"workers": list(workers), "allow_other_workers": True} if workers else {}
        future = self._client.submit(function, *arguments, pure=False, **where)
        self._notes[future.key] = note
        self._completed.add(future)

    def landed(self) -> Iterator[Landed]:
        """What has become done, once anything has.

        Raises:
            SegcliError: The connection to the scheduler is lost.
        """
        while self._notes and not self._completed.has_ready():
            self._scheduler.workers()
            time.sleep(NAP)
        while self._notes and self._completed.has_ready():
            future = next(self._completed)
            try:
                result = self._result(future)
            except TimeoutError:  # the worker that had it has died since, and another one does it again
                self._completed.add(future)
                return
            yield Landed(self._notes.pop(future.key), result)

    def _result(self, future: Future) -> Any:
        """What a call that is over has given, or its error. Raises TimeoutError where that does not come."""
        from distributed import KilledWorker
        from distributed.client import CancelledError

        if future.status == "error":
            error = _error_of(future)
            return KilledError() if isinstance(error, KilledWorker) else error
        try:
            return future.result(timeout=SECONDS_TO_FETCH)
        except (OSError, CancelledError) as error:
            if isinstance(error, TimeoutError) and future.status != "cancelled":
                raise
            raise self._scheduler.gone() from error


def _error_of(future: Future) -> BaseException:
    """The error of a call, or the one that is met when it is read: its class may not be known here."""
    try:
        return future.exception(timeout=SECONDS_TO_FETCH)
    except Exception as error:
        return error


def _nothing() -> None:
    """Nothing, for which a worker is needed."""
