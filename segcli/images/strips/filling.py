"""Filling: pixels without data get the colours that `photo.filled` gives them, in a picture that is read in parts.

Its blocks of 2, 4, 8, ... pixels lie at multiples of their size, so that those up to `BLOCK` are found within a band of
rows. One number for each of these blocks, of the whole picture, tells the rest.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from segcli.images.photo import filled, halved

LEVELS = 7
BLOCK = 2**LEVELS
"""The side of the blocks whose colours are kept for the whole picture; bands of rows begin at its multiples."""


def ground(bands: Iterable[tuple[np.ndarray, np.ndarray | None]]) -> np.ndarray | None:
    """The colour of each block of a picture, those without data filled: float64 (h, w, 3); None without any data.

    Args:
        bands: The picture's colours, uint8 (H, W, 3), and where it has data, bool (H, W), None for everywhere; in
            bands of rows whose heights, but for the last one's, are multiples of BLOCK.
    """
    colours, known = [], []
    for rgb, valid in bands:
        one, has = rgb.astype(np.float32), np.ones(rgb.shape[:2], bool) if valid is None else valid
        for _ in range(LEVELS):
            one, has = halved(one, has)
        colours.append(one)
        known.append(has)
    whole = np.concatenate(known)
    return filled(np.concatenate(colours), whole) if whole.any() else None


def fill(rgb: np.ndarray, valid: np.ndarray, blocks: np.ndarray | None) -> None:
    """Give the pixels without data of a band of rows their colours.

    Args:
        rgb: uint8 (H, W, 3); it is changed.
        valid: Where there is data, bool (H, W).
        blocks: The rows of the picture's `ground` that the band covers; None where the picture has no data at all.
    """
    if blocks is None:
        rgb[~valid] = 0
    elif not valid.all():
        rgb[~valid] = _filled(rgb.astype(np.float32), valid, blocks, LEVELS)[~valid].round().astype(np.uint8)


def _filled(colours: np.ndarray, valid: np.ndarray, blocks: np.ndarray, levels: int) -> np.ndarray:
    if not levels:
        return blocks
    coarse, known = halved(colours, valid)
    coarse = _filled(coarse, known, blocks, levels - 1).repeat(2, 0).repeat(2, 1)[: valid.shape[0], : valid.shape[1]]
    return np.where(valid[..., None], colours, coarse)
