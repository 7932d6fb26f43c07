"""Flow: where each part of a picture was in the one before, by OpenCV, and whether it is still the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
from PIL import Image

LONGEST = 480
"""The longest side, in pixels, at which pictures are compared: 2 ms a frame."""
SMALLEST = 16
"""The shortest side in which motion can be searched for."""
ALIKE = 15.0
"""Grey levels of 255: what differs by as much counts for e^-1 (37 %) of what is the same."""


@dataclass(frozen=True)
class Motion:
    """How one picture came from another, both grey.

    Attributes:
        shift: float32 (h, w, 2): how many pixels to the right and down each pixel's place in the picture before is.
        alike: float32 (h, w), 0..1: how much of what was there is still to be seen; 0 for what lay outside.
        difference: The mean difference in grey levels that remains.
    """

    shift: np.ndarray
    alike: np.ndarray
    difference: float

    def at(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """`shift`, in pixels of that size, and `alike` for a grid of (height, width)."""
        import cv2

        (height, width), (rows, columns) = self.alike.shape, size
        shift = cv2.resize(self.shift, (columns, rows), interpolation=cv2.INTER_AREA)
        alike = cv2.resize(self.alike, (columns, rows), interpolation=cv2.INTER_AREA)
        return shift * np.float32([columns / width, rows / height]), alike


def is_here() -> bool:
    """Whether OpenCV, which computes it, is installed; it is not imported."""
    return find_spec("cv2") is not None


def grey(rgb: np.ndarray) -> np.ndarray:
    """A picture, uint8 (H, W, 3), as it is compared: uint8 (h, w), at most `LONGEST` a side."""
    image = Image.fromarray(rgb).convert("L")
    scale = LONGEST / max(image.size)
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(image)


def motion(before: np.ndarray, now: np.ndarray) -> Motion:
    """The Motion between two grey pictures of one size, uint8 (h, w) each, by dense inverse search (Kroeger 2016)."""
    import cv2

    height, width = now.shape
    small = min(height, width) < SMALLEST
    shift = np.zeros((height, width, 2), np.float32) if small else _search().calc(now, before, None)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = columns + shift[..., 0], rows + shift[..., 1]
    there = cv2.remap(before, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = cv2.absdiff(there, now).astype(np.float32)
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    alike = np.exp(-np.square(difference / ALIKE)) * inside
    return Motion(shift, alike.astype(np.float32), float(difference.mean()))


@cache
def _search():
    import cv2

    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
