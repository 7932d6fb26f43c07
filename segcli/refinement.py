"""The CRF as a stage: from a photo and its prediction to a better prediction, at a bounded working size."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from segcli import crf
from segcli.crf import Backend
from segcli.crf_params import CRFParams
from segcli.inference import Prediction, from_probabilities
from segcli.preprocess import fit


@dataclass(frozen=True)
class Refinement:
    """The fully connected CRF with its settings.

    Attributes:
        params: The kernels and the number of iterations; the sigmas count pixels of the working size.
        size: The photo is shrunk to at most this many pixels a side, its refined probabilities enlarged afterwards;
            0 works at the photo's own size.
        backend: "torch", or "pydensecrf" where that package is installed.
        eps: As in `crf.refine`.
    """

    params: CRFParams
    size: int = crf.WORKING_SIZE
    backend: Backend = "torch"
    eps: float = crf.EPS

    def __call__(self, photo: np.ndarray, prediction: Prediction) -> Prediction:
        """Refine the prediction of a uint8 (H, W, 3) photo, on the device where its scores are."""
        picture, probabilities = self.at_size(photo, prediction)
        refined = crf.refine(probabilities, picture, self.params, eps=self.eps, backend=self.backend)
        return from_probabilities(refined, photo.shape[:2])

    def at_size(self, photo: np.ndarray, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """The photo, uint8 (h, w, 3), and its probabilities, float32 (K, h, w), at the working size."""
        size = fit(photo.shape[:2], self.size)
        picture = torch.from_numpy(photo).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        if size != photo.shape[:2]:
            picture = transforms.resize(picture, list(size), antialias=True)
        return picture.permute(1, 2, 0).contiguous(), prediction.probabilities(size)

    def to_dict(self) -> dict:
        """Plain values for run.toml."""
        return {**self.params.to_dict(), "size": self.size, "backend": self.backend, "eps": self.eps}
