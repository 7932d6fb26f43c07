"""The ledger of an output folder in a store, and the one of what is on its way there."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from segcli.errors import InputError
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.records import Record
from segcli.pipeline.stored.destination import Destination


class StoreLedger(Ledger):
    """The records of an output folder in a store: lines of the manifest's copy, and of parts in the store.

    Args:
        destination: The folder.
    """

    def __init__(self, destination: Destination):
        super().__init__(destination.folder)
        self._destination = destination

    def append(self, record: Record) -> None:
        """Note a record whose files are in the store."""
        super().append(record)
        self._destination.note(record)

    def file(self, record: Record, kind: str) -> Path | None:
        """A copy of a record's file of a kind; None where there is none."""
        output = record.outputs.get(kind)
        return None if output is None or self._size(output) is None else self._destination.fetch(output["path"])

    def compact(self) -> bool:
        """Nothing is left out here: the manifest in the store is put together from its parts."""
        return False

    def look_again(self) -> None:
        """Forget which files stood there when they were last listed."""
        self._destination.__dict__.pop("standing", None)

    def _size(self, output: dict[str, Any]) -> int | None:
        return self._destination.standing.size(output["path"])

    def _stands(self, output: dict[str, Any], verify: bool) -> bool:
        if self._size(output) != output["bytes"]:
            return False
        if not verify or "sha256" not in output:
            return True
        with suppress(InputError):
            return hashlib.sha256(self._destination.read(output["path"])).hexdigest() == output["sha256"]
        return False


class Transit:
    """The ledger of what is made on this computer, which goes to the store and counts once it is there.

    Attributes:
        folder: The output folder.
        is_home: As for a Ledger.
    """

    is_home: ClassVar[bool] = False

    def __init__(self, folder: Path):
        self.folder = folder

    def append(self, record: Record) -> None:
        """Pass over a record."""
