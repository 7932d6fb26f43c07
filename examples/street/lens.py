"""What a camera makes of light: exposure, lens, sensor and file; and how samples become the pixels of a mask."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from street.mesh import BICYCLIST, PEDESTRIAN, POLE, SIGN


@dataclass(frozen=True)
class Development:
    """How light becomes a picture.

    Attributes:
        exposure: Factor on the light, on top of the camera's own choice.
        white: Factors on red, green and blue.
        balance: How much of the light's colour the camera corrects by itself, in 0..1.
        contrast: 1 is neutral.
        saturation: 1 is neutral.
        vignette: Loss of light in the corners, in 0..1.
        bloom: Share of the bright light that spreads.
        blur: Radius of the unsharpness, in pixels of a picture 480 wide.
        noise: Deviation in 0..1 at medium grey.
        quality: Of a JPEG file that the picture once was; 0 for none.
    """

    exposure: float = 1.0
    white: tuple[float, float, float] = (1.0, 1.0, 1.0)
    balance: float = 0.5
    contrast: float = 1.0
    saturation: float = 1.0
    vignette: float = 0.12
    bloom: float = 0.08
    blur: float = 0.0
    noise: float = 0.0
    quality: int = 0


def draw(rng: np.random.Generator) -> Development:
    """A random camera: mostly good, sometimes dim, glaring, soft, noisy or badly compressed."""
    warmth, tint = rng.normal(0, 0.06), rng.normal(0, 0.025)
    return Development(
        exposure=float(np.exp(rng.normal(0, 0.35))),
        white=(1 + warmth, 1 + tint, 1 - warmth),
        balance=float(rng.uniform(0.2, 0.9)),
        contrast=float(rng.uniform(0.85, 1.35)),
        saturation=float(rng.uniform(0.55, 1.2)),
        vignette=float(rng.uniform(0, 0.35)),
        bloom=float(rng.uniform(0.02, 0.15)),
        blur=float(rng.choice([0, rng.uniform(0.2, 0.9)], p=[0.4, 0.6])),
        noise=float(rng.choice([0.004, rng.uniform(0.005, 0.03)])),
        quality=int(rng.choice([0, rng.integers(45, 95)])),
    )


def develop(light: np.ndarray, samples: int, how: Development, rng: np.random.Generator) -> np.ndarray:
    """Linear light (H s, W s, 3) with s x s samples a pixel -> uint8 (H, W, 3)."""
    bright = np.minimum(light, 6)
    pixels = sum(bright[i::samples, j::samples] for i, j in np.ndindex(samples, samples)) / np.float32(samples**2)
    height, width = pixels.shape[:2]
    level = np.exp(np.log(pixels.mean(2) + 0.02).mean())
    pixels *= (pixels.mean() / pixels.mean((0, 1))) ** np.float32(how.balance)
    pixels = pixels * (how.exposure * (0.21 / level) ** 0.75) * np.asarray(how.white, np.float32)
    pixels += how.bloom * _blurred(np.maximum(pixels - 0.9, 0).clip(0, 3), width / 40)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    pixels *= (1 - how.vignette * (x * x + y * y) / 2)[..., None]
    values = _film(pixels.astype(np.float32))
    values = 0.5 + (values - 0.5) * how.contrast if how.contrast < 1 else values ** (0.5 + 0.5 * how.contrast)
    grey = values.mean(2, keepdims=True)
    values = grey + (values - grey) * how.saturation
    if how.blur:
        values = _blurred(values, how.blur * width / 480)
    values = values + rng.normal(0, 1, values.shape).astype(np.float32) * how.noise
    picture = (values.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return _compressed(picture, how.quality) if how.quality else picture


def _film(light: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB in 0..1, with highlights that roll off."""
    light = np.maximum(light, 0)
    curve = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return curve.clip(0, 1) ** np.float32(1 / 2.2)


def _blurred(values: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur of float32 (H, W, 3), by Pillow on each channel."""
    blur = ImageFilter.GaussianBlur(radius)
    scaled = (values / 3 * 255).clip(0, 255).astype(np.uint8) if radius > 5 else None
    if scaled is not None:
        return np.asarray(Image.fromarray(scaled).filter(blur), np.float32) * np.float32(3 / 255)
    picture = Image.fromarray((values.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(picture.filter(blur), np.float32) / np.float32(255)


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG file and back."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def vote(label: np.ndarray, samples: int, classes: int) -> np.ndarray:
    """Labels of samples (H s, W s) -> uint8 (H, W): the class with most samples; thin things need fewer than half."""
    parts = [label[i::samples, j::samples] for i, j in np.ndindex(samples, samples)]
    best = np.full(parts[0].shape, 255, np.uint8)
    most = sum((part == 255).astype(np.float32) for part in parts)
    for index in range(classes):
        weight = np.float32(1.5 if index in (POLE, SIGN, PEDESTRIAN, BICYCLIST) else 1)
        votes = sum((part == index).astype(np.uint8) for part in parts) * weight
        best[votes > most] = index
        most = np.maximum(most, votes)
    return best
