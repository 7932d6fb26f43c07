"""Rotation: a photo and its mask turned about their middle by any angle, of which only a window is computed."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.labels import VOID


class Window(NamedTuple):
    """A rectangle on a canvas, in pixels: its first row and column, its height and width."""

    top: int
    left: int
    height: int
    width: int


class Turned(NamedTuple):
    """A window of a turned photo: uint8 (3, h, w), its mask uint8 (h, w), and bool (h, w) where no photo is."""

    photo: Tensor
    mask: Tensor
    beyond: Tensor


@dataclass(frozen=True)
class Rotation:
    """A turn of a picture about its middle, onto a canvas that holds all of it.

    Attributes:
        size: Height and width of the picture.
        angle: Degrees, counter-clockwise.
    """

    size: tuple[int, int]
    angle: float

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of the canvas, even numbers, as torchvision's `rotate` with `expand` has them."""
        (height, width), (sine, cosine) = self.size, map(abs, self._direction)
        halves = (height * cosine + width * sine) / 2, (height * sine + width * cosine) / 2
        return tuple(2 * math.ceil(round(half, 4)) for half in halves)

    def place_of(self, row: float, column: float) -> tuple[float, float]:
        """Where a place of the picture, in pixels from its first one's centre, comes to lie on the canvas."""
        sine, cosine = self._direction
        down, right = row - (self.size[0] - 1) / 2, column - (self.size[1] - 1) / 2
        height, width = self.canvas
        return cosine * down - sine * right + (height - 1) / 2, sine * down + cosine * right + (width - 1) / 2

    def cut(self, photo: Tensor, mask: Tensor, window: Window) -> Turned:
        """A window of the canvas: the photo bilinear, the mask to the nearest pixel and VOID beyond it.

        Args:
            photo: uint8 (3, H, W).
            mask: uint8 (H, W).
            window: Which part of the canvas.
        """
        places = self._sources(window)
        nearest = [axis.round().long() for axis in places]
        inside = [(index >= 0) & (index < side) for index, side in zip(nearest, self.size, strict=True)]
        beyond = ~(inside[0] & inside[1])
        rows, columns = (index.clamp(0, side - 1) for index, side in zip(nearest, self.size, strict=True))
        return Turned(_bilinear(photo, *places), mask[rows, columns].masked_fill(beyond, VOID), beyond)

    @property
    def _direction(self) -> tuple[float, float]:
        """Sine and cosine of the angle."""
        return math.sin(math.radians(self.angle)), math.cos(math.radians(self.angle))

    def _sources(self, window: Window) -> tuple[Tensor, Tensor]:
        """Where each pixel of a window comes from: rows and columns of the picture, float32 (h, w)."""
        sine, cosine = self._direction
        height, width = self.canvas
        down = (torch.arange(window.height) + window.top - (height - 1) / 2)[:, None]
        right = (torch.arange(window.width) + window.left - (width - 1) / 2)[None]
        rows, columns = cosine * down + sine * right, cosine * right - sine * down
        return rows + (self.size[0] - 1) / 2, columns + (self.size[1] - 1) / 2


def _bilinear(photo: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """uint8 (3, h, w): a photo (3, H, W) at these places; beyond its edge it goes on as it ends."""
    top, left = (max(0, int(axis.min())) for axis in (rows, columns))
    bottom, right = (max(0, int(axis.max())) + 2 for axis in (rows, columns))
    top, left = min(top, photo.shape[1] - 1), min(left, photo.shape[2] - 1)
    part = photo[None, :, top:bottom, left:right].float()  # what the window needs, and no more
    grid = torch.stack([_normal(columns - left, part.shape[3]), _normal(rows - top, part.shape[2])], -1)[None]
    return F.grid_sample(part, grid, padding_mode="border", align_corners=True)[0].round_().to(torch.uint8)


def _normal(places: Tensor, side: int) -> Tensor:
    """Places 0..side - 1 as `grid_sample` counts them, -1..1."""
    return 2 * places / max(1, side - 1) - 1
