"""Photos to measure with: cut out of real ones, the same every time."""

from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples" / "photos"
SHAPES = ((500, 375), (375, 500), (500, 333), (480, 360))
"""Width and height of what cameras' photos become in datasets such as VOC."""
LARGE = (4000, 3000)


def folder_of_photos(originals: Path, destination: Path, count: int, seed: int = 0) -> list[Path]:
    """Write JPEGs of about 500x375: random parts of the originals, every other one mirrored."""
    files = _pictures(originals)
    random = np.random.default_rng(seed)
    paths = []
    for index in range(count):
        with Image.open(files[index % len(files)]) as picture:
            part = _part(picture.convert("RGB"), SHAPES[index % len(SHAPES)], random)
        if index // len(files) % 2:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        paths.append(destination / f"{index:03}.jpg")
        part.save(paths[-1], quality=92)
    return paths


def large_photo(originals: Path, destination: Path) -> Path:
    """Write one JPEG of 12 megapixels: a mosaic of the first original and its mirror images."""
    with Image.open(_pictures(originals)[0]) as picture:
        tile = np.asarray(picture.convert("RGB"))
    rows, columns = (-(-large // side) for large, side in zip(LARGE[::-1], tile.shape, strict=False))
    row = np.concatenate([tile[:, :: -1 if i % 2 else 1] for i in range(columns)], 1)
    mosaic = np.concatenate([row[:: -1 if i % 2 else 1] for i in range(rows)])[: LARGE[1], : LARGE[0]]
    path = destination / "large.jpg"
    Image.fromarray(mosaic).save(path, quality=92)
    return path


def _pictures(originals: Path) -> list[Path]:
    return sorted(path for path in originals.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp"))


def _part(picture: Image.Image, size: tuple[int, int], random: np.random.Generator) -> Image.Image:
    """A part of the size's shape, at least 60 % of the largest that there is, shrunk or enlarged to it."""
    largest = min(picture.width / size[0], picture.height / size[1])
    scale = largest * random.uniform(0.6, 1)
    width, height = round(size[0] * scale), round(size[1] * scale)
    left = int(random.integers(0, picture.width - width + 1))
    top = int(random.integers(0, picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height)).resize(size, Image.Resampling.LANCZOS)
