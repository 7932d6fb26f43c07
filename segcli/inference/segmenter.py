"""Segmenter: a photo in, its class scores at any size and its label map out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.devices import Precision, half
from segcli.inference import tiling
from segcli.inference.argmax import label_map
from segcli.inference.transform import Geometry, at_size, batched, to_input, undo
from segcli.models.networks.deeplab import DeepLab
from segcli.models.preprocessing import scaled
from segcli.weights.model_io import LoadedModel


@dataclass(frozen=True)
class Prediction:
    """The network's opinion of one photo, kept at its own low resolution until somebody asks.

    Attributes:
        scores: float32 (1, K, h, w).
        place: How the photo lay in the network's input.
        align_corners: The spec's rule for enlarging the scores.
        is_probability: Whether the scores are probabilities already; else they are logits.
    """

    scores: Tensor
    place: Geometry
    align_corners: bool
    is_probability: bool = False

    def to(self, device: torch.device) -> "Prediction":
        """The same prediction with its scores on a device."""
        return replace(self, scores=self.scores.to(device))

    def probabilities(self, size: tuple[int, int] | None = None) -> Tensor:
        """float32 (K, H, W), summing to 1 over K, at the photo's size or the (height, width) asked for."""
        scores = undo(self.scores, self.place, self.align_corners, size)[0]
        return scores if self.is_probability else scores.softmax(0)

    def labels(self) -> np.ndarray:
        """The class of every pixel of the photo: (H, W), uint8, or uint16 from 256 classes on (255 is void)."""
        return label_map(self.scores, self.place, self.align_corners)


def from_probabilities(probabilities: Tensor, photo: tuple[int, int]) -> Prediction:
    """A Prediction for a photo of (height, width) from probabilities (K, h, w) of the whole photo at another size."""
    size = (probabilities.shape[-2], probabilities.shape[-1])
    return Prediction(probabilities.unsqueeze(0), Geometry(photo, size, size), align_corners=False, is_probability=True)


