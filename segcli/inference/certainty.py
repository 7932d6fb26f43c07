"""Certainty: how probable the likeliest class is, in each part of a photo."""

import numpy as np
import torch

from segcli.inference.segmenter import Prediction
from segcli.inference.transform import fit

SIZE = 1024
"""The longest side, in pixels, at which it is computed: networks' own scores are coarser, and a photo of 12 megapixels
takes a tenth of a second so."""


def certainty(prediction: Prediction) -> np.ndarray:
    """The probability of the likeliest class, 0..1, float32 (h, w), of the photo shrunk to at most `SIZE` a side."""
    size = fit(prediction.place.photo, SIZE)
    bands = [probabilities.amax(0).cpu() for _, probabilities in prediction.probability_bands(size)]
    return torch.cat(bands).numpy()
