"""Enlargement: scores brought from the network's own resolution back to the photo's pixels, by torch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from segcli.inference.axis import Axis, axes
from segcli.inference.transform import Geometry

CACHED, LAUNCHED = 2**20, 2**26
"""Bytes of full-size scores that exist at a time: on the CPU as much as its caches hold (64 MB took twice as long), on
a GPU enough to keep it busy."""


@dataclass(frozen=True)
class Enlargement:
    """Bilinear interpolation from a score map to photo pixels, ready to yield any band of rows.

    Columns are interpolated once, on the score map's few rows; a row of the photo then costs one
    blend of two such rows, so that a large photo never holds a full score volume.

    Attributes:
        wide: Scores (N, K, h, W): the photo's columns in the score map's rows.
        vertical: How the photo's rows lie among the score map's.
    """

    wide: Tensor
    vertical: Axis

    def rows(self, start: int, stop: int) -> Tensor:
        """Scores (N, K, stop - start, W) of the photo's rows start..stop; perhaps a view: copy before changing it."""
        return interpolated(self.wide, -2, self.vertical, start, stop)


def interpolated(values: Tensor, dim: int, axis: Axis, start: int, stop: int) -> Tensor:
    """The pixels start..stop along dimension `dim` (-1 or -2) of samples; a view where nothing is computed."""
    if axis.shift is not None:
        return values.narrow(dim, axis.shift + start, stop - start)
    places = (torch.from_numpy(index[start:stop]).to(values.device) for index in (axis.first, axis.second))
    first, second = (values.index_select(dim, place) for place in places)
    weight = torch.from_numpy(axis.weight[start:stop]).to(values.device)
    return first.lerp_(second, weight if dim == -1 else weight[:, None])


def enlargement(scores: Tensor, place: Geometry, align_corners: bool, size: tuple[int, int]) -> Enlargement:
    """The Enlargement of scores (N, K, h, w) to a picture of size (height, width) that shows the whole photo."""
    vertical, horizontal = axes((scores.shape[-2], scores.shape[-1]), place, align_corners, size)
    return Enlargement(interpolated(scores, -1, horizontal, 0, size[1]), vertical)


def to_photo(scores: Tensor, place: Geometry, align_corners: bool, size: tuple[int, int] | None = None) -> Tensor:
    """Bring scores from the network's own resolution back to every pixel of the photo.

    The padding is left behind and the resize inverted in one bilinear interpolation.

    Args:
        scores: (N, K, h, w), what the network returned for the input that `place` describes.
        place: From `transform.to_array`.
        align_corners: Whether the first and last score lie on the centres of the first and last input pixels.
        size: (height, width) of the result where it is not the photo's own.

    Returns:
        (N, K, H, W), of the scores' dtype; a view of them where nothing is to be enlarged.
    """
    height, width = size or place.photo
    return enlargement(scores, place, align_corners, (height, width)).rows(0, height)


def bands(
    scores: Tensor, place: Geometry, align_corners: bool, size: tuple[int, int]
) -> Iterator[tuple[slice, Tensor]]:
    """Bring the scores (1, K, h, w) of one photo back in bands of rows: a large one never holds a full score volume.

    Yields:
        The rows, and their scores (K, rows, W) as `to_photo` gives them; perhaps a view: copy before changing it.
    """
    height, width = size
    enlarged = enlargement(scores, place, align_corners, size)
    step = max(1, (CACHED if scores.device.type == "cpu" else LAUNCHED) // (4 * scores.shape[1] * width))
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        yield rows, enlarged.rows(rows.start, rows.stop)[0]
