"""GraphSegmenter: a photo in, its class scores out, by onnxruntime alone; torch need not be imported."""

from collections.abc import Sequence

import numpy as np

from segcli.inference.prediction import Prediction
from segcli.inference.transform import Input, to_array
from segcli.models.preprocessing import at_size
from segcli.weights.facts import ModelFacts
from segcli.weights.graph import Graph


class GraphSegmenter:
    """A converted network on the CPU with the plain protocol: one scale, no mirror image, no tiles, float32.

    Its labels are those of a `Segmenter` of the same conversion, to the last one.

    Args:
        model: What is known of the network.
        graph: The network.
        size: Working size in pixels instead of the weights' own; 0 keeps the photo's size.

    Attributes:
        preprocessing: The model's, at the working size.
    """

    is_on_cpu = True
    scales = (1.0,)
    flip = False

    def __init__(self, model: ModelFacts, graph: Graph, size: int | None = None):
        self.model = model
        self.graph = graph
        self.preprocessing = at_size(model.preprocessing, size)

    def predict(
        self, photos: Sequence[np.ndarray], sizes: Sequence[tuple[int, int] | None] | None = None
    ) -> list[Prediction]:
        """Segment photos, uint8 (H, W, 3) each, one at a time; `sizes` are those of `Segmenter.predict`."""
        sizes = sizes or [None] * len(photos)
        pairs = zip(photos, sizes, strict=True)
        return [self.predict_inputs([to_array(photo, self.preprocessing, size)])[0] for photo, size in pairs]

    def predict_inputs(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Segment photos that `to_array` has made inputs of, by this Segmenter's preprocessing, one at a time."""
        corners = self.model.spec.align_corners
        return [Prediction(self.graph(values[None]), place, corners) for values, place in inputs]
