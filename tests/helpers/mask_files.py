"""Masks of small scenes on disk, in the forms that tools write, and how they are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.data import names
from segcli.data.classes import Table
from segcli.data.dataset import map_ids
from segcli.data.pictures.decide import decide
from segcli.data.pictures.evidence import Pictures
from segcli.data.pictures.survey import survey
from segcli.data.reading import Choice
from segcli.labels import VOID, voc_palette

VOC = np.array(voc_palette(256), np.uint8)
"""VOC's colours, uint8 (256, 3), with cream for void."""
VOC[VOID] = (224, 224, 192)

Write = Callable[[np.ndarray, Path, int], Path]
"""Writes the mask of these ids, given the path without a suffix and the mask's number; returns the file."""


def scenes(classes: int = 3, void: bool = False, count: int = 3) -> list[np.ndarray]:
    """Label maps uint8 (48, 64) with a rectangle of each class on class 0, and if wished void in the first rows."""
    chance = np.random.default_rng(classes)
    found = []
    for _ in range(count):
        ids = np.zeros((48, 64), np.uint8)
        for label in range(1, classes):
            (top, left), (height, width) = chance.integers((4, 0), (26, 40)), chance.integers(9, 18, 2)
            ids[top : top + height, left : left + width] = label
        if void:
            ids[:3] = VOID
        found.append(ids)
    return found


def as_file(make: Callable[[np.ndarray], np.ndarray | Image.Image], suffix: str = "png", **options) -> Write:
    """Write pictures, or arrays of pixels, that are made of the ids."""

    def write(ids: np.ndarray, path: Path, _: int) -> Path:
        made = make(ids)
        path = path.with_suffix(f".{suffix}")
        (Image.fromarray(made) if isinstance(made, np.ndarray) else made).save(path, **options)
        return path

    return write


def indexed(indices: np.ndarray, colours: np.ndarray | Sequence[Sequence[int]]) -> Image.Image:
    """A palette picture of indices (H, W) and the colours of the palette (n, 3)."""
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(np.array(colours, np.uint8).tobytes())
    return image


@dataclass(frozen=True)
class Masks:
    """Masks that were written, and how they are read.

    Attributes:
        paths: The files.
        pictures: The decision.
        ids: What each file is read as, uint8 (H, W): classes, VOID for void and for illegal values.
        illegal: Values of no class, with their pixels, over all files.
    """

    paths: list[Path]
    pictures: Pictures
    ids: list[np.ndarray]
    illegal: dict[int, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the reading."""
        return self.pictures.reading.notes

    def are(self, truths: Sequence[np.ndarray], tolerance: float = 0) -> bool:
        """Whether no more than a share of the pixels are other than these."""
        wrong = sum(int((ids != truth).sum()) for ids, truth in zip(self.ids, truths, strict=True))
        return not self.illegal and wrong <= tolerance * sum(truth.size for truth in truths)


def read_masks(
    folder: Path,
    write: Write,
    truths: Sequence[np.ndarray],
    classes: str | Sequence[str] | None = ("background", "leaf", "spot"),
    table: Table = (),
    words: Sequence[str] = (),
    **choice,
) -> Masks:
    """Write a mask for each label map, decide on one reading of all, and read them."""
    paths = [write(truth, folder / f"mask{number}", number) for number, truth in enumerate(truths)]
    named = None if classes is None else names.parse(classes)
    pictures = decide(survey(paths), named, table, Choice(**choice), frozenset(words))
    read = [map_ids(pictures.read(path), pictures.ids) for path in paths]
    illegal = {value: count for _, found in read for value, count in found.items()}
    return Masks(paths, pictures, [ids for ids, _ in read], illegal)
