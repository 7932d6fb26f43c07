"""Journal: how far a picture is that is done in parts, so that a run that is stopped goes on where it was.

What grows with the picture is appended to files, spools; the rest is one small file that takes the place of the last
one once the spools are on the disk. Whatever moment a process ends at, the two say the same.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segcli import decoding
from segcli.files import arrays, workplaces
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json

_STATE = "state.npz"
_META = "meta"
_AT_ONCE = 1 << 22
"""The bytes that are read at once to see whether a spool is whole."""


class Spool:
    """A file that only grows; what lies beyond its length was written by a process that ended before it said so.

    Args:
        path: The file.
        length: Its length in bytes as the journal knows it.
        checksum: The CRC-32 of these bytes.
    """

    def __init__(self, path: Path, length: int = 0, checksum: int = 0):
        self._path = path
        with path.open("ab") as file:
            file.truncate(length)
        self._file = path.open("ab")
        self.length, self.checksum = length, checksum

    def append(self, data: bytes | memoryview) -> None:
        """Add bytes to it."""
        self._file.write(data)
        self.length += len(data)
        self.checksum = zlib.crc32(data, self.checksum)

    def sync(self) -> None:
        """Bring it to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def read(self, start: int = 0) -> np.ndarray:
        """Its bytes from `start` on, uint8 (n,)."""
        self._file.flush()
        return np.fromfile(self._path, np.uint8, self.length - start, offset=start)

    def chunks(self) -> Iterator[bytes]:
        """What was added by `append_chunk`, one after the other."""
        self._file.flush()
        with self._path.open("rb") as file:
            while file.tell() < self.length:
                yield file.read(int.from_bytes(file.read(8), "little"))

    def append_chunk(self, data: bytes) -> None:
        """Add bytes that `chunks` gives again."""
        self.append(len(data).to_bytes(8, "little"))
        self.append(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def state(self) -> list[int]:
        """What the journal notes of it: its length and checksum."""
        return [self.length, self.checksum]


class Journal:
    """The journal of one picture.

    Args:
        folder: The output folder.
        name: The picture's name in it.
        key: Everything that decides what is made of it, JSON-plain: another key begins anew.

    Attributes:
        facts: What was last noted, JSON-plain; empty at the beginning.
        arrays: The arrays that were noted with it.
    """

    def __init__(self, folder: Path, name: str, key: Mapping[str, Any]):
        self._key = json.loads(to_json(dict(key)))
        self._folder = workplaces.of_giant(folder, name)
        self.facts: dict[str, Any] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self._spools: dict[str, Spool] = {}
        self._load()
        if not self.facts:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)

    def _load(self) -> None:
        found = arrays.read(self._folder / _STATE)
        try:
            facts = decoding.parse_json((found or {}).pop(_META).tobytes())
            whole = facts["key"] == self._key and all(
                _is_whole(self._folder / name, *state) for name, state in facts["spools"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # there is none, or it is damaged
            return
        if whole:
            self.facts, self.arrays = facts, found

    def spool(self, name: str) -> Spool:
        """The spool of that name."""
        if name not in self._spools:
            self._spools[name] = Spool(self._folder / name, *self.facts.get("spools", {}).get(name, ()))
        return self._spools[name]

    def note(self, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Note how far the picture is, once its spools are on the disk."""
        for spool in self._spools.values():
            spool.sync()
        self.facts = {**facts, "key": self._key, "spools": {name: spool.state for name, spool in self._spools.items()}}
        text = np.frombuffer(to_json(self.facts).encode(), np.uint8)
        with write_whole(self._folder / _STATE, durable=True) as file:
            np.savez(file, **arrays, **{_META: text})

    def close(self) -> None:
        """Close the spools; they stay."""
        for spool in self._spools.values():
            spool.close()

    def remove(self) -> None:
        """Remove it, when the picture is done."""
        self.close()
        workplaces.remove(self._folder)


def _is_whole(path: Path, length: int, checksum: int) -> bool:
    """Whether a spool's file begins with the bytes that were noted."""
    found = 0
    with path.open("rb") as file:
        while length > 0 and (part := file.read(min(length, _AT_ONCE))):
            found, length = zlib.crc32(part, found), length - len(part)
    return length == 0 and found == checksum
