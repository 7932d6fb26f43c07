"""Kills `segcli predict` at random moments, runs it again, and compares the result with that of a run left alone.

    python tests/helpers/kill_predict.py --kills 50 --count 40
    python tests/helpers/kill_predict.py --kills 10 --of raster
    python tests/helpers/kill_predict.py --kills 10 --of film

Each output folder is killed again and again until a run gets through; then every file must be the same, every record
too (but for its seconds), and no photo may have been recorded twice. A raster is done in parts; a film has several
segments.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import films
import geotiffs
import workspace
from PIL import Image
from small_runs import smooth, tree

from segcli import labels

COUNTS = {"photos": 40, "raster": 700, "film": 350}
"""What may be killed, and how many photos, pixels of a side, or frames that has."""


@dataclass
class Trial:
    """A run that is killed: the same photos and model every time.

    Attributes:
        inputs: The photos, or their folder.
        checkpoint: The model's file.
        seconds: How long a run left alone works on the photos, start-up not counted.
        engine: What computes.
        options: Further options of `segcli predict`.
    """

    inputs: Path
    checkpoint: Path
    seconds: float = 0.0
    engine: str = "onnx"
    options: tuple[str, ...] = ()

    def start(self, output: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "segcli", "predict", str(self.inputs), "-o", str(output), "--quiet"]
        model = ["--weights", str(self.checkpoint), "--engine", self.engine]
        return subprocess.Popen([*command, *model, *self.options], stdout=subprocess.DEVNULL)

    def leave_alone(self, output: Path) -> None:
        process = self.start(output)
        _wait_for(process, output / "run.toml", 0)
        begin = time.monotonic()
        assert process.wait() == 0
        self.seconds = time.monotonic() - begin

    def kill(self, output: Path, moment: random.Random) -> bool:
        """Start a run, kill it within its work; False where it was through before."""
        note = output / "run.toml"
        process = self.start(output)
        _wait_for(process, note, note.stat().st_mtime_ns if note.exists() else 0)
        time.sleep(moment.uniform(0, self.seconds))
        if process.poll() is not None:
            assert process.returncode == 0
            return False
        process.kill()
        process.wait()
        return True


def _wait_for(process: subprocess.Popen, note: Path, older: int) -> None:
    """Until the run has written run.toml anew, which it does just before its first photo."""
    while process.poll() is None and not (note.exists() and note.stat().st_mtime_ns > older):
        time.sleep(0.002)


def make_photos(folder: Path, count: int, width: int = 640, height: int = 480) -> None:
    folder.mkdir()
    for index in range(count):
        Image.fromarray(smooth(index, width, height)).save(folder / f"{index:02}.jpg")


def make_raster(path: Path, side: int) -> None:
    """A raster whose corner has no data, with everything that is made of one that is done in parts."""
    pixels = smooth(3, side, side).clip(1)
    pixels[: side // 3, : side // 2] = 0
    no_data = (42113, 2, None, "0", True)
    geotiffs.write(path, geotiffs.PLACES["utm"], side, side, pixels, tile=(64, 64), extratags=[no_data])


def trial_of(kind: str, folder: Path, checkpoint: Path, count: int) -> Trial:
    """What is killed: so many photos, a raster of so many pixels a side, or a film of so many frames."""
    if kind == "photos":
        make_photos(folder / "photos", count)
        return Trial(folder / "photos", checkpoint)
    if kind == "film":
        film = films.write(folder / "clip.mp4", films.cards(count, 96, 64), sound="aac")
        return Trial(film, checkpoint, options=("--save", "mask,overlay,frames"))
    make_raster(folder / "raster.tif", count)
    limits = ("--max-pixels", str(count * count - 1), "--tile", "129", "--size", "full")
    kinds = ("--save", "mask,overlay,gallery,probs,geojson,polygons,cutout")
    return Trial(folder / "raster.tif", checkpoint, engine="torch", options=(*limits, *kinds))


def compare(expected: Path, found: Path) -> None:
    """Fails unless two output folders are the same but for times, order and what kills left half written."""
    kept = {path for path in tree(found) if not path.endswith(".part")}
    assert kept == tree(expected)
    for path in kept:
        if path not in ("manifest.jsonl", "run.toml"):
            assert (expected / path).read_bytes() == (found / path).read_bytes(), path
    assert _records(expected) == _records(found)


def _records(output: Path) -> list[dict]:
    """Each photo's record without its times, by name; a torn line is none, a name recorded twice fails."""
    records = []
    for line in (output / "manifest.jsonl").read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        records.append({key: value for key, value in record.items() if key != "seconds"})
    names = [record["name"] for record in records]
    assert len(names) == len(set(names)), "a photo was computed twice"
    return sorted(records, key=lambda record: record["name"])


def run(trial: Trial, folder: Path, kills: int, seed: int = 0) -> Iterator[tuple[int, int]]:
    """Kill so many runs; yields the kills and the output folders so far, after each folder that is the same."""
    trial.leave_alone(folder / "alone")
    moment, done, outputs = random.Random(seed), 0, 0
    while done < kills:
        output = folder / f"killed{outputs}"
        while done < kills and trial.kill(output, moment):
            done += 1
        if done == kills:
            assert trial.start(output).wait() == 0
        compare(folder / "alone", output)
        outputs += 1
        yield done, outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--of", choices=COUNTS, default="photos", help="what is done")
    parser.add_argument("--count", type=int, help="photos, pixels of a side, or frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help="a checkpoint; one that computes next to nothing if left out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not (weights := arguments.weights):
            workspace.checkpoint(weights := folder / "small.safetensors", labels.VOC)
        trial = trial_of(arguments.of, folder, weights, arguments.count or COUNTS[arguments.of])
        for kills, outputs in run(trial, folder, arguments.kills, arguments.seed):
            sys.stdout.write(f"{kills} kills, {outputs} output folders, each the same as one left alone\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
