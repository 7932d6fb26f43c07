"""The CRF as a stage: from a photo and its prediction to a better prediction, at a bounded working size."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from segcli.crf import dense_crf
from segcli.crf.dense_crf import Backend
from segcli.crf.mean_field import EPS, kept_classes
from segcli.crf.params import CRFParams
from segcli.inference.segmenter import Prediction
from segcli.inference.transform import Geometry, bands, fit
from segcli.labels import VOID


@dataclass(frozen=True)
class Refined(Prediction):
    """A prediction whose scores are the probabilities of some classes only: at 12 megapixels a class takes 48 MB.

    Attributes:
        kept: The ids of those classes, ascending; the probability of the others is 0.
        classes: K.
    """

    kept: tuple[int, ...] = ()
    classes: int = 0

    def probabilities(self, size: tuple[int, int] | None = None) -> Tensor:
        """As `Prediction.probabilities`, of all K classes."""
        few = super().probabilities(size)
        result = few.new_zeros(self.classes, *few.shape[1:])
        result[list(self.kept)] = few
        return result

    def labels(self) -> np.ndarray:
        """As `Prediction.labels`."""
        same = self.scores.shape[-2:] == self.place.photo
        ids = self.scores[0].argmax(0).cpu().numpy() if same else super().labels()
        return np.array(self.kept, np.uint8 if self.classes <= VOID else np.uint16)[ids]


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
    size: int = dense_crf.WORKING_SIZE
    backend: Backend = "torch"
    eps: float = EPS

    def __call__(self, photo: np.ndarray, prediction: Prediction) -> Prediction:
        """Refine the prediction of a uint8 (H, W, 3) photo, on the device where its scores are."""
        size = fit(photo.shape[:2], self.size)
        kept, probabilities = _that_matter(prediction, size, self.eps if self.backend == "torch" else 0)
        picture = _shrunk(photo, size)
        refined = dense_crf.refine(probabilities, picture, self.params, eps=self.eps, backend=self.backend)
        place = Geometry(photo.shape[:2], size, size)
        return Refined(refined[None], place, False, True, kept, prediction.scores.shape[1])

    def at_size(self, photo: np.ndarray, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """The photo, uint8 (h, w, 3), and its probabilities, float32 (K, h, w), at the working size."""
        size = fit(photo.shape[:2], self.size)
        return _shrunk(photo, size), prediction.probabilities(size)

    def to_dict(self) -> dict:
        """Plain values for run.toml."""
        return {**self.params.to_dict(), "size": self.size, "backend": self.backend, "eps": self.eps}


def _shrunk(photo: np.ndarray, size: tuple[int, int]) -> Tensor:
    picture = torch.from_numpy(photo).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    if size != photo.shape[:2]:
        picture = transforms.resize(picture, list(size), antialias=True)
    return picture.permute(1, 2, 0).contiguous()


def _that_matter(prediction: Prediction, size: tuple[int, int], eps: float) -> tuple[tuple[int, ...], Tensor]:
    """The ids of the classes that the CRF keeps at that size, and their probabilities (k, H, W)."""
    kept = {label for _, band in _bands(prediction, size) for label in kept_classes(band, eps).tolist()}
    ids = sorted(kept)
    probabilities = prediction.scores.new_empty(len(ids), *size)
    for rows, band in _bands(prediction, size):
        probabilities[:, rows] = band[ids]
    return tuple(ids), probabilities


def _bands(prediction: Prediction, size: tuple[int, int]) -> Iterator[tuple[slice, Tensor]]:
    """Probabilities of all classes in bands of rows, (K, rows, W)."""
    for rows, scores in bands(prediction.scores, prediction.place, prediction.align_corners, size):
        yield rows, scores if prediction.is_probability else scores.softmax(0)
