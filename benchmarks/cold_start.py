"""The seconds of `segcli predict --model street` from the shell's prompt to its next, with the conversion kept.

Of a run with nothing to do and of one photo of 960x720, the median of several. With --before also those of an earlier
version, in turns, and what share of them is left; the masks of both must be equal to the byte. Nothing else should be
at work: the load is printed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def predict(tree: Path, output: Path, *more: str) -> float:
    """The seconds of one command; each version has a cache of its own."""
    cache = output.parent / f"cache of {tree.name}"
    environment = {**os.environ, "PYTHONPATH": str(tree), "SEGCLI_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "segcli", "predict", str(PHOTO), "-o", str(output), "--model", "street", *more]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=output.parent, env=environment)
    return time.perf_counter() - start


def measured(versions: dict[str, Path], folder: Path, rounds: int) -> dict[tuple[str, str], float]:
    """The median seconds by command and version."""
    for name, tree in versions.items():
        predict(tree, folder / f"done {name}", "--engine", "onnx")  # which keeps the conversion
    seconds: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for name, tree in versions.items():
            for what, output in (("nothing to do", f"done {name}"), ("one photo", f"{number} {name}")):
                seconds.setdefault((what, name), []).append(predict(tree, folder / output))
    return {key: statistics.median(values) for key, values in seconds.items()}


def main() -> None:
    """Print a line for each command, and whether the masks are equal."""
    chosen = options()
    with tempfile.TemporaryDirectory() as folder, trees(chosen.before, Path(folder)) as versions:
        seconds = measured(versions, Path(folder), chosen.rounds)
        masks = {path.read_bytes() for path in Path(folder).glob("*/masks/*.png")}
    for what in ("nothing to do", "one photo"):
        now, *before = (seconds[what, name] for name in versions)
        print(f"{what}: {now:.2f} s" + "".join(f", before {earlier:.2f} s: {now / earlier:.2f}" for earlier in before))
    print(f"masks: {'equal to the byte' if len(masks) == 1 else 'DIFFERENT'}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
