"""Decoding photos, beside what a user would write with Pillow or tifffile for the same pixels.

python benchmarks/decoding.py [--rounds 15]

Pictures of 0.2 and 6 megapixels are written to a temporary folder. Of each format the pixels of both ways are compared
first.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pictures
import tifffile
from measuring import in_turns, machine, table
from PIL import Image, ImageOps

from segcli.images.read import read_rgb
from segcli.images.reading import PhotoReading

SIZES = {"0.2 MP": (500, 375), "6 MP": (3000, 2000)}
DEEP = PhotoReading((0.0, 4095.0))
"""How pictures of 12 bits in 16 are read."""


def by_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def by_tifffile(path: Path) -> np.ndarray:
    values = tifffile.imread(path).astype(np.float32)
    return (values * np.float32(255 / 4095) + np.float32(0.5)).clip(0, 255).astype(np.uint8)


def written(folder: Path, size: tuple[int, int]) -> dict[str, tuple[Path, Callable, PhotoReading]]:
    """A file of each format, what reads it beside segcli, and how segcli reads it."""
    with Image.open(pictures.large_photo(pictures.EXAMPLES, folder)) as large:
        photo = large.resize(size, Image.Resampling.BOX)
    files: dict[str, tuple[Path, Callable, PhotoReading]] = {}
    options = {"jpg": {"quality": 92}, "png": {}, "webp": {"quality": 90}, "tif": {"compression": "tiff_lzw"}}
    for suffix, more in options.items():
        path = folder / f"{size[0]}.{suffix}"
        photo.save(path, **more)
        files[suffix] = (path, by_pillow, PhotoReading())
    deep = np.asarray(photo).astype(np.uint16) * 16
    path = folder / f"{size[0]}-deep.tif"
    tifffile.imwrite(path, deep, compression="zlib", predictor=True, photometric="rgb", rowsperstrip=64)
    files["12-bit tif, deflate"] = (path, by_tifffile, DEEP)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for label, size in SIZES.items():
            for kind, (path, peer, reading) in written(Path(name), size).items():
                if np.abs(read_rgb(path, reading).astype(int) - peer(path)).max() > 1:
                    raise SystemExit(f"{path.name}: other pixels")
                ways = {"segcli": lambda p=path, r=reading: read_rgb(p, r), "peer": lambda p=path, read=peer: read(p)}
                times = in_turns(ways, rounds, repeats=20 if label == "0.2 MP" else 1)
                ours, theirs = times["segcli"].seconds, times["peer"].seconds
                rows.append([f"{kind}, {label}", f"{1e3 * ours:.1f}", f"{1e3 * theirs:.1f}", f"{ours / theirs:.2f}"])
    sys.stdout.write(machine(["pillow", "tifffile", "numpy"]) + "\n\n")
    sys.stdout.write(table(["picture", "segcli, ms", "Pillow or tifffile, ms", "ratio"], rows))


if __name__ == "__main__":
    main()
