"""Axis: where a photo's pixels lie among the samples of a score map, along one axis; no torch is needed."""

from dataclasses import dataclass

import numpy as np

from segcli.inference.transform import Geometry


@dataclass(frozen=True)
class Axis:
    """Bilinear interpolation along one axis.

    Attributes:
        first: int64 (pixels,), the sample before each pixel.
        second: int64 (pixels,), the sample after each pixel.
        weight: float32 (pixels,), the second sample's share, 0..1.
        shift: Where the pixels are samples themselves, the first one's index: nothing is to be computed; else None.
    """

    first: np.ndarray
    second: np.ndarray
    weight: np.ndarray
    shift: int | None


def axes(scores: tuple[int, int], place: Geometry, align_corners: bool, size: tuple[int, int]) -> tuple[Axis, Axis]:
    """How the rows and the columns of a picture that shows the whole photo lie among those of its scores.

    Args:
        scores: (h, w), the size of what the network returned for the input that `place` describes.
        place: From `transform.to_array`.
        align_corners: Whether the first and last score lie on the centres of the first and last input pixels.
        size: The picture's (height, width).
    """
    vertical, horizontal = (axis(size[k], place.resized[k], place.padded[k], scores[k], align_corners) for k in (0, 1))
    return vertical, horizontal


def axis(pixels: int, resized: int, padded: int, scores: int, align_corners: bool) -> Axis:
    """How `pixels` of the photo lie among the `scores` of its padded input, along one axis."""
    pixel = np.arange(pixels, dtype=np.float64)
    inside = ((pixel + 0.5) * (resized / pixels) - 0.5).clip(0, resized - 1)
    if align_corners:
        position = inside * ((scores - 1) / max(padded - 1, 1))
    else:
        position = ((inside + 0.5) * (scores / padded) - 0.5).clip(0, scores - 1)
    first = np.floor(position).astype(np.int64)
    second = np.minimum(first + 1, scores - 1)
    shift = int(first[0]) if np.array_equal(position, np.floor(position[0]) + pixel) else None
    return Axis(first, second, (position - first).astype(np.float32), shift)
