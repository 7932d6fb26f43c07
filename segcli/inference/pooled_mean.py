"""PooledMean: what image pooling averages over a whole picture, put together from windows of which none is kept."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from segcli.inference.tiling import bell
from segcli.inference.windows import Windows


class PooledMean:
    """The average of image features over a picture, each place blended from the windows that show it.

    It is that of `Tiled`, which blends all features before it averages them; only rounding differs. Windows that are
    left out, since they hold no data, have no share in it.

    Args:
        windows: Where the windows lie.
        stride: Input pixels a feature.
        channels: The number of features, C.

    Attributes:
        sums: The weighted sums of the features, float64 (C,).
        share: The sum of the weights.
    """

    def __init__(self, windows: Windows, stride: int, channels: int):
        self._stride = stride
        self._limits = tuple(-(-side // stride) for side in windows.place.padded)  # without what pads it
        cells = [(side - windows.corner) // stride + windows.corner for side in windows.size]
        self._shares = [
            _shares([start // stride for start in starts], count)
            for starts, count in zip((windows.rows, windows.columns), cells, strict=True)
        ]
        self.sums, self.share = np.zeros(channels), 0.0

    def add(self, top: int, left: int, features: Tensor) -> None:
        """Add the features (1, C, h, w) of the window at `top`, `left` of the input."""
        down, across = (
            shares[at // self._stride][: max(0, limit - at // self._stride)]
            for shares, limit, at in zip(self._shares, self._limits, (top, left), strict=True)
        )
        part = features[0, :, : len(down), : len(across)].double().cpu().numpy()
        self.sums += np.einsum("chw,h,w->c", part, down, across)
        self.share += float(down.sum() * across.sum())

    def value(self) -> Tensor:
        """The average, float32 (1, C, 1, 1); zeros where there was no window."""
        mean = self.sums / self.share if self.share else self.sums
        return torch.from_numpy(mean.astype(np.float32)).view(1, -1, 1, 1)


def _shares(starts: list[int], cells: int) -> dict[int, np.ndarray]:
    """For each window along an axis, by its first cell, its share in each of its cells: float64 (cells,)."""
    weights = bell(cells, torch.zeros(1)).double().numpy()
    total = np.zeros(starts[-1] + cells)
    for start in starts:
        total[start : start + cells] += weights
    return {start: weights / total[start : start + cells] for start in starts}
