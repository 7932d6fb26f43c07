"""The time and the memory of `segcli predict` on pictures that are done in parts.

python benchmarks/giants.py --model street --sizes 20000x5000 20000x20000 -- --max-pixels 50000000
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pictures
import tifffile

from segcli.images.read import read_rgb

TILE = 512


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


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="street")
    parser.add_argument("--sizes", nargs="+", default=["20000x5000", "20000x20000"], metavar="WIDTHxHEIGHT")
    parser.add_argument("--folder", type=Path, help="keeps the pictures and the masks")
    parser.add_argument("options", nargs="*", help="further options of segcli predict, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for size in given.sizes:
            width, height = map(int, size.split("x"))
            path = folder / f"{size}.tif"
            if not path.exists():
                raster(path, width, height)
            command = [sys.executable, "-m", "segcli", "predict", str(path), "-o", str(folder / f"out-{size}")]
            wall, processor, memory = measured([*command, "--model", given.model, *given.options])
            pixels = width * height / 1e6
            sys.stdout.write(
                f"{size} {given.model} {' '.join(given.options)}: {wall:.0f} s, {processor:.0f} s of the processor, "
                f"{processor / pixels:.2f} s a megapixel, {memory:.2f} GB at most\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
