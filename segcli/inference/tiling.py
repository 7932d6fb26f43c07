"""Tiled: a network in overlapping windows, whose scores are blended smoothly, for inputs too large for one pass."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.inference.forward import Forward, Scores
from segcli.models.preprocessing import STRIDE

OVERLAP = 1 / 3
"""Share of a window's side that it has in common with its neighbour, at least."""


@dataclass(frozen=True)
class Tiled:
    """A network in overlapping windows where its input is larger than a tile, else in one pass.

    Attributes:
        network: Takes each window.
        tile: The largest side of a window in pixels, from `preprocessing.fitting`; None: always one pass.
        corner: The rest of the model's sides by 32, from `preprocessing.corner`.
        output_stride: The network's: input pixels a score.
    """

    network: Forward
    tile: int | None
    corner: int
    output_stride: int

    def __call__(self, view: Tensor) -> Scores:
        """An input (N, 3, H, W) of any size -> logits (N, K, h, w)."""
        if self.tile is None or max(view.shape[-2:]) <= self.tile:
            return Scores(self.network.logits(view), (view.shape[-2], view.shape[-1]))
        mean = self._image_mean(view)
        return run(lambda window: self.network.logits(window, mean), view, self.tile, self.corner)

    def _image_mean(self, view: Tensor) -> Tensor | None:
        """The average (N, C, 1, 1) of a view's image features, which takes a pass of its own; None without pooling.

        The features are put together from windows as the scores are. Those of the view shrunk to a window's size
        would cost less, and are worse: the network sees other things in a small picture than in a large one.
        """
        if not self.network.pools_image:
            return None
        features = run(self.network.image_features, view, self.tile, self.corner).values
        height, width = (-(-side // self.output_stride) for side in view.shape[-2:])  # without what pads it
        return features[..., :height, :width].mean((2, 3), keepdim=True)


def run(network: Callable[[Tensor], Tensor], view: Tensor, tile: int, corner: int) -> Scores:
    """Put the scores of a whole picture together from those of windows.

    Windows lie at multiples of 32 pixels, so that their scores are samples of one grid; where they overlap, scores
    are averaged with weights that fall off towards a window's sides.

    Args:
        network: From (N, 3, tile, tile) or smaller to scores (N, K, h, w).
        view: (N, 3, H, W), of any size.
        tile: The largest side of a window in pixels, from `preprocessing.fitting`.
        corner: The model's.

    Returns:
        Scores (N, K, h, w), which cover the view as it is padded with zeros on the right and at the bottom.
    """
    sides = [max(1, -(-(side - corner) // STRIDE)) * STRIDE + corner for side in view.shape[-2:]]
    padded = F.pad(view, (0, sides[1] - view.shape[-1], 0, sides[0] - view.shape[-2]))
    total = weights = None
    for top in starts(sides[0], tile):
        for left in starts(sides[1], tile):
            scores = network(padded[..., top : top + tile, left : left + tile])
            stride = (min(tile, sides[0]) - corner) // max(scores.shape[-2] - corner, 1)
            if total is None:
                grid = [(side - corner) // stride + corner for side in sides]
                total = scores.new_zeros(*scores.shape[:2], *grid)
                weights = scores.new_zeros(grid)
            window = bell(scores.shape[-2], scores)[:, None] * bell(scores.shape[-1], scores)
            place = (..., *_cells(top // stride, left // stride, scores))
            total[place] += scores * window
            weights[place] += window
    return Scores(total / weights, (sides[0], sides[1]))


def _cells(top: int, left: int, scores: Tensor) -> tuple[slice, slice]:
    return slice(top, top + scores.shape[-2]), slice(left, left + scores.shape[-1])


def starts(side: int, tile: int) -> Iterator[int]:
    """Where windows begin along a side: evenly spread multiples of 32, the last flush with the end."""
    reach = side - min(tile, side)
    step = max(STRIDE, int(tile * (1 - OVERLAP)) // STRIDE * STRIDE)
    count = -(-reach // step)
    yield from dict.fromkeys(round(reach / STRIDE * i / max(count, 1)) * STRIDE for i in range(count + 1))


def bell(cells: int, like: Tensor) -> Tensor:
    """Weights along one axis of a window: a squared cosine bell, next to nothing at its ends, where zeros pad it."""
    phase = (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) / cells
    return (0.5 - 0.5 * torch.cos(2 * torch.pi * phase)) ** 2 + 1e-6
