"""Cutouts: photos with everything but the chosen classes cut away."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from segcli.files.atomic import write_whole
from segcli.labels import Colour


def cutout(rgb: np.ndarray, kept: np.ndarray, background: Colour | None = None) -> Image.Image:
    """Keep a part of a photo.

    Args:
        rgb: uint8 (H, W, 3).
        kept: bool (H, W).
        background: Red, green and blue of the rest, each 0..255; None leaves it transparent.

    Returns:
        RGBA, or RGB with a background. The border is softened by half a pixel to either side; wholly transparent
        pixels are black, so that nobody can bring back what was cut away.
    """
    alpha = Image.fromarray(kept.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(0.5))
    if background is not None:
        return Image.composite(Image.fromarray(rgb), Image.new("RGB", alpha.size, background), alpha)
    visible = np.asarray(alpha)[..., None] > 0
    picture = Image.fromarray(np.where(visible, rgb, np.uint8(0)))
    picture.putalpha(alpha)
    return picture


def write_cutout(path: Path, picture: Image.Image) -> None:
    """Write a cutout as a PNG, whole or not at all."""
    with write_whole(path) as file:
        picture.save(file, "PNG", compress_level=4)
