"""Damages: what can happen to the bytes of any file, and what becomes of files that are damaged."""

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from segcli.errors import LONGEST, SegcliError


@dataclass
class Outcome:
    """What became of the damaged files of one kind.

    Attributes:
        counts: "read", "refused" or "crashed" -> how often.
        slowest: Seconds of the processor that one file took at most.
        crashes: The tracebacks, and messages that are no line.
    """

    counts: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    crashes: list[str] = field(default_factory=list)

    def add(self, read: Callable[[Path], object], path: Path) -> None:
        start = time.process_time()
        try:
            read(path)
            self.counts["read"] += 1
        except SegcliError as error:
            self._refused(error)
        except Exception:
            self.crash(traceback.format_exc())
        self.slowest = max(self.slowest, time.process_time() - start)

    def _refused(self, error: SegcliError) -> None:
        if "\n" in error.message or len(error.message) > LONGEST:
            self.crash(
                f"no line: {error.message[:200]!r} ({len(error.message)} characters)\n{traceback.format_exc()[:4000]}"
            )
        else:
            self.counts["refused"] += 1

    def crash(self, told: str) -> None:
        self.counts["crashed"] += 1
        self.crashes.append(told)


def flipped(data: bytes, chance: random.Random) -> bytes:
    """One to eight bits turned over."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data))]


def shuffled(data: bytes, chance: random.Random) -> bytes:
    """A piece is left out, doubled, or stands elsewhere."""
    start, length, target = (chance.randrange(len(data)) for _ in range(3))
    piece = data[start : start + length % 64 + 1]
    rest = data[:start] + data[start + len(piece) :] if chance.random() < 0.7 else data
    return rest[:target] + piece * chance.choice((0, 1, 2)) + rest[target:]


DAMAGES = (flipped, cut, shuffled)
