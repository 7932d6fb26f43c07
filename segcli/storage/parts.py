"""Parts: the lines of a file of a store that grows, each few of them an object of their own until they are merged."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segcli.storage.address import Address
from segcli.storage.store import THREADS, Entry, Store
from segcli.storage.trouble import StoreError

MOST, SECONDS = 50, 30.0
"""The lines of a part, and the seconds after which it is put though there are fewer."""


class Parts:
    """The lines of a file, such as manifest.jsonl, and of its parts, such as manifest/00000017.jsonl.

    Args:
        store: The store.
        whole: The file's address.
    """

    def __init__(self, store: Store, whole: Address):
        self._store, self._whole = store, whole
        self._folder = whole.parent / whole.name.partition(".")[0]
        self._lines: list[bytes] = []
        self._since = time.monotonic()
        self._next = 0
        self._is_there = False
        self._lock = threading.Lock()

    def fetch(self, path: Path) -> None:
        """Write the file with all lines of its parts to this computer; empty where there is none. Raises StoreError."""
        found = self._store.find(self._whole)
        self._is_there = found is not None
        if found is not None:
            self._store.fetch(found, path)
        parts = self._listed()
        self._next = 1 + max((_number(part) for part in parts), default=-1)
        with path.open("ab") as file, ThreadPoolExecutor(THREADS) as pool:
            if file.tell() and not _ends_whole(path):
                file.write(b"\n")
            for lines in pool.map(lambda part: self._store.read(part.address), parts):
                file.write(lines)

    def begin(self) -> None:
        """Make the file where there is none, empty. Raises StoreError."""
        if not self._is_there:
            self._store.create(self._whole, b"")

    def add(self, line: bytes) -> None:
        """Take a line, which ends with a newline; a part is put once there are enough. Raises as `put` does."""
        with self._lock:
            self._lines.append(line)
            is_due = len(self._lines) >= MOST or time.monotonic() - self._since > SECONDS
        if is_due:
            self.put()

    def put(self) -> None:
        """Put what was taken as a part.

        Raises:
            StoreError: Another run has put a part of that number, or the store cannot be reached, or refuses.
        """
        with self._lock:
            lines, self._lines, self._since = self._lines, [], time.monotonic()
            if not lines:
                return
            part = self._folder / f"{self._next:08}.jsonl"
            if not self._store.create(part, b"".join(lines)):
                message = f"another run writes to {self._whole.parent}: {part} is there already"
                raise StoreError(message, "When it has ended, the same command does what is left.")
            self._next += 1

    def merge(self, path: Path) -> None:
        """Put a file of this computer that holds all lines as the whole, and remove the parts, if there are any.

        Raises:
            StoreError: The store cannot be reached, or refuses.
        """
        if parts := self._listed():
            self._store.send(self._whole, path)
            self._store.remove([part.address for part in parts])

    def _listed(self) -> list[Entry]:
        parts = (one for one in self._store.listed(self._folder) if one.address.name.endswith(".jsonl"))
        return sorted((one for one in parts if _stem(one).isdecimal()), key=_number)


def _stem(part: Entry) -> str:
    return part.address.name.removesuffix(".jsonl")


def _number(part: Entry) -> int:
    return int(_stem(part))


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
