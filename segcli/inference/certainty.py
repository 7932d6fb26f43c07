"""Certainty: how probable the likeliest class is, in each part of a photo."""

import numpy as np
import torch

from segcli.inference.prediction import Prediction
from segcli.inference.transform import fit

LONGEST = 1024
"""The longest side, in pixels, at which it is computed."""
FINER = 4
"""How many times as long as the scores' longest side that is at most: between them there is nothing to be seen."""


def certainty(prediction: Prediction) -> np.ndarray:
    """The probability of the likeliest class, 0..1, float32 (h, w), of the photo shrunk to at most `LONGEST` a side."""
    longest = min(LONGEST, FINER * max(prediction.scores.shape[-2:]))
    size = fit(prediction.place.photo, longest)
    bands = [probabilities.amax(0).cpu() for _, probabilities in prediction.probability_bands(size)]
    return torch.cat(bands).numpy()
