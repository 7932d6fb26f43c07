"""Sizes: how large overlays are drawn; no picture is needed to tell."""

from typing import Annotated

from segcli.decoding import at_least

OVERLAY_SIZE = 1920
"""The long side of an overlay, at most, in pixels."""
OverlaySize = Annotated[int, at_least(33)]
"""What may be asked for."""


def shrunk_size(photo: tuple[int, int], size: int) -> tuple[int, int]:
    """The (height, width) of the overlay of a photo, whose long side is at most `size`."""
    height, width = photo
    scale = size / max(height, width)
    return photo if scale >= 1 else (max(1, round(height * scale)), max(1, round(width * scale)))
