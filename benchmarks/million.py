"""What a run with nothing left to do takes of a folder with many photos: time, and the memory at its peak.

    python benchmarks/million.py --photos 100000 --folder /tmp/many

One photo is done by `segcli predict`; the others, their outputs and their lines of manifest.jsonl are hard links and
copies of its own, as a run would have left them. The folder is kept and taken again: a million takes minutes to make.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

A_FOLDER = 1000
"""Photos in each folder; each has a file of its own there, since a disk has a limit on the names of one file."""
FIRST = "0000/00000"
"""The name of the photo that is done truly."""


def make(folder: Path, photos: int) -> None:
    """Fill `folder` with photos and with the output folder of a run that has done them all."""
    pictures, output = folder / "photos", folder / "out"
    first = pictures / f"{FIRST}.png"
    first.parent.mkdir(parents=True)
    Image.new("RGB", (32, 24), (90, 120, 60)).save(first)
    predict(folder)
    record = json.loads((output / "manifest.jsonl").read_text().splitlines()[0])
    unsure = random.Random(0)
    with (output / "manifest.jsonl").open("w") as manifest:
        for name in names(photos):
            record["uncertainty"] = round(unsure.random(), 6)  # so that review.csv has an order of its own
            manifest.write(json.dumps(of(record, name, pictures, output)) + "\n")


def names(photos: int) -> Iterator[str]:
    """The photos' names below their folder, without a suffix."""
    return (f"{number // A_FOLDER:04}/{number % A_FOLDER:05}" for number in range(photos))


def of(record: dict, name: str, pictures: Path, output: Path) -> dict:
    """The record of another photo, whose files are made here."""
    photo = f"{pictures}/{name}.png"
    link(f"{pictures}/{FIRST}.png", photo)
    outputs = {}
    for kind, one in record["outputs"].items():
        path = one["path"].replace(FIRST, name)
        outputs[kind] = {**one, "path": path}
        link(f"{output}/{one['path']}", f"{output}/{path}")
    changed = Path(photo).stat().st_mtime_ns
    return {**record, "name": name, "input": photo, "mtime_ns": changed, "outputs": outputs}


def link(origin: str, path: str) -> None:
    """A second name for a file, or a copy with the same times in a new folder."""
    folder, _, name = path.rpartition("/")
    if path == origin:
        return
    if name.startswith(FIRST[-5:]):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(Path(origin).read_bytes())
    else:
        os.link(f"{folder}/{FIRST[-5:]}{Path(path).suffix}", path)


def predict(folder: Path, *options: str) -> tuple[float, float, int, bytes]:
    """Run the command; wall seconds, seconds of processor time, bytes of memory at the peak, and what it printed."""
    command = [sys.executable, "-m", "segcli", "predict", str(folder / "photos"), "-o", str(folder / "out")]
    begin = time.perf_counter()
    process = subprocess.Popen([*command, "--model", "street", *options], stdout=subprocess.PIPE)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"segcli predict ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, required=True, help="where the photos are, or are made")
    arguments = parser.parse_args()
    folder, found = arguments.folder, []
    if not (folder / "photos").exists():
        make(folder, arguments.photos)
    small = folder.with_name(f"{folder.name}-1")
    if not small.exists():
        make(small, 1)
    _, _, idle, _ = predict(small)
    for options in ((), ("--json",)):
        wall, cores, peak, printed = predict(folder, *options)
        each = (peak - idle) / arguments.photos
        found.append(
            f"predict {' '.join(options):6} nothing to do: {wall:.1f} s ({cores:.1f} s of processor time), peak "
            f"{peak / 1e6:.0f} MB, {idle / 1e6:.0f} MB of it with one photo, {each:.0f} bytes a photo; "
            f"{len(printed) / 1e6:.1f} MB printed\n"
        )
    from measuring import processor  # with torch, whose memory a child would count as its own until it starts

    sys.stdout.write(f"{arguments.photos} photos on {processor()}, load {os.getloadavg()[0]:.1f}\n{''.join(found)}")


if __name__ == "__main__":
    main()
