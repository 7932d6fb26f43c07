"""Argmax: the class with the largest score at every pixel by torch, without a full-size volume of scores.

On the CPU `contending` finds the same labels in less time, unless scores lie on the photo's pixels already.
"""

import numpy as np
import torch
from torch import Tensor

from segcli.inference.contending import ROUNDING
from segcli.inference.enlargement import bands
from segcli.inference.transform import Geometry
from segcli.labels import VOID


def label_map(scores: Tensor, place: Geometry, align_corners: bool) -> np.ndarray:
    """The class with the largest score at every pixel of a photo.

    Args:
        scores: (1, K, h, w), of the network's own resolution.
        place: How the photo lay in the network's input.
        align_corners: The spec's rule for enlarging the scores.

    Returns:
        (H, W), uint8, or uint16 from 256 classes on (255 is void). Of equal scores the first class's counts.
    """
    full_size = place.is_full_size(scores.shape[-2:])  # looking for candidates costs more than it saves then
    ids = None if full_size else candidates(scores[0])
    classes = np.arange(scores.shape[1]) if ids is None else ids.cpu().numpy()
    classes = classes.astype(np.uint8 if scores.shape[1] <= VOID else np.uint16)
    result = np.empty(place.photo, classes.dtype)
    for rows, band in bands(scores if ids is None else scores[:, ids], place, align_corners, place.photo):
        result[rows] = classes.take(argmax(band).cpu().numpy())
    return result


def candidates(scores: Tensor) -> Tensor:
    """The ids of the classes that can have the largest score somewhere between the samples of (K, h, w), int64 (k,).

    Between four neighbouring samples bilinear interpolation stays between their least and their greatest. A class
    whose greatest is everywhere below some other's least wins nowhere. Of 21 classes photos keep 4 in the median.
    """
    least = greatest = scores
    for axis in (-2, -1):
        least, greatest = _neighbours(torch.minimum, least, axis), _neighbours(torch.maximum, greatest, axis)
    floor = least.amax(0) - ROUNDING * scores.abs().amax()
    loses = (greatest < floor).flatten(1).all(1)  # not a number is below nothing
    return (~loses).nonzero()[:, 0]


def argmax(scores: Tensor) -> Tensor:
    """The class of the largest of (K, H, W) scores, the first of equal ones: (H, W), uint8 up to 255 classes, or int64.

    Torch's `argmax(0)` has no fast path along the first axis: this takes half its time or less.
    """
    if len(scores) > VOID:
        return scores.argmax(0)
    place = torch.arange(len(scores), dtype=torch.uint8, device=scores.device)[:, None, None]
    beaten = (scores < scores.amax(0)).view(torch.uint8) * VOID
    return beaten.bitwise_or_(place).amin(0)


def _neighbours(choose, scores: Tensor, axis: int) -> Tensor:
    """The lesser or the greater of each two neighbours along an axis; of one alone, itself."""
    pairs = scores.shape[axis] - 1
    return choose(scores.narrow(axis, 0, pairs), scores.narrow(axis, 1, pairs)) if pairs else scores
