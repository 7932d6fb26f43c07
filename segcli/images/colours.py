"""Colours: pictures of any mode, depth and profile as 8 bits of red, green and blue in sRGB."""

import math
from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image, ImageCms

ValueRange = Literal["auto"] | tuple[float, float] | None
"""The values of a picture of more than 8 bits that become black and white; see `read_photo`."""


def is_range(low: float, high: float) -> bool:
    """Whether these can be the values that become black and white."""
    return -math.inf < low < high < math.inf


def to_rgb(image: Image.Image, value_range: ValueRange, notes: list[str]) -> Image.Image:
    """The picture in sRGB, 8 bits a channel, without transparency.

    Args:
        image: A picture of any mode, loaded.
        value_range: The values of grey pictures of more than 8 bits that become black and white.
        notes: Takes a sentence for each thing that the user may want to decide otherwise.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return _to_grey(image, value_range, notes).convert("RGB")
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = _on_white(image)
    if image.mode == "LAB":
        return ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), _srgb(), outputMode="RGB")
    image = image.convert("RGB") if image.mode == "P" else image
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            return _managed(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("The colour profile cannot be used; the colours are read as sRGB.")
    return image.convert("RGB")


def note_on_deep_colour(rgb: Image.Image) -> list[str]:
    """A warning where 16 bits a channel, of which Pillow keeps the high 8, use under a tenth of their range."""
    lows, highs = zip(*rgb.getextrema(), strict=True)
    if max(highs) - min(lows) >= 25:
        return []
    share = f"{100 * (max(highs) - min(lows)) / 255:.2g} %"
    return [f"Its 16 bits a colour use {share} of their range, so that it looks flat: stretch it to 8 bits before."]


def _on_white(image: Image.Image) -> Image.Image:
    """The picture as a viewer shows it on a white page; the colours that transparent pixels hide are often garbage."""
    image = image.convert("LA") if image.mode == "La" else image
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image.convert("RGBA"))
    return page.convert("RGB")


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _managed(image: Image.Image, profile: bytes) -> Image.Image:
    """The RGB or CMYK picture converted to sRGB by its profile; phones' Display P3 and Adobe RGB look pale without."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    if "sRGB" in ImageCms.getProfileDescription(source):
        return image.convert("RGB")
    return ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")


def _to_grey(image: Image.Image, value_range: ValueRange, notes: list[str]) -> Image.Image:
    """A picture of 16 or 32 bits a pixel in 256 grey levels, mode L."""
    values = np.asarray(image)
    low, high = _limits(values, value_range, notes)
    if values.dtype.itemsize == 2:
        return Image.fromarray(_scaled(np.arange(65536), low, high)[values])
    return Image.fromarray(_scaled(values, low, high))


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """uint8 with `low` at 0 and `high` at 255, rounded; what is no number becomes 0."""
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low)) + np.float32(0.5)
    return np.nan_to_num(scaled, nan=0).clip(0, 255).astype(np.uint8)


def _limits(values: np.ndarray, value_range: ValueRange, notes: list[str]) -> tuple[float, float]:
    """The values that become black and white."""
    if isinstance(value_range, tuple):
        return value_range
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    bottom, top = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    full = 1.0 if values.dtype.kind == "f" else 65535.0
    fits = bottom >= 0 and top <= full
    if value_range is None and fits:
        if top - bottom < full / 10:
            share = 100 * (top - bottom) / full
            notes.append(
                f"Its values, {bottom:g} to {top:g}, use {share:.2g} % of the range up to {full:g}, "
                "so that it looks flat to the network: try --range auto."
            )
        return 0.0, full
    if value_range is None:
        notes.append(f"Its values, {bottom:g} to {top:g}, have no usual white: stretched as --range auto does.")
    sample = finite[:: max(1, finite.size // 1_000_000)]
    low, high = map(float, np.percentile(sample, (0.1, 99.9))) if sample.size else (0.0, 0.0)
    return (low, high) if high > low else (low, low + 1)
