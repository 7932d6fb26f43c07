"""Damages files of every kind that the tool reads, and looks that each is read or refused in one line, and soon.

    python tests/fuzz.py --count 100000 --minutes 30

shares so many among the readers: bits are turned over, ends cut off, pieces moved or spliced, numbers made absurd, and
what each format has of its own. Each is read in a process whose memory is limited and that may die: then it is begun
anew. `--kind NAME --first N --count 1` makes the Nth of a reader again.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import fuzz_workers
from fuzz_answers import ANSWERS
from fuzz_engine import Reader, Trial
from fuzz_pictures import PICTURES
from fuzz_records import RECORDS
from fuzz_settings import SETTINGS
from fuzz_weights import WEIGHTS
from fuzz_workers import Tally

READERS: tuple[Reader, ...] = (*PICTURES, *SETTINGS, *RECORDS, *WEIGHTS, *ANSWERS)
"""All readers that can be tried with the packages that are installed."""
WORDS = ("read", "refused", "crashed", "slow", "signal", "hang")
SHOWN = 5
"""The faults of a reader that are printed."""


def shares(readers: Sequence[Reader], count: int) -> list[int]:
    """How many of `count` files each reader is given; at least one."""
    whole = sum(reader.share for reader in readers)
    return [max(1, round(count * reader.share / whole)) for reader in readers]


def run(
    readers: Sequence[Reader], count: int, folder: Path, seed: int = 0, first: int = 0, minutes: float = 1e6
) -> Iterator[tuple[Reader, Tally]]:
    """Try one reader after the other; each has its share of the minutes, and what another leaves of its own."""
    begin, whole, used = time.monotonic(), sum(reader.share for reader in readers), 0.0
    for reader, number in zip(readers, shares(readers, count), strict=True):
        trial = Trial.of(reader, folder, seed)
        trial.check()
        used += reader.share
        until = begin + 60 * minutes * used / whole if len(readers) > 1 else begin + 60 * minutes
        yield reader, fuzz_workers.run(trial, range(first, first + number), until)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="of all readers together")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="", help="names of readers, with commas between; all without it")
    arguments = parser.parse_args()
    words = [word.strip() for word in arguments.kind.split(",") if word.strip()]
    readers = [reader for reader in READERS if not words or reader.name in words]
    if not readers:
        parser.error(f"the readers are {', '.join(reader.name for reader in READERS)}")
    faults = 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        total = Tally()
        for reader, tally in run(
            readers, arguments.count, Path(name), arguments.seed, arguments.first, arguments.minutes
        ):
            _show(reader.name, tally)
            total.counts += tally.counts
            total.seconds += tally.seconds
            total.processor += tally.processor
            total.memory = max(total.memory, tally.memory)
            faults += not tally.is_clean
    _show("all", total)
    sys.exit(bool(faults))


def _show(name: str, tally: Tally) -> None:
    counts = ", ".join(f"{tally.counts[word]} {word}" for word in WORDS)
    sys.stdout.write(f"{name:20} {counts}; {tally.processor:.1f} of {tally.seconds:.0f} s, {tally.memory >> 20} MB\n")
    sys.stdout.writelines(f"{told}\n" for told in tally.told[:SHOWN])
    sys.stdout.flush()


if __name__ == "__main__":
    main()
