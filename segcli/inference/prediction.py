"""Prediction: the network's opinion of one photo; torch is imported only for what torch computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from segcli.errors import InputError
from segcli.inference import contending
from segcli.inference.transform import Geometry
from segcli.labels import VOID

if TYPE_CHECKING:
    import torch
    from torch import Tensor

IN_FLOAT32 = "Half precision overflowed for this photo: it was done in float32."


class Channels(NamedTuple):
    """The classes that some scores are about, where those of the others are left out.

    Attributes:
        ids: The class of each channel, ascending.
        classes: How many classes there are in all, K.
    """

    ids: tuple[int, ...]
    classes: int

    def spread(self, values: Tensor) -> Tensor:
        """Channels (C, H, W) in the places of their classes: (K, H, W), 0 in the others."""
        result = values.new_zeros(self.classes, *values.shape[1:])
        result[list(self.ids)] = values
        return result

    def labels(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers of channels (H, W) as class ids, uint8, or uint16 from 256 classes on."""
        return np.array(self.ids, np.uint8 if self.classes <= VOID else np.uint16)[numbers]


@dataclass(frozen=True)
class Prediction:
    """The network's opinion of one photo, kept at its own low resolution until somebody asks.

    Attributes:
        scores: float32 (1, C, h, w); an array where no torch was needed to compute them.
        place: How the photo lay in the network's input.
        align_corners: The spec's rule for enlarging the scores.
        is_probability: Whether the scores are probabilities already; else they are logits.
        channels: The classes of the C channels, where those of probability 0 are left out: at 12 megapixels each would
            take 48 MB. None: channel k is class k.
        valid: Where the photo has data, bool (H, W); the other pixels are void. None: everywhere.
        notes: What the user should know of how it was made, a sentence each.
        in_float32: Makes it anew in float32, where it was made in half precision.
    """

    scores: Tensor | np.ndarray
    place: Geometry
    align_corners: bool
    is_probability: bool = False
    channels: Channels | None = None
    valid: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    in_float32: Callable[[], Prediction] | None = field(default=None, repr=False, compare=False)

    @property
    def classes(self) -> int:
        """How many classes there are, K."""
        return self.scores.shape[1] if self.channels is None else self.channels.classes

    @property
    def tensor(self) -> Tensor:
        """The scores as torch's tensor; an array's is on the CPU and shares its memory."""
        import torch

        return torch.from_numpy(self.scores) if isinstance(self.scores, np.ndarray) else self.scores

    @property
    def is_on_cpu(self) -> bool:
        """Whether the scores lie in the CPU's memory."""
        return isinstance(self.scores, np.ndarray) or self.scores.device.type == "cpu"

    def to(self, device: torch.device | str) -> Prediction:
        """The same prediction with its scores on a device."""
        return replace(self, scores=self.tensor.to(device))

    def settled(self) -> Prediction:
        """The prediction with scores that are numbers: where half precision has overflowed, that of float32.

        It waits for the device.

        Raises:
            InputError: The network gives NaN or infinite values for this photo.
        """
        if _is_finite(self.scores):
            return replace(self, in_float32=None)
        if self.in_float32 is None:
            hint = "Its values may be far from those that the model was trained on, or the model's weights too large."
            raise InputError("the network gives NaN or infinite values for it", hint)
        again = self.in_float32().settled()
        return replace(again, valid=self.valid, notes=(*self.notes, IN_FLOAT32))

    def probabilities(self, size: tuple[int, int] | None = None) -> Tensor:
        """float32 (K, H, W), summing to 1 over K, at the photo's size or the (height, width) asked for."""
        from segcli.inference.enlargement import to_photo

        return self._probabilities(to_photo(self.tensor, self.place, self.align_corners, size)[0])

    def probability_bands(self, size: tuple[int, int]) -> Iterator[tuple[slice, Tensor]]:
        """The probabilities at (height, width) in bands of rows: the rows, and float32 (K, rows, W)."""
        from segcli.inference.enlargement import bands

        for rows, scores in bands(self.tensor, self.place, self.align_corners, size):
            yield rows, self._probabilities(scores)

    def labels(self) -> np.ndarray:
        """The class of every pixel of the photo: (H, W), uint8, or uint16 from 256 classes on.

        Pixels of which the photo has no data are void: 255, or 65535 in uint16.
        """
        numbers = self._numbers()
        labels = numbers if self.channels is None else self.channels.labels(numbers)
        if self.valid is not None:
            labels[~self.valid] = np.iinfo(labels.dtype).max
        return labels

    def _numbers(self) -> np.ndarray:
        """The channel of the largest score at every pixel (H, W)."""
        if not self.is_on_cpu or self.place.is_full_size(self.scores.shape[-2:]):
            from segcli.inference.argmax import label_map

            return label_map(self.tensor, self.place, self.align_corners)
        return contending.label_map(np.asarray(self.scores[0]), self.place, self.align_corners)

    def _probabilities(self, scores: Tensor) -> Tensor:
        """Scores (C, H, W) of any size as probabilities (K, H, W)."""
        values = scores if self.is_probability else scores.softmax(0)
        return values if self.channels is None else self.channels.spread(values)


def from_probabilities(probabilities: Tensor, photo: tuple[int, int]) -> Prediction:
    """A Prediction for a photo of (height, width) from probabilities (K, h, w) of the whole photo at another size."""
    size = (probabilities.shape[-2], probabilities.shape[-1])
    return Prediction(probabilities.unsqueeze(0), Geometry(photo, size, size), align_corners=False, is_probability=True)


def _is_finite(scores: Tensor | np.ndarray) -> bool:
    """Whether scores are nothing but numbers; their extremes tell."""
    if isinstance(scores, np.ndarray):
        return bool(np.isfinite([scores.min(), scores.max()]).all())
    from segcli.weights.checkpoint import is_finite

    return is_finite(scores)
