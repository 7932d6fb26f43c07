"""The recorder: photos' records, held back until the photos' files are on the disk."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType

from segcli.files.atomic import sync, writing
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.records import Record

SECONDS = 1.0
"""The time between two batches; a run that is killed does at most about this much again."""


class Recorder:
    """Appends records to a ledger, a batch about every second, once their files would outlast a loss of power.

    A thread of its own waits for the disk, so that no photo does. Any thread may add. At the end of the `with` block
    all that was added is in the ledger, also where the block raises.

    Args:
        ledger: Takes the records, in the order in which they were added.
    """

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._waiting: list[Record] = []
        self._lock = threading.Lock()
        self._due = time.monotonic() + SECONDS
        self._keeper = ThreadPoolExecutor(1)
        self._batch: Future | None = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._keeper.shutdown()
        if error is None:
            with writing(self._ledger.folder):
                self._check()
                self._keep()
        else:
            with suppress(OSError):  # the block's error is the one to be told
                self._keep()

    def add(self, record: Record) -> None:
        """Take a record whose files are whole; OSError where those of an earlier batch did not get to the disk."""
        with self._lock:
            self._waiting.append(record)
            if time.monotonic() < self._due or (self._batch and not self._batch.done()):
                return
            self._check()
            self._batch = self._keeper.submit(self._keep)

    def _check(self) -> None:
        """Raise the error of the last batch, if it had one."""
        if self._batch:
            self._batch.result()

    def _keep(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        folder = self._ledger.folder
        if self._ledger.is_home:
            sync(folder / output["path"] for record in batch for output in record.outputs.values())
        for record in batch:
            self._ledger.append(record)
        self._due = time.monotonic() + SECONDS
