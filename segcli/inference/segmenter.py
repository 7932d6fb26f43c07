"""Segmenter: a photo in, its class scores at any size and its label map out."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from segcli.devices import autocast_type
from segcli.errors import InputError
from segcli.inference.argmax import label_map
from segcli.inference.forward import Forward
from segcli.inference.multi_scale import MultiScale
from segcli.inference.options import Precision
from segcli.inference.placement import placed
from segcli.inference.tiling import Tiled
from segcli.inference.transform import Geometry, bands, batched, to_input, to_photo
from segcli.labels import VOID
from segcli.models.preprocessing import at_size, corner, fitting
from segcli.weights.checkpoint import is_finite
from segcli.weights.model_io import LoadedModel

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
        scores: float32 (1, C, h, w).
        place: How the photo lay in the network's input.
        align_corners: The spec's rule for enlarging the scores.
        is_probability: Whether the scores are probabilities already; else they are logits.
        channels: The classes of the C channels, where those of probability 0 are left out: at 12 megapixels each would
            take 48 MB. None: channel k is class k.
        valid: Where the photo has data, bool (H, W); the other pixels are void. None: everywhere.
        notes: What the user should know of how it was made, a sentence each.
        in_float32: Makes it anew in float32, where it was made in half precision.
    """

    scores: Tensor
    place: Geometry
    align_corners: bool
    is_probability: bool = False
    channels: Channels | None = None
    valid: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    in_float32: "Callable[[], Prediction] | None" = field(default=None, repr=False, compare=False)

    @property
    def classes(self) -> int:
        """How many classes there are, K."""
        return self.scores.shape[1] if self.channels is None else self.channels.classes

    def to(self, device: torch.device) -> "Prediction":
        """The same prediction with its scores on a device."""
        return replace(self, scores=self.scores.to(device))

    def settled(self) -> "Prediction":
        """The prediction with scores that are numbers: where half precision has overflowed, that of float32.

        It waits for the device.

        Raises:
            InputError: The network gives no numbers for this photo.
        """
        if is_finite(self.scores):
            return replace(self, in_float32=None)
        if self.in_float32 is None:
            hint = "Its values may be far from those that the model was trained on, or the model's weights too large."
            raise InputError("the network gives no numbers for it", hint)
        again = self.in_float32().settled()
        return replace(again, valid=self.valid, notes=(*self.notes, IN_FLOAT32))

    def probabilities(self, size: tuple[int, int] | None = None) -> Tensor:
        """float32 (K, H, W), summing to 1 over K, at the photo's size or the (height, width) asked for."""
        return self._probabilities(to_photo(self.scores, self.place, self.align_corners, size)[0])

    def probability_bands(self, size: tuple[int, int]) -> Iterator[tuple[slice, Tensor]]:
        """The probabilities at (height, width) in bands of rows: the rows, and float32 (K, rows, W)."""
        for rows, scores in bands(self.scores, self.place, self.align_corners, size):
            yield rows, self._probabilities(scores)

    def labels(self) -> np.ndarray:
        """The class of every pixel of the photo: (H, W), uint8, or uint16 from 256 classes on.

        Pixels of which the photo has no data are void: 255, or 65535 in uint16.
        """
        numbers = label_map(self.scores, self.place, self.align_corners)
        labels = numbers if self.channels is None else self.channels.labels(numbers)
        if self.valid is not None:
            labels[~self.valid] = np.iinfo(labels.dtype).max
        return labels

    def _probabilities(self, scores: Tensor) -> Tensor:
        """Scores (C, H, W) of any size as probabilities (K, H, W)."""
        values = scores if self.is_probability else scores.softmax(0)
        return values if self.channels is None else self.channels.spread(values)


def from_probabilities(probabilities: Tensor, photo: tuple[int, int]) -> Prediction:
    """A Prediction for a photo of (height, width) from probabilities (K, h, w) of the whole photo at another size."""
    size = (probabilities.shape[-2], probabilities.shape[-1])
    return Prediction(probabilities.unsqueeze(0), Geometry(photo, size, size), align_corners=False, is_probability=True)


