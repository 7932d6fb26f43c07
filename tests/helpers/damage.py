"""Damages: what can happen to the bytes of any file, and what becomes of files that are damaged."""

import random
import re
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

NUMBERS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
)
"""Numbers at which counts and sizes go wrong."""
WORDS = ("nan", "inf", "-1", "0", "1e400", "1e-400", "99999999999999999999", "0.5", "true", "null", "", "9" * 5000)
"""What stands in a text in place of a number."""


def numbered(data: bytes, chance: random.Random) -> bytes:
    """A number in a text, or the bytes of one in anything else, is another one."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data[:20_000])) if chance.random() < 0.7 else []
    if found:
        number = chance.choice(found)
        return data[: number.start()] + chance.choice(WORDS).encode() + data[number.end() :]
    changed, width = bytearray(data), chance.choice((1, 2, 4, 8))
    reach = len(data) if chance.random() < 0.5 else min(len(data), 512)  # headers are at the beginning
    place = chance.randrange(max(1, reach - width))
    number = chance.choice(NUMBERS) % 256**width
    changed[place : place + width] = number.to_bytes(width, chance.choice(("little", "big")))
    return bytes(changed)


def spliced(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A piece of one file stands in place of a piece of another, or the two have become one in the middle."""
    start, begin = chance.randrange(len(data)), chance.randrange(len(other))
    if chance.random() < 0.5:
        return data[:start] + other[begin:]
    length = chance.randrange(1, 256)
    return data[:start] + other[begin : begin + length] + data[start + length :]
