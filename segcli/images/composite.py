"""Composite: the channels of a microscope's picture, each in its colour, added up as light is."""

from collections.abc import Sequence

import numpy as np

from segcli.images.raster import Raster

PRIMARIES = ("red", "green", "blue")
"""The colours of channels for which a file states none, in their order."""
_NAMES = {
    (255, 0, 0): "red",
    (0, 255, 0): "green",
    (0, 0, 255): "blue",
    (0, 255, 255): "cyan",
    (255, 0, 255): "magenta",
    (255, 255, 0): "yellow",
    (255, 255, 255): "grey",
}
_LISTED = 8


def primary_luts(count: int) -> tuple[np.ndarray, ...]:
    """Look-up tables of the first `count`, at most three, of `PRIMARIES`, uint8 (256, 3) each."""
    return tuple(np.arange(256, dtype=np.uint8)[:, None] * np.eye(3, dtype=np.uint8)[index] for index in range(count))


def composite(brightness: np.ndarray, luts: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of the channels' colours, cut off at white.

    Args:
        brightness: uint8 (H, W, C), 0 the black and 255 the white of each channel.
        luts: The colour of each brightness by channel, uint8 (256, 3) each.

    Returns:
        uint8 (H, W, 3).
    """
    result = np.empty((*brightness.shape[:2], 3), np.uint8)
    for colour in range(3):
        parts = [lut[:, colour][brightness[..., index]] for index, lut in enumerate(luts) if lut[:, colour].any()]
        total = np.zeros(brightness.shape[:2], np.uint32 if len(parts) > 1 else np.uint8)
        for part in parts:
            total += part
        result[..., colour] = total if len(parts) < 2 else np.minimum(total, 255)
    return result


def remark(raster: Raster) -> str:
    """Which channels have become which colours, as a sentence."""
    names = (*raster.names, *[""] * raster.values.shape[2])
    channels = [f"{band + 1} {names[band]}".strip() for band in raster.colours]
    colours = [colour_name(lut) for lut in raster.luts]
    if raster.luts_by:
        pairs = [f"{channel} {colour}" for channel, colour in zip(channels, colours, strict=True)]
        pairs = [*pairs[:_LISTED], *[f"{len(pairs) - _LISTED} more"] * (len(pairs) > _LISTED)]
        return f"Its channels have the colours of {raster.luts_by}: {', '.join(pairs)}; --bands chooses others."
    count = raster.values.shape[2]
    of_all = f" of {count}" * (len(channels) < count)
    listed = f"{', '.join(channels)}{of_all} are taken as {', '.join(colours)}"
    return f"Its channels {listed}, since its file states no colours; --bands chooses others."


def colour_name(lut: np.ndarray) -> str:
    """The name of a look-up table's brightest colour: "red", or "#ff8000" where it has none."""
    top = tuple(int(value) for value in lut[lut.sum(axis=1, dtype=np.int64).argmax()])
    return _NAMES.get(top, "#{:02x}{:02x}{:02x}".format(*top))
