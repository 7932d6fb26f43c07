"""Random scale, colour, crop and flip of a photo and its mask, alike for both; crops around what is rare."""

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
class Draw:
    """What chance has decided for one photo.

    Attributes:
        scale: Factor on the working size.
        place: Where the crop lies in the room there is for it: (down, right), each in 0..1; with a focus, where in
            the crop that pixel lies, as far as the photo's edges let it, before mirroring.
        flip: Whether it is mirrored.
        colour: Factors on brightness, contrast and saturation.
        focus: Which of the photo's classes, and which of its pixels, the crop is to hold, each in 0..1; or None.
    """

    scale: float
    place: tuple[float, float]
    flip: bool
    colour: tuple[float, float, float]
    focus: tuple[float, float] | None = None


def draw(settings: Augment, chance: np.random.Generator) -> Draw:
    """Roll the dice; they fall the same way for the same generator, whatever the photo."""
    scale = chance.uniform(*settings.scale)
    if settings.scale_step:
        low, high = settings.scale
        steps = int((high - low) / settings.scale_step + 1e-6)
        scale = low + settings.scale_step * chance.integers(steps + 1)
    down, right = chance.random(2)
    flip = bool(chance.random() < 0.5) and settings.flip
    brightness, contrast, saturation = 1 + settings.colour * chance.uniform(-1, 1, 3)
    focused, which, where = chance.random(3)
    focus = (float(which), float(where)) if focused < settings.focus else None
    return Draw(float(scale), (float(down), float(right)), flip, (brightness, contrast, saturation), focus)


def augment(
    rgb: np.ndarray, label: np.ndarray, drawn: Draw, crop: int, preprocessing: Preprocessing
) -> tuple[Tensor, Tensor]:
    """One photo and its mask as training sees them.

    The photo is resized once, from its own size to the working size times the drawn scale: bilinear and antialiased,
    the mask to the nearest pixel. What a crop has beyond the photo is mean grey, and void in the mask.

    Args:
        rgb: uint8 (H, W, 3).
        label: uint8 (H, W), 0..K-1 or VOID.
        drawn: From `draw`.
        crop: Side of the result in pixels.
        preprocessing: The working size, and how the network wants its input normalised.

    Returns:
        float32 (3, crop, crop) and uint8 (crop, crop).
    """
    working = geometry(rgb.shape[:2], preprocessing).resized
    size = [max(1, round(side * drawn.scale)) for side in working]
    photo = transforms.resize(torch.from_numpy(rgb).permute(2, 0, 1), size, antialias=True)  # (H, W, 3) -> (3, h, w)
    mask = transforms.resize(torch.from_numpy(label)[None], size, InterpolationMode.NEAREST_EXACT)
    pixel = _pixel(mask[0], drawn.focus) if drawn.focus else (None, None)
    (top, height), (left, width) = (_span(size[i], drawn.place[i], pixel[i], crop) for i in (0, 1))
    photo = _coloured(photo[:, top : top + height, left : left + width], drawn.colour)
    mask = mask[:, top : top + height, left : left + width]
    if drawn.flip:
        photo, mask = photo.flip(-1), mask.flip(-1)
    place = Geometry(rgb.shape[:2], (height, width), (crop, crop))
    filled = torch.full((crop, crop), VOID, dtype=torch.uint8)
    filled[:height, :width] = mask[0]
    return place_on_grey(normalise(photo, preprocessing), place, preprocessing)[0], filled


def _pixel(mask: Tensor, focus: tuple[float, float]) -> tuple[int | None, int | None]:
    """A pixel of the mask (h, w): each of its classes is as likely as any other; none where all is void."""
    classes = mask[mask != VOID].unique()
    if not len(classes):
        return None, None
    pixels = (mask == classes[int(focus[0] * len(classes))]).nonzero()
    row, column = pixels[int(focus[1] * len(pixels))].tolist()
    return row, column


def _span(side: int, place: float, pixel: int | None, crop: int) -> tuple[int, int]:
    """First pixel and length of the crop along one axis."""
    length = min(side, crop)
    if pixel is None:
        return round(place * (side - length)), length
    return min(max(pixel - round(place * (length - 1)), 0), side - length), length


def _coloured(photo: Tensor, factors: tuple[float, float, float]) -> Tensor:
    if factors == (1.0, 1.0, 1.0):
        return photo
    brightness, contrast, saturation = factors
    photo = transforms.adjust_brightness(photo, brightness)
    return transforms.adjust_saturation(transforms.adjust_contrast(photo, contrast), saturation)
