"""Augmentation of a photo and its mask: random scale, angle, crop, turns, mirroring, colours; class-balanced crops."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from segcli.inference.transform import Geometry, geometry, grey, normalise, place_on_grey
from segcli.labels import VOID
from segcli.models.preprocessing import Preprocessing
from segcli.training.crops.rotation import Rotation, Turned, Window
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
        flip_vertical: Whether photo and mask are turned upside down.
        quarter_turns: How often they are turned by 90 degrees, counter-clockwise; mirroring follows.
        angle: Degrees by which they are turned before the crop is cut, counter-clockwise.
    """

    scale: float
    position: tuple[float, float]
    flip: bool
    colour_jitter: tuple[float, float, float]
    class_and_pixel: tuple[float, float] | None = None
    flip_vertical: bool = False
    quarter_turns: int = 0
    angle: float = 0.0


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
    upside_down, turns, angle = rng.random(3)
    return AugmentParams(
        *(float(scale), (float(down), float(right)), flip, (brightness, contrast, saturation), target),
        flip_vertical=bool(upside_down < 0.5) and settings.flip_vertical,
        quarter_turns=int(4 * turns) * settings.quarter_turns,
        angle=float(2 * angle - 1) * settings.rotate,
    )


def augment(
    rgb: np.ndarray, label: np.ndarray, params: AugmentParams, crop: tuple[int, int], preprocessing: Preprocessing
) -> tuple[Tensor, Tensor]:
    """One photo and its mask as training sees them.

    The photo is resized once, from its own size to the working size times the sampled scale: bilinear and antialiased,
    the mask to the nearest pixel. What a crop has beyond the photo is mean grey, and void in the mask.

    Args:
        rgb: uint8 (H, W, 3).
        label: uint8 (H, W), 0..K-1 or VOID.
        params: From `sample_params`.
        crop: Height and width of the result in pixels.
        preprocessing: The working size, and how the network wants its input normalised.

    Returns:
        float32 (3, *crop) and uint8 (*crop).
    """
    photo, mask = _resized(rgb, label, params.scale, preprocessing)
    upright = crop[::-1] if params.quarter_turns % 2 else crop
    cut = _cut(photo, mask, params, upright)
    cut = cut._replace(photo=_jittered(cut.photo, params.colour_jitter))
    photo, mask, beyond = (_oriented(picture, params) for picture in cut)
    place = Geometry(rgb.shape[:2], tuple(mask.shape), crop)
    filled = torch.full(crop, VOID, dtype=torch.uint8)
    filled[: mask.shape[0], : mask.shape[1]] = mask
    normal = normalise(photo.numpy(), preprocessing)
    if params.angle:
        normal = np.where(beyond.numpy(), grey(preprocessing), normal)
    return torch.from_numpy(place_on_grey(normal, place, preprocessing)), filled


def _resized(rgb: np.ndarray, label: np.ndarray, scale: float, preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """uint8 (3, h, w) and uint8 (h, w): photo and mask at the working size times a scale."""
    working = geometry(rgb.shape[:2], preprocessing).resized
    size = [max(1, round(side * scale)) for side in working]
    photo = transforms.resize(torch.from_numpy(rgb).permute(2, 0, 1), size, antialias=True)
    return photo, transforms.resize(torch.from_numpy(label)[None], size, InterpolationMode.NEAREST_EXACT)[0]


def _cut(photo: Tensor, mask: Tensor, params: AugmentParams, crop: tuple[int, int]) -> Turned:
    """What a crop of that size shows of photo and mask, turned by the angle; no larger than they are then."""
    pixel = _pixel(mask, params.class_and_pixel) if params.class_and_pixel else None
    spans = _spans(tuple(mask.shape), params.position, pixel, crop)
    if params.angle:
        turn = Rotation(tuple(mask.shape), params.angle)
        # Without a pixel to hold, the middle stays the one that it is without turning: crops lie where a photo is.
        middle = [first + (length - 1) / 2 for first, length in spans]
        held = [round(place) for place in turn.place_of(*(pixel or middle))]
        spans = _spans(turn.canvas, params.position if pixel else (0.5, 0.5), held, crop)
        return turn.cut(photo, mask, Window(*(span[i] for i in (0, 1) for span in spans)))
    rows, columns = (slice(first, first + length) for first, length in spans)
    mask = mask[rows, columns]
    return Turned(photo[:, rows, columns], mask, torch.zeros_like(mask, dtype=torch.bool))


def _oriented(picture: Tensor, params: AugmentParams) -> Tensor:
    """A picture (..., h, w) turned by quarters and mirrored."""
    if params.quarter_turns:
        picture = picture.rot90(params.quarter_turns, (-2, -1))
    axes = [-1] * params.flip + [-2] * params.flip_vertical
    return picture.flip(axes) if axes else picture


def _pixel(mask: Tensor, class_and_pixel: tuple[float, float]) -> tuple[int, int] | None:
    """A pixel of the mask (h, w): each of its classes is as likely as any other; None where all is void."""
    classes = mask[mask != VOID].unique()
    if not len(classes):
        return None
    which_class, which_pixel = class_and_pixel
    pixels = (mask == classes[int(which_class * len(classes))]).nonzero()
    row, column = pixels[int(which_pixel * len(pixels))].tolist()
    return row, column


def _spans(
    size: tuple[int, int], position: tuple[float, float], pixel: Sequence[int] | None, crop: tuple[int, int]
) -> list[tuple[int, int]]:
    """First pixel and length of the crop along each axis of a picture of (height, width) pixels."""
    held = pixel or (None, None)
    return [_span(size[i], position[i], held[i], crop[i]) for i in (0, 1)]


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
