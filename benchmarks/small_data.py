"""What averaged weights, colours, turns, class-balanced crops and other losses give where there are few photos.

Three small tasks of different kind are trained by `finetune` with one thing changed at a time, for so many iterations
whatever the machine's load. But for "stride 8" it learns at output stride 16 and predicts at 8, which takes half the
time. Runs can be spread over days: each adds a line to a CSV, and what stands there is not done
again.

    python benchmarks/small_data.py --set cells --variant baseline --variant ema --seed 0 --seed 1
    python benchmarks/small_data.py --report

`camvid` needs `../shared/data/camvid`; the other tasks are drawn. Nothing of it enters the repository.
"""

import argparse
import csv
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import small_cells
from measuring import table

from segcli.cli import threads
from segcli.training import packaged, run
from segcli.training.events import Event, Validation
from segcli.training.recipe import Recipe

ROOT = Path(__file__).parents[1]
CAMVID = ROOT.parent / "shared" / "data" / "camvid"
TURNS = {"flip_vertical": True, "quarter_turns": True}
STRIDES = {"output_stride": 16, "eval_output_stride": 8}
VARIANTS = {
    "baseline": {},
    "stride 8": {"model": {"output_stride": 8, "eval_output_stride": 8}},
    "ema": {"optimizer": {"ema": 0.98}},
    "colour": {"augment": {"colour": 0.4}},
    "no colour": {"augment": {"colour": 0.0}},
    "turns": {"augment": TURNS},
    "rotate": {"augment": {"rotate": 15.0}},
    "lovasz": {"loss": {"lovasz": 1.0}},
    "focus": {"augment": {"focus": 0.5}},
    "auxiliary": {"loss": {"auxiliary": 0.4}},
    "ema, lovasz": {"optimizer": {"ema": 0.98}, "loss": {"lovasz": 1.0}},
    "ema, lovasz, focus": {"optimizer": {"ema": 0.98}, "loss": {"lovasz": 1.0}, "augment": {"focus": 0.33}},
    "ema, lovasz, turns": {"optimizer": {"ema": 0.98}, "loss": {"lovasz": 1.0}, "augment": TURNS},
}
"""What each variant changes in `finetune`, whose colours vary by 0.2."""


def camvid(folder: Path) -> dict:
    """40 of CamVid's photos to learn from, of each film as large a share as it has of all; 50 to choose by."""
    for part, count in (("train", 40), ("val", 50)):
        for kind, source in (("images", CAMVID / part), ("masks", CAMVID / f"{part}annot")):
            (folder / part / kind).mkdir(parents=True)
            files = sorted(source.iterdir())  # by film and time
            for index in np.linspace(0, len(files) - 1, count).round().astype(int):
                shutil.copyfile(files[index], folder / part / kind / files[index].name)
    return {"labels": "camvid", "void": "11"}


def street(folder: Path) -> dict:
    """24 rendered street scenes to learn from, 12 others to choose by, with CamVid's classes."""
    for part, count, seed in (("train", 24, 700), ("val", 12, 701)):
        options = ["--count", str(count), "--size", "480x360", "--seed", str(seed)]
        subprocess.run([sys.executable, ROOT / "examples" / "render_street.py", folder / part, *options], check=True)
        (folder / part / "labels").rename(folder / part / "masks")
    return {"labels": "camvid"}


def cells(folder: Path) -> dict:
    """30 drawn pictures of round cells of three kinds to learn from, 15 others to choose by; they have no up."""
    for part, count, seed in (("train", 30, 0), ("val", 15, 1)):
        small_cells.write(folder / part, count, seed)
    return {"labels": list(small_cells.CLASSES)}


SETS = {"camvid": camvid, "street": street, "cells": cells}


def prepared(name: str, work: Path) -> dict:
    """The [data] of a task, whose photos are made where they are missing."""
    folder, unfinished = work / name, work / f"{name}.part"
    told = folder / "data.toml"
    if not told.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        keys = SETS[name](unfinished)
        (unfinished / told.name).write_text("".join(f"{key} = {value!r}\n" for key, value in keys.items()))
        unfinished.rename(folder)
    places = {
        f"{prefix}{kind}": str(folder / part / kind)
        for prefix, part in (("", "train"), ("val_", "val"))
        for kind in ("images", "masks")
    }
    return {**tomllib.loads(told.read_text()), **places}


