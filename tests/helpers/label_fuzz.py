"""Damages label files in thousands of ways, and looks that each is read or refused in one line, soon, in little memory.

    python tests/fuzz.py --count 500 --kind JSON,XML

makes so many of each kind, of all forms in turn. `--first N --count 1` makes the Nth again.
"""

import argparse
import random
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import label_files
import numpy as np
from damage import DAMAGES, Outcome
from label_damage import OWN_DAMAGES
from label_files import SIZE, LabelFile

from segcli.data import names
from segcli.data.folder import open_folder
from segcli.data.forms import recognise
from segcli.data.forms.shapes import draw
from segcli.data.reading import Choice
from segcli.errors import SegcliError

KINDS = ("JSON", "XML", "YAML", "TXT", "PNG", "ROI")
SLOW, HANGS = 2, 10
"""The seconds of the processor after which a file is a fault, and after which it is given up."""
MEMORY = 1 << 30
"""The bytes that reading one file may take beside what the program has already."""


def read(folder: Path, file: LabelFile) -> None:
    """Read the label file of a folder in every way that segcli does; raises its error if one of them refuses it."""
    path = folder / file.path
    refused: list[SegcliError] = []
    ways = [lambda: names.read(path)] if file.form == "names" else [lambda: _as_dataset(folder)]
    if file.form in recognise.FORMS:
        ways.append(lambda: _as_form(folder, file))
    for way in ways:
        try:
            way()
        except SegcliError as error:
            refused.append(error)
    if refused:
        raise max(refused, key=lambda error: (len(error.message), error.message.count("\n")))


def _as_dataset(folder: Path) -> None:
    data = open_folder(folder, choice=Choice(fill_boxes=True, with_predictions=True))
    for sample in data.samples:
        label = data.read_label(sample)
        if label.ndim != 2 or label.dtype != np.uint8:  # of another size than the photo is said by who needs both
            raise AssertionError(f"a label of {label.shape}, {label.dtype}")


def _as_form(folder: Path, file: LabelFile) -> None:
    """Its form's reader alone, since a damaged file may not be recognised any more."""
    paths = [folder / place for place in sorted({file.path, *file.beside}) if not _belongs(place, file)]
    annotations = recognise.FORMS[file.form].load(paths)
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    refused = []
    for record in annotations.records:
        try:
            draw(record.shapes(SIZE), SIZE, numbers, annotations.order)
        except SegcliError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _belongs(place: str, file: LabelFile) -> bool:
    """Whether a file is read by way of another: the pictures of a Segments.ai release."""
    return file.form == "segments" and place.endswith(".png")


def damage(kind: str, files: list[LabelFile], numbers: range, folder: Path, seed: int) -> Outcome:
    """Read damaged label files of a kind, of all forms in turn, those of these numbers."""
    outcome = Outcome()
    for number in numbers:
        file = files[number % len(files)]
        chance = random.Random(f"{seed} {kind} {number}")
        content = chance.choice((*DAMAGES, *OWN_DAMAGES[kind]))(file.content, chance)
        place = written(folder, file, content)
        before, outcome.slowest = outcome.slowest, 0.0
        crashed = len(outcome.crashes)
        outcome.add(lambda _: _given_up_if_it_hangs(lambda: read(place, file)), place)  # noqa: B023 (called at once)
        if outcome.slowest > SLOW:
            outcome.crash(f"took {outcome.slowest:.1f} s")
        outcome.slowest = max(before, outcome.slowest)
        outcome.crashes[crashed:] = [
            f"{kind} {number} ({file.form}, {file.path}): {told}" for told in outcome.crashes[crashed:]
        ]
    return outcome


def written(folder: Path, file: LabelFile, content: bytes) -> Path:
    """A folder with the photo, the damaged file and what belongs to it."""
    place = folder / "dataset"
    shutil.rmtree(place, ignore_errors=True)
    files = {("images/a.png" if file.form == "pictures" else "a.png"): _PHOTO, **file.beside, file.path: content}
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place


_PHOTO = label_files.png(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8))


def _given_up_if_it_hangs(work: Callable[[], None]) -> None:
    """Do it, at most for `HANGS` seconds of the processor."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"hangs for more than {HANGS} s")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, HANGS)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def little_memory() -> Iterator[None]:
    """A block that may take only `MEMORY` beside what the program has; more is a MemoryError."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def run(kinds: tuple[str, ...], numbers: range, seed: int, folder: Path) -> dict[str, Outcome]:
    """Damage the label files of each kind; returns the outcome by kind."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    files = label_files.every_form()
    with little_memory():
        return {kind: damage(kind, [f for f in files if f.kind == kind], numbers, folder, seed) for kind in kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default=",".join(KINDS))
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.count)
    with tempfile.TemporaryDirectory() as name:
        outcomes = run(tuple(arguments.kind.split(",")), numbers, arguments.seed, Path(name))
    for kind, outcome in outcomes.items():
        counts = ", ".join(f"{outcome.counts[word]} {word}" for word in ("read", "refused", "crashed"))
        sys.stdout.write(f"{kind:5} {counts}, slowest {outcome.slowest:.2f} s\n")
        sys.stdout.writelines(f"{crash}\n" for crash in outcome.crashes[:20])
    sys.exit(any(outcome.crashes for outcome in outcomes.values()))
