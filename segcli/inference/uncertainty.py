"""Uncertainty: how unsure a network is of a photo, in one number."""

import math

import torch

from segcli.images.masks import shrink_label_map
from segcli.inference.segmenter import Prediction
from segcli.inference.transform import fit

SIZE = 64
"""Samples on the long side of the grid on which it is measured: a millisecond a photo."""


def uncertainty(prediction: Prediction) -> float:
    """The mean entropy of a photo's pixels, as a share of the most that its classes allow: 0..1, with six decimals.

    Only the part of the scores that shows the photo counts, the padding does not, nor do pixels without data.
    """
    size = fit(prediction.place.photo, SIZE)
    probabilities = prediction.probabilities(size)
    entropy = -(probabilities * probabilities.clamp(min=1e-12).log()).sum(0)
    if prediction.valid is not None and (valid := shrink_label_map(prediction.valid, size)).any():
        entropy = entropy[torch.from_numpy(valid).to(entropy.device)]
    entropy = entropy.mean()
    return round(float(entropy) / math.log(max(len(probabilities), 2)), 6)  # the rest depends on the threads
