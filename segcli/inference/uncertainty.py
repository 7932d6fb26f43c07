"""Uncertainty: how unsure a network is of a photo, in one number."""

import math

import numpy as np

from segcli.images.masks import shrink_label_map
from segcli.inference.contending import enlarged
from segcli.inference.prediction import Prediction
from segcli.inference.transform import fit

SIZE = 64
"""Samples on the long side of the grid on which it is measured: a millisecond a photo."""


def uncertainty(prediction: Prediction) -> float:
    """The mean entropy of a photo's pixels, as a share of the most that its classes allow: 0..1, with six decimals.

    Only the part of the scores that shows the photo counts, the padding does not, nor do pixels without data.
    """
    size = fit(prediction.place.photo, SIZE)
    entropy = _entropy(_probabilities(prediction, size))
    if prediction.valid is not None and (valid := shrink_label_map(prediction.valid, size)).any():
        entropy = entropy[valid]
    return round(float(entropy.mean()) / math.log(max(prediction.classes, 2)), 6)  # the rest depends on the processor


def _probabilities(prediction: Prediction, size: tuple[int, int]) -> np.ndarray:
    """float32 (C, h, w) at that size; classes of probability 0 may be left out, since their entropy is 0."""
    if not prediction.is_on_cpu:
        return prediction.probabilities(size).cpu().numpy()
    scores = enlarged(np.asarray(prediction.scores[0]), prediction.place, prediction.align_corners, size)
    if prediction.is_probability:
        return scores
    scores -= scores.max(0)
    np.exp(scores, out=scores)
    scores /= scores.sum(0)
    return scores


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    """The entropy (h, w) of probabilities (C, h, w), in nats."""
    return -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(0)
