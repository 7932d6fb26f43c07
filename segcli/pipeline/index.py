"""Index: a number for each of many names, found by a hash of it, in some thirty bytes a name."""

from __future__ import annotations

from array import array

HASH = (1 << 64) - 1
"""The bits of `hashed`."""
_FEWEST = 1 << 10
_PER_NUMBER = array("I").itemsize


def hashed(text: str) -> int:
    """A hash of a text of 64 bits, which no other process has; of a million texts none share one.

    But for one in forty million such sets. Who reads a record by its name compares the names as well.
    """
    return hash(text) & HASH


class Index:
    """The numbers of names, from 0 on in the order in which they first came.

    Any thread may look while one adds.
    """

    def __init__(self):
        self._hashes = array("Q")
        self._slots = _empty(_FEWEST)

    def __len__(self) -> int:
        return len(self._hashes)

    def number(self, name: str) -> int | None:
        """The number of a name; None where it is not known."""
        slots = self._slots
        number = slots[self._slot(slots, hashed(name))]
        return number - 1 if number else None

    def add(self, name: str) -> None:
        """Give the next number to a name that has none."""
        if 3 * len(self._hashes) >= 2 * len(self._slots):
            self._grow()
        key = hashed(name)
        self._hashes.append(key)
        self._slots[self._slot(self._slots, key)] = len(self._hashes)

    def _slot(self, slots: array, key: int) -> int:
        """The place of a hash, or the free one where it would be; a number is there plus 1."""
        hashes, last = self._hashes, len(slots) - 1
        slot = key & last
        while (number := slots[slot]) and hashes[number - 1] != key:
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        slots = _empty(2 * len(self._slots))
        last = len(slots) - 1
        for number, key in enumerate(self._hashes, 1):
            slot = key & last
            while slots[slot]:
                slot = (slot + 1) & last
            slots[slot] = number
        self._slots = slots


def _empty(size: int) -> array:
    return array("I", bytes(_PER_NUMBER * size))
