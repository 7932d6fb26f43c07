"""Lease: what keeps a folder of a store for one run. It is an object that the run replaces before it is too old.

Each renewal makes the object of the next number, which no store that keeps its word lets two runs make; so whoever has
lost the folder, because it stood still for long, notices at its next renewal. Only the store's clock counts.
"""

from __future__ import annotations

import threading
from uuid import uuid4

from segcli.errors import UsageError
from segcli.files.encoding import to_json
from segcli.storage.address import Address
from segcli.storage.store import Entry, Store
from segcli.storage.trouble import StoreError

FOLDER = ".segcli-lease"
"""The folder of the objects, below the folder that is kept."""
RENEWED, OLD = 20.0, 90.0
"""The seconds between two renewals, and those after which a lease belongs to no run that still lives."""


class Lease:
    """The lease of a folder.

    Args:
        store: The store.
        folder: The folder.

    Attributes:
        is_kept_apart: Whether the store refuses to make an object that is there: else two runs may write at once.
    """

    def __init__(self, store: Store, folder: Address):
        self._store, self._folder = store, folder
        self._owner = uuid4().hex
        self._number = 0
        self._lost = False
        self._end = threading.Event()
        self._keeper: threading.Thread | None = None
        self.is_kept_apart = True

    def take(self) -> None:
        """Keep the folder from now on.

        Raises:
            UsageError: Another run has it.
            StoreError: The store cannot be reached, or refuses.
        """
        earlier = self._numbered()
        if earlier and (age := self._now() - max(one.changed for one in earlier)) < OLD:
            raise self._taken(max(1, round(OLD - age)))
        self._number = max((_number(one) for one in earlier), default=0) + 1
        if not self._store.create(self._object(self._number), self._content()):
            raise self._taken(round(OLD))
        self.is_kept_apart = not self._store.create(self._object(self._number), b"{}")
        if not self.is_kept_apart:
            self._store.put(self._object(self._number), self._content())
        self._store.remove([one.address for one in earlier])
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def require(self) -> None:
        """StoreError where another run has the folder meanwhile."""
        if self._lost:
            message = f"another run writes to {self._folder}: this one had stood still for long"
            raise StoreError(message, "What is done is kept. When the other has ended, give the same command again.")

    def release(self) -> None:
        """Let others have it."""
        self._end.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
            if not self._lost:
                self._store.remove([self._object(self._number)])

    def _keep(self) -> None:
        while not self._end.wait(RENEWED):
            try:
                self._renew()
            except StoreError:  # the next time, or whoever writes, tells
                continue
            if self._lost:
                return

    def _renew(self) -> None:
        before = self._object(self._number)
        if self._store.create(self._object(self._number + 1), self._content()):
            self._number += 1
            self._store.remove([before])
        else:
            self._lost = True

    def _numbered(self) -> list[Entry]:
        return [one for one in self._store.listed(self._folder / FOLDER) if one.address.name.isdecimal()]

    def _now(self) -> float:
        """The store's time, as it writes it beside an object that is made now."""
        probe = self._folder / FOLDER / f"now-{self._owner}"
        self._store.put(probe, b"")
        try:
            return next(one.changed for one in self._store.listed(self._folder / FOLDER) if one.address == probe)
        finally:
            self._store.remove([probe])

    def _object(self, number: int) -> Address:
        return self._folder / FOLDER / f"{number:08}"

    def _content(self) -> bytes:
        return to_json({"run": self._owner}).encode()

    def _taken(self, seconds: int) -> UsageError:
        message = f"another process is writing to {self._folder}; nothing was done here"
        hint = "When it has ended, the same command does what is left"
        return UsageError(message, f"{hint}; if it was killed, in {seconds} seconds.")


def _number(entry: Entry) -> int:
    return int(entry.address.name)