class Segmenter:
    """A model on a device, with the protocol to apply it by.

    Args:
        model: From `weights.load`; its network moves to the device.
        device: Where the network runs.
        scales: Each scale's probabilities are averaged; (1.0,) is the plain network.
        flip: Average with the mirrored photo's probabilities too.
        size: Working size in pixels instead of the weights' own; 0 keeps the photo's size.
        tile: Windows of about this side where the network's input is larger; None: the whole at once.
        precision: Of the network; in half of it labels may differ here and there.

    Raises:
        DeviceError: The device cannot compute in that precision.
    """

    def __init__(
        self,
        model: LoadedModel,
        device: torch.device | str = "cpu",
        *,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
        size: int | None = None,
        tile: int | None = None,
        precision: Precision = "float32",
    ):
        self.model = model
        self.device = torch.device(device)
        self.scales = tuple(scales)
        self.flip = flip
        self.preprocessing = at_size(model.preprocessing, size)
        self.tile = None if tile is None else tiling.fitting(tile, tiling.corner(model.spec))
        self.precision = precision
        self._half = half(precision, self.device)
        self.network = model.network.to(self.device).eval()
        if self._half is not None and self.device.type == "cuda":
            self.network.to(memory_format=torch.channels_last)  # as tensor cores take it: nothing is turned around

    def predict(self, photos: Sequence[np.ndarray]) -> list[Prediction]:
        """Segment photos, uint8 (H, W, 3) each; the result does not depend on which photos share a call.

        On the CPU they pass the network one at a time: a batch is no faster there, and
        the order of its additions would change with its size. On a GPU, inputs of one size share a batch.
        """
        inputs = [to_input(photo, self.preprocessing) for photo in photos]
        predictions: dict[int, Prediction] = {}
        for members in self._batches([place.padded for _, place in inputs]):
            batch = batched([inputs[index][0] for index in members], self.device)
            scores, padded = self._scores(batch)
            for index, row in zip(members, scores.split(1), strict=True):
                place = replace(inputs[index][1], padded=padded)
                predictions[index] = Prediction(row, place, self.model.spec.align_corners, not self._is_plain)
        return [predictions[index] for index in range(len(inputs))]

    def probabilities(self, photo: np.ndarray) -> Tensor:
        """float32 (K, H, W) at the size of a uint8 (H, W, 3) photo."""
        return self.predict([photo])[0].probabilities()

    def labels(self, photo: np.ndarray) -> np.ndarray:
        """The label map (H, W) of a uint8 (H, W, 3) photo."""
        return self.predict([photo])[0].labels()

    @property
    def _is_plain(self) -> bool:
        return self.scales == (1.0,) and not self.flip

    def _batches(self, shapes: list[tuple[int, int]]) -> list[list[int]]:
        if self.device.type == "cpu":
            return [[index] for index in range(len(shapes))]
        groups: dict[tuple[int, int], list[int]] = {}
        for index, shape in enumerate(shapes):
            groups.setdefault(shape, []).append(index)
        return list(groups.values())

    @torch.inference_mode()
    def _scores(self, batch: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Logits (N, K, h, w) of the plain network, else averaged probabilities; and the input size they cover."""
        size = (batch.shape[-2], batch.shape[-1])
        if self._is_plain:
            return self._logits(batch)
        views = [(scale, mirrored) for scale in self.scales for mirrored in ((False, True) if self.flip else (False,))]
        total = self._view(batch, *views[0])
        for scale, mirrored in views[1:]:
            total += self._view(batch, scale, mirrored)
        return total / len(views), size

    def _view(self, batch: Tensor, scale: float, mirrored: bool) -> Tensor:
        """Probabilities (N, K, H', W') by way of a scaled and mirrored input; sides become int((d - 1) s + 1)."""
        align = self.model.spec.align_corners
        size = (batch.shape[-2], batch.shape[-1])
        shape = (scaled(size[0], scale), scaled(size[1], scale))
        view = batch if scale == 1 else F.interpolate(batch, shape, mode="bilinear", align_corners=align)
        logits, padded = self._logits(view.flip(-1) if mirrored else view)
        if padded == shape:
            enlarged = F.interpolate(logits, size, mode="bilinear", align_corners=align)
        else:
            enlarged = undo(logits, Geometry(size, shape, padded), align)
        return (enlarged.flip(-1) if mirrored else enlarged).softmax(1)

    def _logits(self, view: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Logits of one view, in windows where it is larger than a tile, and the input size that they cover."""
        if self.tile is None or max(view.shape[-2:]) <= self.tile:
            return self._run(self.network, view), (view.shape[-2], view.shape[-1])
        logits, padded = self._tiled(self._for_windows(view), view)
        return logits, (padded.shape[-2], padded.shape[-1])

    def _for_windows(self, view: Tensor) -> Callable[[Tensor], Tensor]:
        """The network for windows of one view: image pooling averages the view, which takes a pass of its own.

        The view's features are put together from windows as its scores are. Those of the view shrunk to a window's
        size would cost less, and are worse: the network sees other things in a small picture than in a large one.
        """
        if not (isinstance(self.network, DeepLab) and self.network.pools_image):
            return self.network
        features, _ = self._tiled(self.network.image_features, view)
        height, width = (-(-side // self.model.output_stride) for side in view.shape[-2:])  # without what pads it
        return partial(self.network, image_mean=features[..., :height, :width].mean((2, 3), keepdim=True))

    def _tiled(self, network: Callable[[Tensor], Tensor], view: Tensor) -> tuple[Tensor, Tensor]:
        return tiling.run(partial(self._run, network), view, self.tile, tiling.corner(self.model.spec))

    def _run(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """`network(x)` in the precision asked for, as float32."""
        with torch.autocast(self.device.type, self._half, enabled=self._half is not None):
            return network(x).float()
