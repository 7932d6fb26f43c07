"""From photos to a network's input, `to_input`, and from its scores back to the photos' pixels, `to_photo`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from segcli.errors import InputError
from segcli.models.preprocessing import STRIDE, Preprocessing, at_size

CACHED, LAUNCHED = 2**20, 2**26
"""Bytes of full-size scores that exist at a time: on the CPU as much as its caches hold (64 MB took twice as long), on
a GPU enough to keep it busy."""

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


def to_input(
    rgb: np.ndarray, preprocessing: Preprocessing, resized: tuple[int, int] | None = None
) -> tuple[Tensor, Geometry]:
    """Prepare a photo, uint8 (H, W, 3) red-green-blue, for the network.

    Args:
        rgb: The photo.
        preprocessing: The model's.
        resized: The (height, width) that the photo gets; None: as the preprocessing has it.

    Returns:
        float32 (1, 3, H', W'), resized (bilinear, antialiased), normalised, then padded with the
        normalised grey of the weights; and the geometry that leads back.
    """
    size = rgb.shape[:2]
    place = geometry_at(size, resized, preprocessing) if resized else geometry(size, preprocessing)
    photo = torch.from_numpy(np.require(rgb, requirements="CW")).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    if place.resized != place.photo:
        photo = transforms.resize(photo, list(place.resized), antialias=True)
    return place_on_grey(normalise(photo, preprocessing), place, preprocessing), place


def normalise(photo: Tensor, preprocessing: Preprocessing) -> Tensor:
    """An RGB picture (3, h, w) in 0..255 as float32 (1, 3, h, w) in the weights' channel order and scale."""
    mean = torch.tensor(preprocessing.mean).view(3, 1, 1)
    std = torch.tensor(preprocessing.std).view(3, 1, 1)
    normal = (photo - mean).div_(std)  # also of uint8: minus a float32 it is float32
    return (normal.flip(0) if preprocessing.channels == "BGR" else normal).unsqueeze(0)


def place_on_grey(normal: Tensor, place: Geometry, preprocessing: Preprocessing) -> Tensor:
    """A canvas (1, 3, H', W') of the padding's grey with a normalised picture (1, 3, h, w) at its top left."""
    if place.padded == place.resized:
        return normal
    grey = normalise(torch.full((3, 1, 1), float(preprocessing.pad_value)), preprocessing)
    canvas = grey.expand(1, 3, *place.padded).clone()
    canvas[..., : place.resized[0], : place.resized[1]] = normal
    return canvas


def batched(inputs: Sequence[Tensor], device: torch.device) -> Tensor:
    """A batch (N, 3, H, W) on a device, of N inputs (1, 3, H, W) of one size.

    A GPU fetches it from pinned memory, so that the processor need not wait and prepares what comes next.
    """
    batch = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs))
    return batch.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else batch.to(device)


@dataclass(frozen=True)
class Axis:
    """Bilinear interpolation along one axis.

    Attributes:
        first: int64 (pixels,), the sample before each pixel.
        second: int64 (pixels,), the sample after each pixel.
        weight: float32 (pixels,), the second sample's share, 0..1.
        shift: Where the pixels are samples themselves, the first one's index: nothing is to be computed; else None.
    """

    first: Tensor
    second: Tensor
    weight: Tensor
    shift: int | None

    def interpolate(self, values: Tensor, dim: int, start: int, stop: int) -> Tensor:
        """The pixels start..stop along axis `dim` (-1 or -2) of samples `values`; a view where nothing is computed."""
        if self.shift is not None:
            return values.narrow(dim, self.shift + start, stop - start)
        first, second = (values.index_select(dim, index[start:stop]) for index in (self.first, self.second))
        weight = self.weight[start:stop]
        return first.lerp_(second, weight if dim == -1 else weight[:, None])


@dataclass(frozen=True)
class Enlargement:
    """Bilinear interpolation from a score map to photo pixels, ready to yield any band of rows.

    Columns are interpolated once, on the score map's few rows; a row of the photo then costs one
    blend of two such rows, so that a large photo never holds a full score volume.

    Attributes:
        wide: Scores (N, K, h, W): the photo's columns in the score map's rows.
        vertical: How the photo's rows lie among the score map's.
    """

    wide: Tensor
    vertical: Axis

    def rows(self, start: int, stop: int) -> Tensor:
        """Scores (N, K, stop - start, W) of the photo's rows start..stop; perhaps a view: copy before changing it."""
        return self.vertical.interpolate(self.wide, -2, start, stop)


def enlargement(scores: Tensor, place: Geometry, align_corners: bool, size: tuple[int, int]) -> Enlargement:
    """The Enlargement of scores (N, K, h, w) to a picture of size (height, width) that shows the whole photo."""
    vertical, horizontal = (
        axis(size[k], place.resized[k], place.padded[k], scores.shape[2 + k], align_corners, scores.device)
        for k in (0, 1)
    )
    return Enlargement(horizontal.interpolate(scores, -1, 0, size[1]), vertical)


def to_photo(scores: Tensor, place: Geometry, align_corners: bool, size: tuple[int, int] | None = None) -> Tensor:
    """Bring scores from the network's own resolution back to every pixel of the photo.

    The padding is left behind and the resize inverted in one bilinear interpolation.

    Args:
        scores: (N, K, h, w), what the network returned for the input that `place` describes.
        place: From `to_input`.
        align_corners: Whether the first and last score lie on the centres of the first and last input pixels.
        size: (height, width) of the result where it is not the photo's own.

    Returns:
        (N, K, H, W), of the scores' dtype; a view of them where nothing is to be enlarged.
    """
    height, width = size or place.photo
    return enlargement(scores, place, align_corners, (height, width)).rows(0, height)


def bands(
    scores: Tensor, place: Geometry, align_corners: bool, size: tuple[int, int]
) -> Iterator[tuple[slice, Tensor]]:
    """Bring the scores (1, K, h, w) of one photo back in bands of rows: a large one never holds a full score volume.

    Yields:
        The rows, and their scores (K, rows, W) as `to_photo` gives them; perhaps a view: copy before changing it.
    """
    height, width = size
    enlarged = enlargement(scores, place, align_corners, size)
    step = max(1, (CACHED if scores.device.type == "cpu" else LAUNCHED) // (4 * scores.shape[1] * width))
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        yield rows, enlarged.rows(rows.start, rows.stop)[0]


def axis(pixels: int, resized: int, padded: int, scores: int, align_corners: bool, device: torch.device) -> Axis:
    """How `pixels` of the photo lie among the `scores` of its padded input, along one axis."""
    pixel = torch.arange(pixels, dtype=torch.float64)
    inside = ((pixel + 0.5) * (resized / pixels) - 0.5).clamp(0, resized - 1)
    if align_corners:
        position = inside * ((scores - 1) / max(padded - 1, 1))
    else:
        position = ((inside + 0.5) * (scores / padded) - 0.5).clamp(0, scores - 1)
    first = position.floor().long()
    second = (first + 1).clamp(max=scores - 1)
    shift = int(first[0]) if torch.equal(position, position[0].floor() + pixel) else None
    return Axis(first.to(device), second.to(device), (position - first).float().to(device), shift)