class Segmenter:
    """A model on a device, with the protocol to apply it by.

    The model's network is shared where it lies on that device already, else copied: Segmenters of one model leave each
    other's parameters alone. It is put into evaluation mode.

    Args:
        model: From `model_io.load`.
        device: Where the network runs.
        scales: Each scale's probabilities are averaged; (1.0,) is the plain network.
        flip: Average with the mirrored photo's probabilities too.
        size: Working size in pixels instead of the weights' own; 0 keeps the photo's size.
        tile: Windows of about this side in pixels where the network's input is larger; None: the whole at once.
        precision: What the network computes in; in half precision labels may differ here and there.

    Attributes:
        network: The network on its device.
        preprocessing: The model's, at the working size.
        half: The type of half precision that the network computes in; None for float32.

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
        self.scales = tuple(scales)
        self.flip = flip
        self.preprocessing = at_size(model.preprocessing, size)
        self.tile = None if tile is None else fitting(tile, corner(model.spec))
        self.precision = precision
        self.half = autocast_type(precision, torch.device(device))
        self._place(torch.device(device))

    def _place(self, device: torch.device) -> None:
        """Take the model's network to a device, and put together what the protocol makes of it."""
        self.device = device
        tensor_cores = self.half is not None and device.type == "cuda"  # they take channels last as it is
        self.network = placed(self.model.network, device, channels_last=tensor_cores).eval()
        self.multi_scale = self._protocol(self.half)

    def _protocol(self, half: torch.dtype | None) -> MultiScale:
        """What the protocol makes of the network in half precision, or in float32."""
        spec = self.model.spec
        windows = Tiled(Forward(self.network, self.device, half), self.tile, corner(spec), self.model.output_stride)
        return MultiScale(windows, self.scales, self.flip, spec.align_corners)

    def on(self, device: torch.device) -> "Segmenter":
        """The same model and protocol on another device; this one stays as it is."""
        twin = copy(self)
        twin._place(device)
        return twin

    @torch.inference_mode()
    def predict(
        self, photos: Sequence[np.ndarray], sizes: Sequence[tuple[int, int] | None] | None = None
    ) -> list[Prediction]:
        """Segment photos, uint8 (H, W, 3) each; the result does not depend on which photos share a call.

        `sizes` are the working (height, width) of each photo where that is not the model's; None: none has another.

        On the CPU they pass the network one at a time: a batch is no faster there, and the order of its additions
        would change with its size. On a GPU, inputs of one size share a batch, and nothing waits for it: whoever uses
        a prediction asks for the `settled` one first.
        """
        sizes = sizes or [None] * len(photos)
        inputs = [to_input(photo, self.preprocessing, size) for photo, size in zip(photos, sizes, strict=True)]
        predictions: dict[int, Prediction] = {}
        for members in self._batches([place.padded for _, place in inputs]):
            made = self._predicted([inputs[index] for index in members], self.multi_scale)
            predictions |= zip(members, made, strict=True)
        if self.half is None:
            return [predictions[index] for index in range(len(inputs))]
        again = [partial(self._in_float32, given) for given in inputs]
        return [replace(predictions[index], in_float32=anew) for index, anew in enumerate(again)]

    @torch.inference_mode()
    def _in_float32(self, given: tuple[Tensor, Geometry]) -> Prediction:
        return self._predicted([given], self._protocol(None))[0]

    def _predicted(self, inputs: Sequence[tuple[Tensor, Geometry]], protocol: MultiScale) -> list[Prediction]:
        """The predictions of inputs of one size, each with its place."""
        scores, covered = protocol(batched([x for x, _ in inputs], self.device))
        places = [replace(place, padded=covered) for _, place in inputs]
        corners = self.model.spec.align_corners
        pairs = zip(scores.split(1), places, strict=True)
        return [Prediction(row, place, corners, protocol.averages) for row, place in pairs]

    def probabilities(self, photo: np.ndarray) -> Tensor:
        """float32 (K, H, W) at the size of a uint8 (H, W, 3) photo."""
        return self.predict([photo])[0].settled().probabilities()

    def labels(self, photo: np.ndarray) -> np.ndarray:
        """The label map (H, W) of a uint8 (H, W, 3) photo."""
        return self.predict([photo])[0].settled().labels()

    def _batches(self, shapes: list[tuple[int, int]]) -> list[list[int]]:
        """The numbers of the inputs that pass the network together, by the inputs' shapes."""
        if self.device.type == "cpu":
            return [[index] for index in range(len(shapes))]
        groups: dict[tuple[int, int], list[int]] = {}
        for index, shape in enumerate(shapes):
            groups.setdefault(shape, []).append(index)
        return list(groups.values())
