"""Trimaps: scores near the borders of objects alone."""

from collections.abc import Sequence

import numpy as np

from segcli.evaluation.metrics import ConfusionMatrix, Scores, joint_counts
from segcli.labels import VOID, LabelSet

TRIMAP_WIDTHS = tuple(range(1, 41))
"""The band widths in pixels that the papers plot."""


class Trimap:
    """Confusion matrices within bands around void, which lies along object boundaries (v3+ section 4.4).

    The band of width w holds the labelled pixels that void, dilated by a square of 2 w + 1 pixels a side, covers; so
    do the published evaluation scripts of the papers' authors.

    Attributes:
        widths: Band widths in pixels, ascending.
        counts: int64 (widths, K, K + 1); entry i counts the pixels in band i that are not in band i - 1.
    """

    def __init__(self, classes: int, widths: Sequence[int] = TRIMAP_WIDTHS):
        self.widths = tuple(sorted(set(widths)))
        self.counts = np.zeros((len(self.widths), classes, classes + 1), np.int64)

    def update(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Add one image: ids (H, W) in 0..K-1 or VOID; ValueError for shapes or ids as in `ConfusionMatrix.update`."""
        distance = void_distance(truth, self.widths[-1])
        band = distance <= self.widths[-1]
        rings = np.searchsorted(self.widths, distance[band])
        self.counts += joint_counts(truth[band], predicted[band], self.counts.shape[1], rings, len(self.widths))

    def scores(self, labels: LabelSet) -> dict[int, Scores]:
        """The scores within each band, by its width in pixels."""
        bands = {}
        for width, counts in zip(self.widths, np.cumsum(self.counts, axis=0), strict=True):
            matrix = ConfusionMatrix(len(labels))
            matrix.counts[:] = counts
            bands[width] = matrix.scores(labels)
        return bands


def void_distance(truth: np.ndarray, reach: int) -> np.ndarray:
    """The chessboard distance of each pixel to the nearest void pixel.

    Args:
        truth: Ids (H, W).
        reach: The largest distance of interest, in pixels.

    Returns:
        int32 (H, W), in 0..reach + 1; reach + 1 for every pixel that lies farther away than `reach`.
    """
    near = truth == VOID
    distance = np.full(truth.shape, reach + 1, np.int32)
    for _ in range(reach + 1):
        distance -= near
        near = _grown(near)
    return distance


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask dilated by a square of 3 x 3 pixels, one axis after the other."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    grown = wide.copy()
    grown[1:] |= wide[:-1]
    grown[:-1] |= wide[1:]
    return grown
