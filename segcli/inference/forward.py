"""Forward: a network's pass in the precision that was asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from segcli.devices import without_tf32
from segcli.models.networks.deeplab import DeepLab


class Scores(NamedTuple):
    """What a network says of one input.

    Attributes:
        values: float32 (N, K, h, w).
        covered: The (height, width) in input pixels that they cover; more than the input's where it was padded.
    """

    values: Tensor
    covered: tuple[int, int]


@dataclass(frozen=True)
class Forward:
    """A network's pass in the precision that was asked for; the results are float32 in any case.

    Attributes:
        network: On its device, in evaluation mode.
        device: That device.
        half: The type that autocast gives its convolutions; None for float32, which is never TF32 then.
    """

    network: nn.Module
    device: torch.device
    half: torch.dtype | None = None

    def logits(self, x: Tensor, image_mean: Tensor | None = None) -> Tensor:
        """An input (N, 3, H, W) -> logits (N, K, h, w); `image_mean` is that of `DeepLab.forward`."""
        if image_mean is None:
            return self._run(self.network, x)
        return self._run(lambda window: self.network(window, image_mean=image_mean), x)

    def image_features(self, x: Tensor) -> Tensor:
        """An input (N, 3, H, W) -> what image pooling averages, (N, C, h, w); for networks with `pools_image`."""
        return self._run(self.network.image_features, x)

    @property
    def pools_image(self) -> bool:
        """Whether every logit hears of the whole picture, by way of image pooling."""
        return isinstance(self.network, DeepLab) and self.network.pools_image

    def _run(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        with without_tf32(self.device), self._autocast():
            return network(x).float()

    def _autocast(self) -> AbstractContextManager:
        return nullcontext() if self.half is None else torch.autocast(self.device.type, self.half)