def recipe_of(data: dict, variant: str, seed: int, iterations: int) -> Recipe:
    """`finetune` on these photos with what the variant changes; for a third of the iterations the backbone rests."""
    tables = tomllib.loads(packaged.find("finetune").read_text(encoding="utf-8"))
    every = max(1, iterations // 4)
    changes = {
        "model": {"freeze_backbone": iterations // 3, **STRIDES},
        "schedule": {"iterations": iterations},
        "run": {"seed": seed, "save_every": iterations, "validate_every": every, "overlays": 0},
    }
    for part, keys in (*changes.items(), *VARIANTS[variant].items()):
        tables[part] = {**tables.get(part, {}), **keys}
    return Recipe.from_dict({**tables, "data": data})


def measured(events: Iterator[Event]) -> dict:
    """What a run came to: its best and its last mIOU, 0..1, and its seconds."""
    start, scores = time.perf_counter(), []
    for event in events:
        if isinstance(event, Validation):
            scores.append(event.scores.miou or 0.0)
    return {"best": max(scores), "last": scores[-1], "seconds": round(time.perf_counter() - start, 1)}


def rows_of(path: Path) -> list[dict]:
    """The lines of the CSV so far."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def add_row(path: Path, row: dict) -> None:
    """Add a line to the CSV, whose columns are the row's keys."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def report(rows: list[dict]) -> Iterator[str]:
    """A table for each task and number of iterations: best mIOU in per cent, mean and spread, and the gain."""
    for task, iterations in sorted({(row["set"], int(row["iterations"])) for row in rows}):
        here = [row for row in rows if (row["set"], int(row["iterations"])) == (task, iterations)]
        scores = {name: [100 * float(row["best"]) for row in here if row["variant"] == name] for name in VARIANTS}
        scores = {name: found for name, found in scores.items() if found}
        base = statistics.mean(scores["baseline"]) if "baseline" in scores else float("nan")
        lines = [
            [name, f"{statistics.mean(found):.1f}", f"{max(found) - min(found):.1f}", str(len(found)), gain]
            for name, found in scores.items()
            for gain in [f"{statistics.mean(found) - base:+.1f}"]
        ]
        yield f"\n{task}, {iterations} iterations\n\n" + table(["", "best mIOU", "spread", "seeds", "gain"], lines)


def parser_of(description: str) -> argparse.ArgumentParser:
    """The options of every comparison on these tasks."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", choices=SETS, help="default: all")
    parser.add_argument("--seed", action="append", type=int, help="default: 0, 1 and 2")
    parser.add_argument("--work", type=Path, default=Path("small-data"), help="where photos, runs and the CSV lie")
    parser.add_argument("--report", action="store_true", help="only show what the CSV holds")
    return parser


def options() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="default: all")
    parser.add_argument("--iterations", type=int, default=250)
    return parser.parse_args()


def main() -> None:
    threads.begin()  # as the command does before it imports torch
    wanted = options()
    scores = wanted.work / "scores.csv"
    if not wanted.report:
        wanted.work.mkdir(parents=True, exist_ok=True)
        for seed in wanted.seed or (0, 1, 2):
            for task in wanted.set or SETS:
                for variant in wanted.variant or VARIANTS:
                    measure(task, variant, seed, wanted.iterations, wanted.work, scores)
    sys.stdout.write("".join(report(rows_of(scores))))


def measure(task: str, variant: str, seed: int, iterations: int, work: Path, scores: Path) -> None:
    """Train once, unless the CSV says that it was done, and add its line."""
    key = {"set": task, "variant": variant, "seed": str(seed), "iterations": str(iterations)}
    if any(key.items() <= row.items() for row in rows_of(scores)):
        return
    folder = work / "runs" / "-".join((task, variant.replace(" ", "-"), str(seed), str(iterations)))
    shutil.rmtree(folder, ignore_errors=True)
    settings = recipe_of(prepared(task, work), variant, seed, iterations)
    row = {**key, **measured(run.train(settings, folder, device="cpu", allow_missing=True))}
    add_row(scores, row)
    sys.stderr.write(f"{task}, {variant}, seed {seed}: {100 * row['best']:.1f} in {row['seconds']:.0f} s\n")


if __name__ == "__main__":
    main()
