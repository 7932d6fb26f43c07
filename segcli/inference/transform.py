"""From photos to a network's input, without torch: `to_array`, and the Geometry that leads back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segcli.errors import InputError
from segcli.inference.resizing import resize
from segcli.models.preprocessing import STRIDE, Preprocessing, at_size

if TYPE_CHECKING:
    from torch import Tensor

Input = tuple[np.ndarray, "Geometry"]
"""A network's input, float32 (3, H', W'), and how the photo lies in it."""
LONGEST_SHAPE = 40
"""Where the short side is set to a size, a photo longer than this many short sides would fill the memory."""


@dataclass(frozen=True)
class Geometry:
    """How a photo lies in the network's input, so that every photo pixel is found again; all (height, width) in pixels.

    Attributes:
        photo: The photo as decoded.
        resized: The part of the network's input that holds the photo.
        padded: The whole input, padding on the right and at the bottom included.
    """

    photo: tuple[int, int]
    resized: tuple[int, int]
    padded: tuple[int, int]

    def is_full_size(self, scores: tuple[int, int]) -> bool:
        """Whether scores of (h, w) lie on the photo's pixels."""
        return tuple(scores) == self.photo == self.resized == self.padded


def geometry(photo: tuple[int, int], preprocessing: Preprocessing) -> Geometry:
    """The Geometry of a photo of (height, width) pixels; InputError where it is too thin for the model."""
    resized = _resized(photo, preprocessing)
    return Geometry(photo, resized, _padded(resized, preprocessing))


def _resized(photo: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    size = preprocessing.size
    if preprocessing.resize == "none":
        return photo
    if preprocessing.resize == "warp":
        return size, size
    if preprocessing.resize == "long":
        return fit(photo, size)
    if max(photo) > LONGEST_SHAPE * min(photo):
        raise InputError(
            f"a photo of {photo[1]} x {photo[0]} pixels is too thin for a model that sets the short side to {size}",
            "Crop it, or give another --size or --model.",
        )
    return photo[0] * size // min(photo), photo[1] * size // min(photo)  # torchvision rounds down


def _padded(resized: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    if preprocessing.pad == "none":
        return resized
    if preprocessing.pad == "square":
        return max(resized[0], preprocessing.size), max(resized[1], preprocessing.size)
    height, width = (-(-(side - 1) // STRIDE) * STRIDE + 1 for side in resized)
    return height, width


def fit(photo: tuple[int, int], longest: int) -> tuple[int, int]:
    """The (height, width) of a photo shrunk, never enlarged, to at most `longest` pixels a side; 0 is no limit."""
    scale = longest / max(photo) if longest else 1.0
    return photo if scale >= 1 else (max(1, round(photo[0] * scale)), max(1, round(photo[1] * scale)))


def geometry_at(photo: tuple[int, int], resized: tuple[int, int], preprocessing: Preprocessing) -> Geometry:
    """The Geometry of a photo that is resized to (height, width) instead of the model's own size."""
    return Geometry(photo, resized, _padded(resized, at_size(preprocessing, 0)))


def place_of(photo: tuple[int, int], preprocessing: Preprocessing, resized: tuple[int, int] | None = None) -> Geometry:
    """The Geometry of a photo that is resized to (height, width), or as the preprocessing has it; see `geometry`."""
    return geometry_at(photo, resized, preprocessing) if resized else geometry(photo, preprocessing)


def to_input(
    rgb: np.ndarray, preprocessing: Preprocessing, resized: tuple[int, int] | None = None
) -> tuple[Tensor, Geometry]:
    """The input that `to_array` makes, as torch's tensor."""
    import torch

    values, place = to_array(rgb, preprocessing, resized)
    return torch.from_numpy(values).unsqueeze(0), place


def to_array(
    rgb: np.ndarray, preprocessing: Preprocessing, resized: tuple[int, int] | None = None
) -> tuple[np.ndarray, Geometry]:
    """Prepare a photo, uint8 (H, W, 3) red-green-blue, for the network.

    Args:
        rgb: The photo.
        preprocessing: The model's.
        resized: The (height, width) that the photo gets; None: as the preprocessing has it.

    Returns:
        float32 (3, H', W'), resized (bilinear, antialiased), normalised, then padded with the
        normalised grey of the weights; and the geometry that leads back.
    """
    place = place_of(rgb.shape[:2], preprocessing, resized)
    photo = resize(rgb, place.resized).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    return place_on_grey(normalise(photo, preprocessing), place, preprocessing), place


def normalise(photo: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """An RGB picture (3, h, w) in 0..255 as float32 (3, h, w) in the weights' channel order and scale."""
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    normal = photo - mean  # also of uint8: minus a float32 it is float32
    normal /= std
    return np.copy(normal[::-1]) if preprocessing.channels == "BGR" else normal


def place_on_grey(normal: np.ndarray, place: Geometry, preprocessing: Preprocessing) -> np.ndarray:
    """A canvas (3, H', W') of the padding's grey with a normalised picture (3, h, w) at its top left."""
    if place.padded == place.resized:
        return normal
    canvas = np.empty((3, *place.padded), np.float32)
    canvas[:] = grey(preprocessing)
    canvas[:, : place.resized[0], : place.resized[1]] = normal
    return canvas


def grey(preprocessing: Preprocessing) -> np.ndarray:
    """The padding's grey, normalised: float32 (3, 1, 1)."""
    return normalise(np.full((3, 1, 1), preprocessing.pad_value, np.float32), preprocessing)
