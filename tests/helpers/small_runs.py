"""Small photos, and what a run left in its output folder."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def smooth(seed: int, width: int, height: int) -> np.ndarray:
    """A photo of soft coloured blobs."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def records(output: Path) -> dict[str, dict]:
    lines = (output / "manifest.jsonl").read_text().splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
