"""Refinement: the CRF as a stage, from a photo and its prediction to a better prediction, at a bounded working size."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from segcli.crf import dense_crf
from segcli.crf.mean_field import kept_classes
from segcli.crf.settings import CRFSettings
from segcli.inference.prediction import Channels, Prediction, from_probabilities
from segcli.inference.resizing import resize
from segcli.inference.transform import fit


class Refinement(CRFSettings):
    """The fully connected CRF, ready to refine predictions by these settings."""

    @classmethod
    def by(cls, settings: CRFSettings) -> "Refinement":
        """The CRF by settings that were read without torch."""
        return cls(**vars(settings))

    def __call__(self, photo: np.ndarray, prediction: Prediction) -> Prediction:
        """Refine the prediction of a uint8 (H, W, 3) photo, on the device where its scores are."""
        size = fit(photo.shape[:2], self.size)
        kept, probabilities = _kept(prediction, size, self.eps if self.backend == "torch" else 0)
        picture = _shrunk(photo, size)
        refined = dense_crf.refine(probabilities, picture, self.params, eps=self.eps, backend=self.backend)
        whole = from_probabilities(refined, photo.shape[:2])
        return replace(whole, channels=Channels(kept, prediction.classes), valid=prediction.valid)

    def at_size(self, photo: np.ndarray, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """The photo, uint8 (h, w, 3), and its probabilities, float32 (K, h, w), at the working size."""
        size = fit(photo.shape[:2], self.size)
        return _shrunk(photo, size), prediction.probabilities(size)


def _shrunk(photo: np.ndarray, size: tuple[int, int]) -> Tensor:
    """A photo (H, W, 3) at another (height, width), uint8 (h, w, 3)."""
    return torch.from_numpy(np.require(resize(photo, size), requirements="CW"))


def _kept(prediction: Prediction, size: tuple[int, int], eps: float) -> tuple[tuple[int, ...], Tensor]:
    """The ids of the classes that the CRF keeps at that size, and their probabilities (k, H, W)."""
    kept = {label for _, band in prediction.probability_bands(size) for label in kept_classes(band, eps).tolist()}
    ids = sorted(kept)
    probabilities = prediction.tensor.new_empty(len(ids), *size)
    for rows, band in prediction.probability_bands(size):
        probabilities[:, rows] = band[ids]
    return tuple(ids), probabilities
