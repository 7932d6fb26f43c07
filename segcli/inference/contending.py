"""Contending classes: the label map of scores on the CPU, where only classes that can win are enlarged, without torch.

Bilinear interpolation keeps an order: a class that is above another at the four samples around a pixel is above it at
the pixel. Between most samples one class is above all others, and every pixel there is its. Elsewhere the few that no
other is above are interpolated, for those pixels alone.

The labels are those of torch's `lerp` and `argmax` of the whole enlarged volume, to the last one. Where two scores are
so near that rounding could decide, they are computed again as torch computes them (`lerp`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segcli.inference.axis import Axis, axes
from segcli.inference.lerp import lerp
from segcli.inference.transform import Geometry
from segcli.labels import VOID

ROUNDING = 1e-5
"""What interpolation may add to a score, as a share of the largest one; float32 rounds a hundred times finer."""
RUN = 32
"""The most pixels of a run: a cell with more is divided, so that little is computed at a time."""
CACHED = 2**16
"""Scores that are computed at a time: as many as a core's own cache holds."""
OPENED = 2**21
"""Scores at the corners of cells that are looked at together: as many as there are in most photos."""


@dataclass(frozen=True)
class Runs:
    """Neighbouring pixels along one axis that lie between the same two samples.

    Attributes:
        first: int64 (runs,), the sample before each run.
        second: int64 (runs,), the sample after it.
        pixels: int64 (most, runs), the pixels of each; of shorter runs the last one again.
        weight: float32 (most, runs), the second sample's share in each of these pixels.
        of_pixel: int64 (pixels,), the run of each pixel.
    """

    first: np.ndarray
    second: np.ndarray
    pixels: np.ndarray
    weight: np.ndarray
    of_pixel: np.ndarray

    @classmethod
    def along(cls, axis: Axis) -> "Runs":
        """The runs along an axis, RUN pixels each at most."""
        pixel = np.arange(len(axis.first))
        begins = np.flatnonzero(np.diff(axis.first, prepend=-1))
        length = np.diff(begins, append=len(pixel))
        parts = -(-length // RUN)
        starts = np.concatenate([begin + RUN * np.arange(count) for begin, count in zip(begins, parts, strict=True)])
        lengths = np.diff(starts, append=len(pixel))
        pixels = np.minimum(starts + np.arange(lengths.max())[:, None], starts + lengths - 1)
        of_pixel = np.repeat(np.arange(len(starts)), lengths)
        return cls(axis.first[starts], axis.second[starts], pixels, axis.weight[pixels], of_pixel)


@dataclass(frozen=True)
class Cells:
    """Cells of one photo, each between four samples.

    Attributes:
        row, column: int64 (n,), the run of each.
        corners: float32 (4, K, n), the scores at the samples around each: above left and right, below left and right.
        winners: uint8 or uint16 (4, n), the class with the largest score at each of these.
    """

    row: np.ndarray
    column: np.ndarray
    corners: np.ndarray
    winners: np.ndarray


@np.errstate(invalid="ignore", over="ignore")  # scores that are no numbers give some class
def label_map(scores: np.ndarray, place: Geometry, align_corners: bool) -> np.ndarray:
    """The class with the largest score at every pixel of a photo.

    Args:
        scores: float32 (K, h, w), of the network's own resolution.
        place: How the photo lay in the network's input.
        align_corners: The spec's rule for enlarging the scores.

    Returns:
        (H, W), uint8, or uint16 from 256 classes on (255 is void). Of equal scores the first class's counts.
    """
    vertical, horizontal = map(Runs.along, axes(scores.shape[1:], place, align_corners, place.photo))
    slack = np.float32(ROUNDING) * np.abs(scores).max()
    winner, is_clear = _winners(scores, slack)
    labels, is_open = _between(winner, is_clear, vertical, horizontal)
    result = labels.take(horizontal.of_pixel, 1).take(vertical.of_pixel, 0)
    for cells in _open_cells(scores, winner, np.nonzero(is_open), vertical, horizontal):
        _decide(cells, slack, vertical, horizontal, result)
    return result


def enlarged(scores: np.ndarray, place: Geometry, align_corners: bool, size: tuple[int, int]) -> np.ndarray:
    """Scores (K, h, w) at a picture of (height, width) that shows the whole photo, float32 (K, *size), for a small one.

    They are a copy, up to rounding what `enlargement.to_photo` gives.
    """
    vertical, horizontal = axes(scores.shape[1:], place, align_corners, size)
    left, right = scores.take(horizontal.first, 2), scores.take(horizontal.second, 2)
    left += (right - left) * horizontal.weight
    upper, lower = left.take(vertical.first, 1), left.take(vertical.second, 1)
    upper += (lower - upper) * vertical.weight[:, None]
    return upper


def _winners(scores: np.ndarray, slack: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """The class with the largest score at each sample (h, w), and whether no other comes near."""
    near = scores >= scores.max(0) - slack
    winner = near.argmax(0).astype(np.uint8 if len(scores) <= VOID else np.uint16)
    return winner, _count(near) == 1


def _between(
    winner: np.ndarray, is_clear: np.ndarray, vertical: Runs, horizontal: Runs
) -> tuple[np.ndarray, np.ndarray]:
    """The class of each cell (runs, runs), and whether more than one can win in it: then that says nothing."""
    corners = [
        (row, column) for row in (vertical.first, vertical.second) for column in (horizontal.first, horizontal.second)
    ]
    labels = winner[np.ix_(*corners[0])]
    one = np.logical_and.reduce([winner[np.ix_(*corner)] == labels for corner in corners[1:]])
    clear = np.logical_and.reduce([is_clear[np.ix_(*corner)] for corner in corners])
    return labels, ~(one & clear)


def _open_cells(
    scores: np.ndarray, winner: np.ndarray, places: tuple[np.ndarray, np.ndarray], vertical: Runs, horizontal: Runs
) -> Iterator[Cells]:
    """The cells in which several classes can win, as many at a time as the caches hold."""
    samples = scores.reshape(len(scores), -1)
    step = max(1, OPENED // (4 * len(scores)))
    for start in range(0, len(places[0]), step):
        row, column = (place[start : start + step] for place in places)
        lines = [runs.take(row) * scores.shape[2] for runs in (vertical.first, vertical.second)]
        columns = [runs.take(column) for runs in (horizontal.first, horizontal.second)]
        around = [line + sample for line in lines for sample in columns]
        yield Cells(row, column, np.stack([samples.take(one, 1) for one in around]), winner.take(np.stack(around)))


def _decide(cells: Cells, slack: np.float32, vertical: Runs, horizontal: Runs, result: np.ndarray) -> None:
    """Put the labels of cells into the label map (H, W)."""
    can_win = _undefeated(cells, slack)
    counts = _count(can_win)
    for count in np.flatnonzero(np.bincount(counts)).tolist():
        members = np.flatnonzero(counts == count)
        ids = np.nonzero(can_win[:, members].T)[1].reshape(-1, count).T  # (count, members), ascending
        step = max(1, CACHED // (count * len(vertical.pixels) * len(horizontal.pixels)))
        for start in range(0, len(members), step):
            some, classes = members[start : start + step], ids[:, start : start + step]
            row, column = cells.row[some], cells.column[some]
            down, along = vertical.weight.take(row, 1), horizontal.weight.take(column, 1)
            corners = cells.corners.reshape(4, -1).take(classes * len(cells.row) + some, 1)
            labels = _labels_among(corners, classes.astype(result.dtype), down, along, slack)
            result[vertical.pixels.take(row, 1)[:, None], horizontal.pixels.take(column, 1)] = labels


def _undefeated(cells: Cells, slack: np.float32) -> np.ndarray:
    """The classes (K, n) that are not below one of the corners' winners at all four corners."""
    below = np.zeros(cells.corners.shape[1:], bool)
    cell = np.arange(len(cells.row))
    for winner in cells.winners:
        floor = cells.corners[:, winner, cell] - slack  # (4, n)
        below |= np.logical_and.reduce(cells.corners < floor[:, None])
    return ~below


def _labels_among(
    corners: np.ndarray, ids: np.ndarray, down: np.ndarray, along: np.ndarray, slack: np.float32
) -> np.ndarray:
    """The labels (rows, columns, n) of cells in which as many classes contend.

    Args:
        corners: (4, k, n), their scores.
        ids: (k, n), the classes, ascending in each cell.
        down: (rows, n), the share of the samples below.
        along: (columns, n), that of those on the right.
        slack: Scores that differ by no more are computed again.
    """
    decide = _of_two if len(ids) == 2 else _of_several
    labels, is_tight = decide(corners, ids, down, along, slack)
    if is_tight.any():
        y, x, cell = np.nonzero(is_tight)
        exact = _as_torch(corners[:, :, cell], down[y, cell], along[x, cell])
        labels[y, x, cell] = ids[exact.argmax(0), cell]
    return labels


def _of_two(
    corners: np.ndarray, ids: np.ndarray, down: np.ndarray, along: np.ndarray, slack: np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """The labels (rows, columns, n) where two contend, by the sign of their difference, and whether it is too small."""
    ahead = _blended(corners[:, 1] - corners[:, 0], down, along)
    labels = np.where(ahead > 0, ids[1], ids[0])
    return labels, ~(np.abs(ahead, out=ahead) > slack)  # which holds for what is no number


def _of_several(
    corners: np.ndarray, ids: np.ndarray, down: np.ndarray, along: np.ndarray, slack: np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """The labels (rows, columns, n) where k contend, and whether another comes too near."""
    scores = _blended(corners, down, along)
    near = scores >= scores.max(0) - slack
    labels = (near * ids[:, None, None]).max(0)
    return labels, _count(near) != 1


def _count(near: np.ndarray) -> np.ndarray:
    """How many of the first axis are true, in the smallest dtype that holds it: bytes are added 32 at a time."""
    return np.add.reduce(near.view(np.uint8), 0, dtype=np.uint8 if len(near) <= VOID else np.uint16)


def _blended(corners: np.ndarray, down: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Samples (4, ..., n) interpolated to the pixels of their cells, (..., rows, columns, n), about as torch does.

    Cells come last: numpy is quick along the last axis where that is long.
    """
    upper, lower = (
        left[..., None, :] + (right - left)[..., None, :] * along for left, right in (corners[:2], corners[2:])
    )
    lower -= upper
    result = lower[..., None, :, :] * down[:, None]
    result += upper[..., None, :, :]
    return result


def _as_torch(corners: np.ndarray, down: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Samples (4, k, pixels) interpolated to a pixel each, (k, pixels), to the bit as `torch.lerp` does."""
    upper, lower = lerp(corners[0], corners[1], along), lerp(corners[2], corners[3], along)
    return lerp(upper, lower, down)
