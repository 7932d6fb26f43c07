"""Augmentation: random scale, colour jitter, crop and flip of a photo and its mask; class-balanced crops."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from segcli.inference.transform import Geometry, geometry, normalise, place_on_grey
from segcli.labels import VOID
from segcli.models.preprocessing import Preprocessing
from segcli.training.recipe import Augment


@dataclass(frozen=True)
class AugmentParams:
    """The random parameters of one photo's augmentation.

    Attributes:
        scale: Factor on the working size.
        position: Where the crop lies in the room there is for it: (down, right), each in 0..1; of a class-balanced
            crop, where in the crop its pixel lies, as far as the photo's edges let it, before mirroring.
        flip: Whether photo and mask are mirrored.
        colour_jitter: Factors on brightness, contrast and saturation.
        class_and_pixel: For a class-balanced crop, which of the photo's classes it shall hold and which pixel of that
            class, each in 0..1 of all there are; None for a crop anywhere.
    """

    scale: float
    position: tuple[float, float]
    flip: bool
    colour_jitter: tuple[float, float, float]
    class_and_pixel: tuple[float, float] | None = None


def sample_params(settings: Augment, rng: np.random.Generator) -> AugmentParams:
    """Sample the parameters for one photo; they are the same for the same generator, whatever the photo."""
    scale = rng.uniform(*settings.scale)
    if settings.scale_step:
        low, high = settings.scale
        steps = int((high - low) / settings.scale_step + 1e-6)
        scale = low + settings.scale_step * rng.integers(steps + 1)
    down, right = rng.random(2)
    flip = bool(rng.random() < 0.5) and settings.flip
    brightness, contrast, saturation = 1 + settings.colour * rng.uniform(-1, 1, 3)
    balanced, which_class, which_pixel = rng.random(3)
    target = (float(which_class), float(which_pixel)) if balanced < settings.focus else None
    return AugmentParams(float(scale), (float(down), float(right)), flip, (brightness, contrast, saturation), target)


def augment(
    rgb: np.ndarray, label: np.ndarray, params: AugmentParams, crop: int, preprocessing: Preprocessing
) -> tuple[Tensor, Tensor]:
    """One photo and its mask as training sees them.

    The photo is resized once, from its own size to the working size times the sampled scale: bilinear and antialiased,
    the mask to the nearest pixel. What a crop has beyond the photo is mean grey, and void in the mask.

    Args:
        rgb: uint8 (H, W, 3).
        label: uint8 (H, W), 0..K-1 or VOID.
        params: From `sample_params`.
        crop: Side of the result in pixels.
        preprocessing: The working size, and how the network wants its input normalised.

    Returns:
        float32 (3, crop, crop) and uint8 (crop, crop).
    """
    photo, mask = _resized(rgb, label, params.scale, preprocessing)
    pixel = _pixel(mask, params.class_and_pixel) if params.class_and_pixel else (None, None)
    spans = [_span(mask.shape[i], params.position[i], pixel[i], crop) for i in (0, 1)]
    (top, height), (left, width) = spans
    photo = _jittered(photo[:, top : top + height, left : left + width], params.colour_jitter)
    mask = mask[top : top + height, left : left + width]
    if params.flip:
        photo, mask = photo.flip(-1), mask.flip(-1)
    place = Geometry(rgb.shape[:2], (height, width), (crop, crop))
    filled = torch.full((crop, crop), VOID, dtype=torch.uint8)
    filled[:height, :width] = mask
    return place_on_grey(normalise(photo, preprocessing), place, preprocessing)[0], filled


def _resized(rgb: np.ndarray, label: np.ndarray, scale: float, preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """uint8 (3, h, w) and uint8 (h, w): photo and mask at the working size times a scale."""
    working = geometry(rgb.shape[:2], preprocessing).resized
    size = [max(1, round(side * scale)) for side in working]
    photo = transforms.resize(torch.from_numpy(rgb).permute(2, 0, 1), size, antialias=True)
    return photo, transforms.resize(torch.from_numpy(label)[None], size, InterpolationMode.NEAREST_EXACT)[0]


def _pixel(mask: Tensor, class_and_pixel: tuple[float, float]) -> tuple[int | None, int | None]:
    """A pixel of the mask (h, w): each of its classes is as likely as any other; none where all is void."""
    classes = mask[mask != VOID].unique()
    if not len(classes):
        return None, None
    which_class, which_pixel = class_and_pixel
    pixels = (mask == classes[int(which_class * len(classes))]).nonzero()
    row, column = pixels[int(which_pixel * len(pixels))].tolist()
    return row, column


def _span(side: int, position: float, pixel: int | None, crop: int) -> tuple[int, int]:
    """First pixel and length of the crop along one axis."""
    length = min(side, crop)
    if pixel is None:
        return round(position * (side - length)), length
    return min(max(pixel - round(position * (length - 1)), 0), side - length), length


def _jittered(photo: Tensor, factors: tuple[float, float, float]) -> Tensor:
    """uint8 (3, h, w) with other brightness, contrast and saturation."""
    if factors == (1.0, 1.0, 1.0):
        return photo
    brightness, contrast, saturation = factors
    photo = transforms.adjust_brightness(photo, brightness)
    return transforms.adjust_saturation(transforms.adjust_contrast(photo, contrast), saturation)
