"""The seconds of `segcli predict --model street` from the shell's prompt to its next, with the conversion kept.

Of a run with nothing to do and of one photo of 960x720, the median of several, by the clock and of the processor. With
--before also those of an earlier version, in turns, and what share of them is left; the masks of both must be equal to
the byte. Nothing else should be at work: the load is printed. The processor's seconds suffer less from other work.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "examples" / "photos" / "dusk.jpg"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="an earlier version to compare with")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each command, of which the median counts")
    return parser.parse_args()


@contextmanager
def trees(commit: str | None, folder: Path) -> Iterator[dict[str, Path]]:
    """The folders of the versions by name; an earlier one is checked out and put away again."""
    if commit is None:
        yield {"now": ROOT}
        return
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(folder / "tree"), commit], check=True, capture_output=True)
    try:
        yield {"now": ROOT, "before": folder / "tree"}
    finally:
        subprocess.run([*git, "remove", "--force", str(folder / "tree")], check=True, capture_output=True)


class Seconds(NamedTuple):
    """The seconds of a command, by the clock and of the processor."""

    clock: float
    processor: float


def predict(tree: Path, output: Path, *more: str) -> Seconds:
    """The seconds of one command; each version has a cache of its own."""
    cache = output.parent / f"cache of {tree.name}"
    environment = {**os.environ, "PYTHONPATH": str(tree), "SEGCLI_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "segcli", "predict", str(PHOTO), "-o", str(output), "--model", "street", *more]
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed version has its bytecode
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, cwd=output.parent, env=environment)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measured(versions: dict[str, Path], folder: Path, rounds: int) -> dict[tuple[str, str], Seconds]:
    """The median seconds by command and version."""
    for name, tree in versions.items():
        predict(tree, folder / f"done {name}", "--engine", "onnx")  # which keeps the conversion
    seconds: dict[tuple[str, str], list[Seconds]] = {}
    for number in range(rounds):
        for name, tree in versions.items():
            for what, output in (("nothing to do", f"done {name}"), ("one photo", f"{number} {name}")):
                seconds.setdefault((what, name), []).append(predict(tree, folder / output))
    return {key: Seconds(*map(statistics.median, zip(*values, strict=True))) for key, values in seconds.items()}


def main() -> None:
    """Print a line for each command, and whether the masks are equal."""
    chosen = options()
    with tempfile.TemporaryDirectory() as folder, trees(chosen.before, Path(folder)) as versions:
        seconds = measured(versions, Path(folder), chosen.rounds)
        masks = {path.read_bytes() for path in Path(folder).glob("*/masks/*.png")}
    for what in ("nothing to do", "one photo"):
        now, *before = (seconds[what, name] for name in versions)
        for kind in Seconds._fields:
            last = getattr(now, kind)
            others = "".join(f", before {(one := getattr(was, kind)):.2f} s: {last / one:.2f}" for was in before)
            print(f"{what}, {kind}: {last:.2f} s{others}")
    print(f"masks: {'equal to the byte' if len(masks) == 1 else 'DIFFERENT'}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
