"""Lookup: whole numbers by keys, which are hashes of texts, in sixteen bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left

FEW = 10_000
"""So many things are put in order without numpy, which takes longer to import."""


class Lookup:
    """Whole numbers of 64 bits by keys of 64 bits, once all of them are known.

    Args:
        keys: The keys, of type "Q"; one may be there several times.
        values: The number of each, of type "q".
    """

    def __init__(self, keys: array, values: array):
        if len(keys) <= FEW:
            order = sorted(range(len(keys)), key=keys.__getitem__)
            self._keys = array("Q", (keys[number] for number in order))
            self._values = array("q", (values[number] for number in order))
            return
        import numpy as np

        order = np.argsort(np.frombuffer(keys, np.uint64), kind="stable") if keys else []
        self._keys = array("Q", np.frombuffer(keys, np.uint64)[order].tobytes() if keys else b"")
        self._values = array("q", np.frombuffer(values, np.int64)[order].tobytes() if keys else b"")

    def of(self, key: int) -> list[int]:
        """The numbers of a key, in the order in which they came; few keys have several."""
        found, place = [], bisect_left(self._keys, key)
        while place < len(self._keys) and self._keys[place] == key:
            found.append(self._values[place])
            place += 1
        return found
