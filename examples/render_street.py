"""Render street scenes with exact class masks, to train on and to show: see README.md beside this file."""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image
from street import lens, light, scene, shading
from street.camera import look
from street.shadow import Shadows

from segcli.images.masks import write_label_map
from segcli.labels import CAMVID, VOID, from_names

SIZE = (480, 360)
SAMPLES = 2
SHOWCASE = {
    "morning": (5, "clear", "city", 0.7),
    "evening": (6, "golden", "town", None),
    "crossing": (2, "overcast", "city", None),
    "avenue": (2, "fair", "park", 0.5),
    "dusk": (8, "dusk", "city", None),
    "terrace": (2, "fair", "town", 0.6),
}
"""The pictures in `photos/`: index, weather, character of the place, and height of the sun in radians."""


CATEGORIES = {
    "sky": ("sky",),
    "construction": ("building", "fence", "pole", "sign"),
    "ground": ("road", "pavement"),
    "nature": ("tree",),
    "traffic": ("car", "pedestrian", "bicyclist"),
}
"""The classes of `--coarse` and what of CamVid's falls under each: enough for a first try of minutes."""


def render(
    seed: int, index: int, size: tuple[int, int] = SIZE, samples: int = SAMPLES
) -> tuple[np.ndarray, np.ndarray]:
    """One scene, which depends on nothing but the arguments.

    Args:
        seed: Of the whole set.
        index: Of the scene in it, from 0.
        size: Width and height in pixels.
        samples: Per pixel and direction.

    Returns:
        The picture, uint8 (H, W, 3), and its label map, uint8 (H, W), with the ids of `CAMVID`.
    """
    rng = np.random.default_rng([seed, index])
    weather = light.draw(rng)
    street = scene.build(rng, weather)
    return picture(street, lens.draw(rng), size, samples, rng)


def picture(street: scene.Scene, how: lens.Development, size, samples: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a street; see `render` for the result."""
    fine = size[0] * samples, size[1] * samples
    seen = look(street.camera, street.mesh, fine)
    shadows = Shadows(street.mesh, street.light, max(400, fine[0]))
    setting = shading.Setting(street.light, street.plan, street.facades, street.camera.view / fine[0])
    colour = shading.shade(street.mesh, street.camera, seen, setting, shadows, rng)
    return lens.develop(colour, samples, how, rng), lens.vote(seen.label, samples, len(CAMVID))


def show(index: int, weather: str, character: str, height: float | None) -> tuple[np.ndarray, np.ndarray]:
    """A scene of the showcase, large and well exposed; see `render` for the result."""
    rng = np.random.default_rng([100, index])
    street = scene.build(rng, light.draw(rng, weather, height), character)
    return picture(street, lens.Development(balance=0.3, contrast=1.1, vignette=0.15, noise=0.004), (960, 720), 3, rng)


def write_showcase(photos: Path) -> Iterator[Path]:
    """Render the showcase into a folder, its masks into `labels/` beside that folder, and yield each picture's path."""
    labels = photos.parent / "labels"
    for folder in (photos, labels):
        folder.mkdir(parents=True, exist_ok=True)
    for name, shot in SHOWCASE.items():
        rgb, label_map = show(*shot)
        Image.fromarray(rgb).save(photos / f"{name}.jpg", quality=88)
        write_label_map(labels / f"{name}.png", label_map, CAMVID)
        yield photos / f"{name}.jpg"


def coarse(label_map: np.ndarray) -> np.ndarray:
    """A label map of CamVid's classes as one of `CATEGORIES`; void stays void."""
    table = np.full(256, VOID, np.uint8)
    for category, members in enumerate(CATEGORIES.values()):
        table[[CAMVID.names.index(name) for name in members]] = category
    return table[label_map]


def write(index: int, out: Path, seed: int, size: tuple[int, int], categories: bool = False) -> Path:
    """Render a scene into `images/` and `labels/`; returns the picture's path."""
    rgb, label_map = render(seed, index, size)
    labels = CAMVID
    if categories:
        label_map, labels = coarse(label_map), from_names(list(CATEGORIES))
    photo = out / "images" / f"{seed}-{index:05}.jpg"
    Image.fromarray(rgb).save(photo, quality=92)
    write_label_map(out / "labels" / f"{photo.stem}.png", label_map, labels)
    return photo


def render_all(
    out: Path, count: int, seed: int, size: tuple[int, int], workers: int, categories: bool = False
) -> Iterator[Path]:
    """Render scenes 0 .. count - 1 and yield each picture's path, in order."""
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    task = partial(write, out=out, seed=seed, size=size, categories=categories)
    if workers < 2:
        yield from map(task, range(count))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(task, range(count))


def _size(text: str) -> tuple[int, int]:
    width, height = (int(part) for part in text.split("x"))
    return width, height


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for images/ and labels/")
    parser.add_argument("--count", type=int, default=200, help="how many scenes")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other scenes")
    parser.add_argument("--size", type=_size, default=SIZE, metavar="WxH", help="of the pictures, 480x360 unless said")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--coarse", action="store_true", help=f"five classes: {', '.join(CATEGORIES)}")
    parser.add_argument(
        "--showcase", action="store_true", help="render the pictures of examples/photos into OUT instead"
    )
    options = parser.parse_args(arguments)
    if options.showcase:
        for name in ("count", "seed", "size", "coarse"):
            if getattr(options, name) != parser.get_default(name):
                parser.error(f"--{name} has no meaning with --showcase, whose scenes are fixed")
        photos = write_showcase(options.out)
    else:
        photos = render_all(options.out, options.count, options.seed, options.size, options.workers, options.coarse)
    total = len(SHOWCASE) if options.showcase else options.count
    for done, photo in enumerate(photos, 1):
        print(f"{done}/{total} {photo}", flush=True)


if __name__ == "__main__":
    main()
