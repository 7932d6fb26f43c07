"""A picture too large for one pass through the network: overlapping windows whose scores are blended smoothly."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.inference.transform import STRIDE
from segcli.models.spec import ModelSpec

OVERLAP = 1 / 3
"""Share of a window's side that it has in common with its neighbour, at least."""


def corner(spec: ModelSpec) -> int:
    """1 where the model's scores lie on the corners of cells (inputs of 32 n + 1 pixels), 0 where in their middles.

    Caffe's pooling, which rounds up, makes a corner grid also where the enlargement does not align corners.
    """
    return int(spec.align_corners or spec.backbone.pool_ceil)


def fitting(tile: int, corner: int) -> int:
    """The largest side up to `tile` whose scores fall onto the grid of the whole picture: 32 n + corner."""
    return max(STRIDE, (tile - corner) // STRIDE * STRIDE) + corner


def run(network: Callable[[Tensor], Tensor], view: Tensor, tile: int, corner: int) -> tuple[Tensor, Tensor]:
    """Scores of the whole picture, put together from windows.

    Windows lie at multiples of 32 pixels, so that their scores are samples of one grid; where they overlap, scores
    are averaged with weights that fall off towards a window's sides.

    Args:
        network: From (N, 3, tile, tile) or smaller to scores (N, K, h, w).
        view: (N, 3, H, W), of any size.
        tile: From `fitting`.
        corner: The model's.

    Returns:
        Scores (N, K, h, w), and the view padded with zeros on the right and at the bottom to the size they cover.
    """
    sides = [max(1, -(-(side - corner) // STRIDE)) * STRIDE + corner for side in view.shape[-2:]]
    padded = F.pad(view, (0, sides[1] - view.shape[-1], 0, sides[0] - view.shape[-2]))
    total = weights = None
    for top in _starts(sides[0], tile):
        for left in _starts(sides[1], tile):
            scores = network(padded[..., top : top + tile, left : left + tile])
            stride = (min(tile, sides[0]) - corner) // max(scores.shape[-2] - corner, 1)
            if total is None:
                grid = [(side - corner) // stride + corner for side in sides]
                total = scores.new_zeros(*scores.shape[:2], *grid)
                weights = scores.new_zeros(grid)
            window = _window(scores.shape[-2], scores)[:, None] * _window(scores.shape[-1], scores)
            place = (..., *_cells(top // stride, left // stride, scores))
            total[place] += scores * window
            weights[place] += window
    return total / weights, padded


def _cells(top: int, left: int, scores: Tensor) -> tuple[slice, slice]:
    return slice(top, top + scores.shape[-2]), slice(left, left + scores.shape[-1])


def _starts(side: int, tile: int) -> Iterator[int]:
    """Where windows begin along a side: evenly spread multiples of 32, the last flush with the end."""
    reach = side - min(tile, side)
    step = max(STRIDE, int(tile * (1 - OVERLAP)) // STRIDE * STRIDE)
    count = -(-reach // step)
    yield from dict.fromkeys(round(reach / STRIDE * i / max(count, 1)) * STRIDE for i in range(count + 1))


def _window(cells: int, like: Tensor) -> Tensor:
    """Weights along one axis of a window: a squared cosine bell, next to nothing at its ends, where zeros pad it."""
    phase = (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) / cells
    return (0.5 - 0.5 * torch.cos(2 * torch.pi * phase)) ** 2 + 1e-6
