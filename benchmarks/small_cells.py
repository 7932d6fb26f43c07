"""Pictures as a microscope gives them: round cells of three kinds on noise, with their masks; they have no up."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 320
CLASSES = ("background", "pale", "ringed", "grained")
COUNTS = (9, 5, 3)
"""How many cells of each kind a picture has at most; the last kind is the rarest."""


def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One picture, uint8 (320, 320, 3), and its label map, uint8 (320, 320), with the ids of CLASSES."""
    label = np.zeros((SIZE, SIZE), np.uint8)
    light = 150 + 25 * _smooth(rng, 6) + 8 * _smooth(rng, 40)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for kind, most in enumerate(COUNTS, 1):
        for _ in range(rng.integers(1, most + 1)):
            (row, column), radius = rng.uniform(0, SIZE, 2), rng.uniform(9, 24)
            squeeze = rng.uniform(0.8, 1.25)
            distance = np.hypot((rows - row) * squeeze, (columns - column) / squeeze) / radius
            inside = distance < 1
            light[inside] = (light + _cell(kind, distance, rng))[inside]
            label[inside] = kind
    tint = np.array([1.0, 0.93, 0.97]) * rng.uniform(0.92, 1.08, 3)
    noisy = light[..., None] * tint + rng.normal(0, 9, (SIZE, SIZE, 3))
    return noisy.clip(0, 255).astype(np.uint8), label


def write(folder: Path, count: int, seed: int) -> None:
    """Draw pictures into `images/` and `masks/` of a folder; they depend on the seed alone."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        rgb, label = draw(np.random.default_rng((seed, index)))
        Image.fromarray(rgb).save(folder / "images" / f"{index:03}.png")
        Image.fromarray(label).save(folder / "masks" / f"{index:03}.png")


def _cell(kind: int, distance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a cell adds to the light, by its distance from the middle in radii: 0 there, 1 at its edge."""
    if kind == 1:
        return -38 * (1 - distance**2) - 25 * (distance < 0.35)
    if kind == 2:
        return -30 * (distance > 0.72) + 14 * (distance < 0.5)
    return -22 + 30 * _smooth(rng, 80)


def _smooth(rng: np.random.Generator, grains: int) -> np.ndarray:
    """Smooth noise of about unit size: so many grains a side."""
    small = Image.fromarray(rng.normal(0, 1, (grains, grains)).astype(np.float32))
    return np.asarray(small.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float64)
