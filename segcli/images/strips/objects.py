"""Objects of a label map that comes in strips of rows, as `objects.measured` has those of a whole one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields

import numpy as np

from segcli.images.objects import Objects, Runs, Sums
from segcli.images.regions import joined


def measured(
    bands: Iterable[np.ndarray], size: tuple[int, int], classes: Collection[int], certainty: np.ndarray | None = None
) -> Objects:
    """The objects of a label map.

    What is in memory is a strip, and some hundred bytes for each part of an object that a strip holds.

    Args:
        bands: The map's rows, uint8 or uint16 (rows, W), from top to bottom.
        size: Its (height, width).
        classes: The ids whose regions are objects.
        certainty: As for `objects.measured`.
    """
    parts, pairs, top, count = [], [], 0, 0
    above, pixels = np.full(size[1], -1), np.zeros(size[1], np.uint8)
    for band in bands:
        runs = Runs.of(band, classes, top)
        first, last = (_counted(runs.numbers(row, size[1]), count) for row in (top, top + len(band) - 1))
        touch = (above >= 0) & (first >= 0) & (pixels == band[0])
        pairs.append(np.unique(np.stack([above[touch], first[touch]]), axis=1))
        parts.append(Sums.of(runs, size, certainty))
        above, pixels = last, band[-1]
        top, count = top + len(band), count + len(runs.labels)
    return _joined(parts, np.concatenate(pairs, axis=1)).objects(size)


def _counted(numbers: np.ndarray, before: int) -> np.ndarray:
    """Numbers of a strip as those of the picture; -1 stays."""
    return np.where(numbers < 0, -1, numbers + before)


def _joined(parts: list[Sums], pairs: np.ndarray) -> Sums:
    """The sums of whole objects, in the order of their first pixels.

    Args:
        parts: The sums of each strip.
        pairs: Numbers of parts that touch, int64 (2, n), counted over all strips.
    """
    every = Sums(*(np.concatenate([getattr(part, one.name) for part in parts], -1) for one in fields(Sums)))
    root = joined(len(every.labels), *pairs)
    whole, number = np.unique(root, return_inverse=True)
    low, high, first = every.low[:, whole], every.high[:, whole], every.first[whole]
    for side in range(2):
        np.minimum.at(low[side], number, every.low[side])
        np.maximum.at(high[side], number, every.high[side])
    np.minimum.at(first, number, every.first)
    sums = (np.bincount(number, one, len(whole)) for one in (every.pixels, every.x, every.y, every.sure))
    merged = Sums(every.labels[whole], *sums, low, high, first)
    order = np.argsort(first)
    return Sums(*(getattr(merged, one.name)[..., order] for one in fields(Sums)))
