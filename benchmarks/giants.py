"""The time and the memory of `segcli predict` on pictures that are done in parts, beside those of whole photos.

    python benchmarks/giants.py
    python benchmarks/giants.py --model street --sizes 20000x5000 20000x20000 --beside 4000x4000 -- --crf

First one picture of a size that all hold is done in three ways: in parts, as a photo in windows (--tile), and at once;
then large ones in parts. Times are what the records say, without the start of the program.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pictures
import tifffile
from measuring import machine, table

from segcli.images.masks import read_label_map
from segcli.images.read import read_rgb
from segcli.pipeline.giants.plan import TILE as WINDOW

TILE = 512
LIMIT, MOST = str(10**10), 50_000_000
"""More pixels than any picture here has; and fewer than a large one has."""


def raster(path: Path, width: int, height: int) -> Path:
    """A TIFF in tiles, of one photo mirrored over and over, which has no seams."""
    with tempfile.TemporaryDirectory() as name:
        photo = read_rgb(pictures.large_photo(pictures.EXAMPLES, Path(name)))
    tifffile.imwrite(
        path,
        _tiles(photo, width, height),
        shape=(height, width, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        compression="zlib",
        photometric="rgb",
        metadata=None,
        bigtiff=True,
    )
    return path


def _tiles(photo: np.ndarray, width: int, height: int) -> Iterator[np.ndarray]:
    for top in range(0, height, TILE):
        rows = photo[_mirrored(top, photo.shape[0])]
        for left in range(0, width, TILE):
            yield np.ascontiguousarray(rows[:, _mirrored(left, photo.shape[1])])


def _mirrored(start: int, side: int) -> np.ndarray:
    """The photo's pixels along one axis that a tile shows."""
    place = np.arange(start, start + TILE) % (2 * side)
    return np.where(place < side, place, 2 * side - 1 - place)


def measured(command: list[str]) -> tuple[float, float, float]:
    """The wall clock's seconds, the processor's, and the most memory in GB, of a process that must succeed."""
    begun = time.perf_counter()
    _, status, usage = os.wait4(os.spawnv(os.P_NOWAIT, command[0], command), 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


@dataclass(frozen=True)
class Bench:
    """What is measured with: the model and further options of `segcli predict`, and where pictures and masks go."""

    model: str
    options: list[str]
    folder: Path

    def picture(self, size: str) -> Path:
        """The picture of a size, which is made once."""
        path = self.folder / f"{size}.tif"
        return path if path.exists() else raster(path, *map(int, size.split("x")))

    def row(self, size: str, way: str, options: list[str]) -> tuple[list[str], np.ndarray | None]:
        """A row of the table, and the labels where they are no more than a photo's."""
        output = self.folder / f"{size} {way}"
        command = [sys.executable, "-m", "segcli", "predict", str(self.picture(size)), "-o", str(output), "--quiet"]
        _, processor, memory = measured([*command, "--model", self.model, "--engine", "torch", *options, *self.options])
        record = json.loads((output / "manifest.jsonl").read_text())
        pixels = record["width"] * record["height"] / 1e6
        seconds = sum(record["seconds"].values())
        cells = [f"{size}, {way}", f"{seconds:.0f}", f"{seconds / pixels:.2f}", f"{processor:.0f}", f"{memory:.2f}"]
        mask = output / record["outputs"]["mask"]["path"]
        return cells, read_label_map(mask) if pixels < 100 else None

    def beside(self, size: str) -> Iterator[list[str]]:
        """One picture in three ways, with the share of labels that each has in common with the first."""
        width, height = map(int, size.split("x"))
        windows = [] if "--tile" in self.options else ["--tile", str(WINDOW)]
        full = ["--size", "full", "--max-pixels"]
        ways = {
            "in parts": [*full, str(width * height - 1), *windows],
            "in windows": [*full, LIMIT, *windows],
            "at once": [*full, LIMIT],
        }
        first = None
        for way, options in ways.items():
            cells, labels = self.row(size, way, options)
            first = labels if first is None else first
            yield [*cells, f"{100 * np.mean(labels == first):.3f} %"]


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="street")
    parser.add_argument("--sizes", nargs="*", default=["20000x5000", "20000x20000"], metavar="WIDTHxHEIGHT")
    parser.add_argument("--beside", default="4000x3000", metavar="WIDTHxHEIGHT", help="of the picture done in all ways")
    parser.add_argument("--folder", type=Path, help="keeps the pictures and the masks")
    parser.add_argument("options", nargs="*", help="further options of segcli predict, after --")
    given = parser.parse_args()
    sys.stdout.write(f"{given.model} {' '.join(given.options)}; {machine(['torch', 'tifffile'])}\n\n")
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(given.model, given.options, given.folder or Path(name))
        bench.folder.mkdir(parents=True, exist_ok=True)
        rows = list(bench.beside(given.beside))
        for size in given.sizes:
            limit = [] if "--max-pixels" in given.options else ["--max-pixels", str(MOST)]
            rows.append([*bench.row(size, "in parts", limit)[0], ""])
    heads = ["picture", "seconds", "a megapixel", "of processors", "GB at most", "labels as in parts"]
    sys.stdout.write(table(heads, rows))


if __name__ == "__main__":
    main()
