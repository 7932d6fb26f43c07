"""Segmenter: a photo in, its class scores at any size and its label map out, by torch."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from segcli.devices import autocast_type
from segcli.inference.forward import Forward
from segcli.inference.multi_scale import MultiScale
from segcli.inference.options import Precision
from segcli.inference.placement import batched, placed
from segcli.inference.prediction import Prediction
from segcli.inference.tiling import Tiled
from segcli.inference.transform import Geometry, Input, to_array
from segcli.models.preprocessing import at_size, corner, fitting
from segcli.weights.model_io import LoadedModel


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

    @property
    def is_on_cpu(self) -> bool:
        """Whether the CPU computes."""
        return self.device.type == "cpu"

    def on(self, device: torch.device) -> "Segmenter":
        """The same model and protocol on another device; this one stays as it is."""
        twin = copy(self)
        twin._place(device)
        return twin

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
        pairs = zip(photos, sizes, strict=True)
        return self.predict_inputs([to_array(photo, self.preprocessing, size) for photo, size in pairs])

    @torch.inference_mode()
    def predict_inputs(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Segment photos that `to_array` has made inputs of, by this Segmenter's preprocessing; see `predict`."""
        inputs = [(torch.from_numpy(values).unsqueeze(0), place) for values, place in inputs]
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
