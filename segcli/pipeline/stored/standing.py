"""Standing: which files stand in an output folder in a store, and how large they are, by one listing."""

import hashlib
from array import array
from collections.abc import Iterable

import numpy as np


class Standing:
    """The sizes of files by their places, in sixteen bytes each: a hash of the place stands for it.

    Of a million places none share a hash, but in one of ten million such listings.
    """

    def __init__(self, files: Iterable[tuple[str, int | None]]):
        keys, sizes = array("Q"), array("q")
        for place, size in files:
            keys.append(_key(place))
            sizes.append(-1 if size is None else size)
        order = np.argsort(np.frombuffer(keys, np.uint64)) if keys else np.empty(0, np.int64)
        self._keys = np.array(keys, np.uint64)[order]
        self._sizes = np.array(sizes, np.int64)[order]

    def size(self, place: str) -> int | None:
        """The bytes of a file; None where there is none."""
        key = np.uint64(_key(place))
        index = int(np.searchsorted(self._keys, key))
        return int(self._sizes[index]) if index < len(self._keys) and self._keys[index] == key else None


def _key(place: str) -> int:
    return int.from_bytes(hashlib.blake2b(place.encode(errors="surrogateescape"), digest_size=8).digest())
