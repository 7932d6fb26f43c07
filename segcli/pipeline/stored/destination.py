"""Destination: an output folder in a store. Files are made on this computer, and put when they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from segcli.errors import UsageError
from segcli.files.encoding import to_json
from segcli.files.sources import RESULT_FILES
from segcli.pipeline.kinds import FRAME_FILES
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.records import DONE, RUN_FILE, Record
from segcli.pipeline.stored.standing import Standing
from segcli.storage.address import Address
from segcli.storage.lease import Lease
from segcli.storage.parts import Parts
from segcli.storage.store import Store

MANIFEST = RESULT_FILES[0]
CORRECTED_THERE = ("labelme", "yolo")
"""The kinds of label files that people correct where they lie, which takes a folder of a computer."""


def require_writable(address: Address) -> None:
    """Raise UsageError where the store is one that segcli does not write to."""
    if not address.kind.writes:
        message = f"{address}: segcli does not write to {address.scheme}://"
        raise UsageError(message, "Name a folder of this computer, or of s3:// or gs://.")


class Destination:
    """An output folder in a store, and the folder of this computer in which its files are made.

    Args:
        address: Where to.
        store: Its store.
        folder: The folder of this computer; it is made, with the manifest and the run.toml that are there.

    Raises:
        UsageError: The store is one that segcli does not write to.
        StoreError: It cannot be reached, or refuses.
    """

    def __init__(self, address: Address, store: Store, folder: Path, listener: Listener = SILENT):
        require_writable(address)
        self.address, self.folder = address, folder
        self._store, self._listener = store, listener
        self._is_taken = False
        self._lease = Lease(store, address)
        self._parts = Parts(store, address / MANIFEST)
        folder.mkdir(parents=True)
        self._parts.fetch(folder / MANIFEST)
        if (found := store.find(address / RUN_FILE)) is not None:
            store.fetch(found, folder / RUN_FILE)

    def take(self) -> None:
        """Keep it for this run; twice is once. Raises UsageError where another run has it."""
        if self._is_taken:
            return
        self._lease.take()
        self._is_taken = True
        if not self._lease.is_kept_apart:
            message = f"{self.address.scheme}:// makes objects anew that are there already"
            self._listener.warn(f"{message}: see to it that no other run writes there")

    def begin(self) -> None:
        """Put run.toml, and a manifest where there is none: a folder that holds both is never read as input."""
        self._parts.begin()
        self.put(RUN_FILE)

    def release(self) -> None:
        """Put what is waiting, and let others have it."""
        if self._is_taken:
            self._is_taken = False
            try:
                self._parts.put()
            finally:
                self._lease.release()

    def put(self, name: str) -> None:
        """Put a file that is made of the whole run, such as areas.csv, unless it is there as it is."""
        self._lease.require()
        if not self._store.holds(self.address / name, self.folder / name):
            self._store.send(self.address / name, self.folder / name)

    def finish(self) -> None:
        """Put what sums up the folder, and the manifest as a whole in the place of its parts."""
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and path.name not in (MANIFEST, RUN_FILE) and not path.name.startswith("."):
                self.put(path.name)
        self._lease.require()
        self._parts.put()
        self._parts.merge(self.folder / MANIFEST)

    def publish(self, record: Record, before: Record | None) -> Record:
        """Put a photo's files; remove those of its earlier record that it has no more.

        Raises:
            StoreError: The store cannot be reached, or refuses, or another run has the folder meanwhile.
        """
        self._lease.require()
        for path in self._files(record):
            self._store.send(self.address / path.relative_to(self.folder).as_posix(), path)
            path.unlink()
        if before is not None and record.status == DONE:
            gone = {output["path"] for output in before.outputs.values()} - _paths(record)
            self._store.remove([self.address / path for path in gone])
        return record

    def _files(self, record: Record) -> Iterator[Path]:
        """The files of a record, and of a film its frames, in an order in which none tells of another to come."""
        if FRAME_FILES in record.outputs:
            frames = (self.folder / record.outputs[FRAME_FILES]["path"]).parent
            yield from sorted(path for path in frames.glob("*.png"))
        yield from (self.folder / path for path in _paths(record))

    def note(self, record: Record) -> None:
        """Keep the line of a record whose files are there."""
        self._lease.require()
        self._parts.add(to_json(record.to_dict()).encode() + b"\n")

    def fetch(self, place: str) -> Path:
        """A file of it, copied to this computer. Raises InputError where it is gone."""
        path = self.folder / place
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(place))
        return path

    def read(self, place: str) -> bytes:
        """The bytes of a file of it. Raises InputError where it is gone."""
        return self._store.read(self.address / place)

    @cached_property
    def standing(self) -> Standing:
        """The sizes of the files that stand there, by one listing."""
        start = len(f"{self.address}/")
        return Standing(
            (str(one.address)[start:], one.size) for page in self._store.pages(self.address) for one in page
        )


def _paths(record: Record) -> set[str]:
    return {output["path"] for output in record.outputs.values()}
