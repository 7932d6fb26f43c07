"""Tiny photos and masks on disk, for trees in the datasets' published layouts."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_photo(path: Path, size: tuple[int, int] = (4, 3), grey: int = 90, **options) -> Path:
    """A one-coloured photo of (width, height) pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey, grey, grey)).save(path, **options)
    return path


def write_mask(path: Path, ids: list[list[int]] | np.ndarray) -> Path:
    """A grey PNG that holds the ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(ids, np.uint8)).save(path)
    return path


def write_list(path: Path, *lines: str) -> Path:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
