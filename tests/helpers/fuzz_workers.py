"""Workers: damaged files are read in processes that may die, hang or want too much memory, and are then begun anew."""

import faulthandler
import mmap
import os
import signal
import struct
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from damage import Outcome
from fuzz_engine import Trial

MEMORY = 1 << 30
"""The bytes that a worker may take beside those that it begins with."""
SLOW, HANGS = 5.0, 20.0
"""The seconds of the processor after which a file is a fault, and after which its reader is ended."""
WAITS = 120.0
"""The seconds after which a reader that does not even use the processor is ended."""
_PENDING, _READ, _REFUSED, _CRASHED, _SLOW = range(5)


@dataclass
class Tally:
    """What became of the damaged files of one reader.

    Attributes:
        counts: "read", "refused", "crashed", "slow", "signal" or "hang" -> how often.
        told: What is to be said of those that were neither read nor refused.
        seconds: How long it took, by the clock.
        processor: The seconds of the processor that it took.
        memory: The bytes that its workers took at most, beside those that they began with.
    """

    counts: Counter = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = 0.0
    memory: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether every file was read or refused."""
        return not self.counts.keys() - {"read", "refused"}


def run(trial: Trial, numbers: range, until: float = float("inf")) -> Tally:
    """Read damaged files in workers; after `until` by the monotonic clock no more are begun."""
    tally, begin, used = Tally(), time.monotonic(), _of_children()
    states = mmap.mmap(-1, max(1, len(numbers)) + 16)
    report = trial.folder.with_name(f"{trial.folder.name}.txt")
    index = 0
    while index < len(numbers) and time.monotonic() < until:
        status = _watched(_forked(lambda start=index: _work(trial, numbers, start, until, states, report)), states)
        index = int.from_bytes(states[:8], "little")
        if status == 0:
            break
        if status > 0:
            raise AssertionError(f"the damage itself failed: {trial.name(numbers[index])}")
        tally.counts["hang" if status == -signal.SIGALRM else "signal"] += 1
        tally.told.append(f"{trial.name(numbers[index])}: ended by {signal.Signals(-status).name}\n")
        tally.told[-1] += report.with_suffix(".fault").read_text(errors="replace")[:3000]
        index += 1
    _count(tally, states[16 : 16 + len(numbers)])
    tally.memory = int.from_bytes(states[8:16], "little")
    tally.told += report.read_text(errors="replace").split("\0")[:-1] if report.exists() else []
    tally.seconds, tally.processor = time.monotonic() - begin, _of_children() - used
    return tally


def _count(tally: Tally, states: bytes) -> None:
    for state, word in ((_READ, "read"), (_REFUSED, "refused"), (_CRASHED, "crashed"), (_SLOW, "slow")):
        if found := states.count(state):
            tally.counts[word] += found


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _watched(child: int, states: mmap.mmap) -> int:
    """A worker's exit code, or the signal that ended it, below 0; -SIGALRM where it was ended because it hung."""
    last, since, used = -1, time.monotonic(), 0.0
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        index = int.from_bytes(states[:8], "little")
        if index != last:
            last, since, used = index, time.monotonic(), _seconds(child)
        elif _is_running(child):
            since = time.monotonic()  # others may have the processor
        if _seconds(child) - used > HANGS or time.monotonic() - since > WAITS:
            os.kill(child, signal.SIGABRT)  # faulthandler says where it hangs
            time.sleep(0.5)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGALRM
        time.sleep(0.02)


def _seconds(process: int) -> float:
    """The seconds of the processor that a process has used."""
    fields = _facts(process)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _is_running(process: int) -> bool:
    return _facts(process)[0] == "R"


def _facts(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _work(trial: Trial, numbers: range, start: int, until: float, states: mmap.mmap, report: Path) -> None:
    """Read the files from the index `start` on, in a worker; notes how far it is and what became of each."""
    import resource  # which Windows lacks

    warnings.simplefilter("ignore")
    faulthandler.enable(report.with_suffix(".fault").open("w"))
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries print of damaged files
    sys.stdout = report.with_suffix(".out").open("w+")
    os.dup2(sys.stdout.fileno(), 1)
    _limit_memory()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with report.open("a") as file:
        for index in range(start, len(numbers)):
            if time.monotonic() > until:
                break
            states[:8] = struct.pack("<Q", index)
            outcome = Outcome()
            trial.attempt(numbers[index], outcome)
            if printed := _printed():
                outcome.counts.clear()
                outcome.crash(f"{trial.name(numbers[index])}: stdout, which is --json's, has {printed!r}")
            states[16 + index] = _state(outcome)
            if outcome.slowest > SLOW:
                outcome.crashes.append(f"{trial.name(numbers[index])}: took {outcome.slowest:.1f} s")
            file.writelines(f"{crash}\0" for crash in outcome.crashes)
            file.flush()
            taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            states[8:16] = struct.pack("<Q", max(taken, int.from_bytes(states[8:16], "little")))


def _printed() -> str:
    """What was printed to stdout since it was last asked."""
    sys.stdout.flush()
    if not os.fstat(1).st_size:
        return ""
    sys.stdout.seek(0)
    text = sys.stdout.read(500)
    sys.stdout.seek(0)
    sys.stdout.truncate()
    return text


def _limit_memory() -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _state(outcome: Outcome) -> int:
    if outcome.slowest > SLOW:
        return _SLOW
    return {"read": _READ, "refused": _REFUSED, "crashed": _CRASHED}[next(iter(outcome.counts))]
