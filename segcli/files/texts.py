"""Texts: many short ones in one piece of memory, where a list takes fifty bytes more for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator


class Texts:
    """Texts by their number, from 0 on; any text that Python can hold.

    Args:
        texts: The first of them.
    """

    def __init__(self, texts: Iterable[str] = ()):
        self._bytes = bytearray()
        self._ends = array("Q")
        self.extend(texts)

    def append(self, text: str) -> None:
        """Add one at the end."""
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def extend(self, texts: Iterable[str]) -> None:
        """Add several at the end."""
        for text in texts:
            self.append(text)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        """Of a number from 0 on; IndexError where there is none."""
        begin = self._ends[number - 1] if number else 0
        return self._bytes[begin : self._ends[number]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))
