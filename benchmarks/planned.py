"""A planned training beside the recipe `finetune`, in equal time on the same photos, scored on the same others.

Three small tasks of different kind (see small_data.py), each with several seeds, so many minutes a run. The two ways
take turns. Nothing else should run meanwhile: what a run reaches depends on how many steps its minutes hold. Runs can
be spread over days: each adds a line to a CSV, and one that stands there is left out.

    python benchmarks/planned.py --minutes 4
    python benchmarks/planned.py --minutes 4 --set cells --seed 0
    python benchmarks/planned.py --report
"""

import argparse
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from measuring import processor, table
from small_data import SETS, add_row, measured, parser_of, prepared, rows_of

import segcli
from segcli.cli import threads
from segcli.training import packaged, recipe, run
from segcli.training.recipe import Recipe

WAYS = ("planned", "finetune")


def recipe_of(way: str, data: dict, seed: int, minutes: float) -> Recipe:
    """The recipe of a run: made for these photos, or `finetune` cut to the time."""
    asked = {f"data.{key}": value for key, value in data.items() if key not in ("images", "masks")}
    asked |= {"run.seed": seed, "run.overlays": 0}
    changes = [f"{key}={value!r}" for key, value in asked.items()]
    if way == "planned":
        plan = segcli.plan(data["images"], data["masks"], minutes=minutes, allow_missing=True, changes=changes)
        return plan.recipe
    places = [f"data.{key}={data[key]!r}" for key in ("images", "masks")]
    return recipe.read(packaged.find("finetune"), [*changes, *places, f"schedule.minutes={minutes}"])


def measure(task: str, way: str, seed: int, minutes: float, work: Path, scores: Path) -> None:
    """Train once, unless the CSV says that it was done, and add its line."""
    key = {"set": task, "way": way, "seed": str(seed), "minutes": str(minutes)}
    if any(key.items() <= row.items() for row in rows_of(scores)):
        return
    folder = work / "planned" / "-".join((task, way, str(seed)))
    shutil.rmtree(folder, ignore_errors=True)
    settings = recipe_of(way, prepared(task, work), seed, minutes)
    row = {**key, **measured(run.train(settings, folder, allow_missing=True))}
    row |= {"iterations": settings.schedule.iterations, "processor": processor()}
    add_row(scores, row)
    sys.stderr.write(f"{task}, {way}, seed {seed}: {100 * row['best']:.1f} in {row['seconds']:.0f} s\n")


def report(rows: list[dict]) -> Iterator[str]:
    """A table for each number of minutes: best mIOU in per cent, mean and spread of each way, and the gain."""
    for minutes in sorted({float(row["minutes"]) for row in rows}):
        lines, gains = [], []
        for task in SETS:
            found = {way: _scores(rows, task, way, minutes) for way in WAYS}
            if not all(found.values()):
                continue
            means = {way: statistics.mean(scores) for way, scores in found.items()}
            gains.append(means["planned"] - means["finetune"])
            told = [f"{means[way]:.1f} ({max(found[way]) - min(found[way]):.1f})" for way in WAYS]
            lines.append([task, *told, f"{gains[-1]:+.1f}", str(min(map(len, found.values())))])
        heading = f"\n{minutes:g} minutes, {processor()}: best mIOU, mean (spread)\n\n"
        yield heading + table(["", *WAYS, "gain", "seeds"], lines)
        if gains:
            yield f"\nmedian gain {statistics.median(gains):+.1f}\n"


def _scores(rows: list[dict], task: str, way: str, minutes: float) -> list[float]:
    key = (task, way, minutes)
    return [100 * float(row["best"]) for row in rows if (row["set"], row["way"], float(row["minutes"])) == key]


def options() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=4.0)
    return parser.parse_args()


def main() -> None:
    threads.begin()  # as the command does before it imports torch
    wanted = options()
    scores = wanted.work / "planned.csv"
    if not wanted.report:
        wanted.work.mkdir(parents=True, exist_ok=True)
        for seed in wanted.seed or (0, 1, 2):
            for task in wanted.set or SETS:
                for way in WAYS:
                    measure(task, way, seed, wanted.minutes, wanted.work, scores)
    sys.stdout.write("".join(report(rows_of(scores))))


if __name__ == "__main__":
    main()
