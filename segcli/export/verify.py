"""Agreement: how nearly two runtimes compute the same, an exported network and the one that it was made of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from segcli.errors import SegcliError
from segcli.export.export import Export, enlarged
from segcli.inference.transform import to_input
from segcli.models.preprocessing import Preprocessing
from segcli.weights import graph
from segcli.weights.checkpoint import is_finite
from segcli.weights.graph import LABELS, LOGITS

EQUAL = 0.999
"""The share of equal labels from which on two networks count as the same."""
SMALLER = 0.75
"""The scale of a second size at which a photo is compared, without padding: sides that no training ever saw."""
_NO_NUMBERS = "Do not use the file: its weights may be too large, as those of a training that diverges."

Runtime = Callable[[Tensor], Mapping[str, Tensor]]
"""A function that runs an exported network: from an input to the outputs by name."""


@dataclass(frozen=True)
class Agreement:
    """How nearly two networks compute the same; agreements add up.

    Attributes:
        inputs: How many inputs were compared.
        pixels: How many pixels all of them have.
        equal: How many of those pixels have the same label.
        difference: The largest difference between two logits.
        largest: The largest absolute value of a logit.
    """

    inputs: int = 0
    pixels: int = 0
    equal: int = 0
    difference: float = 0.0
    largest: float = 0.0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            self.inputs + other.inputs,
            self.pixels + other.pixels,
            self.equal + other.equal,
            max(self.difference, other.difference),
            max(self.largest, other.largest),
        )

    @property
    def share(self) -> float:
        """The share of pixels with equal labels, 0..1; 0 where nothing was compared."""
        return self.equal / self.pixels if self.pixels else 0.0

    @property
    def holds(self) -> bool:
        """Whether the two count as the same."""
        return self.share >= EQUAL


def onnx_runtime(model: bytes, export: Export) -> Runtime:
    """The runtime of an ONNX file, given its bytes: onnxruntime."""
    session = graph.session(model)

    def run(x: Tensor) -> dict[str, Tensor]:
        values = session.run(list(export.outputs), {export.input: x.numpy()})
        return export.named([torch.from_numpy(value) for value in values])

    return run


def pt2_runtime(path: Path, export: Export) -> Runtime:
    """The runtime of a .pt2 file. Loading one can run code: only for a file that this process has just written."""
    module = torch.export.load(path).module()
    return lambda x: export.named(module(x))


def runtime(path: Path, form: str, export: Export) -> Runtime:
    """The runtime of the file that was just written at `path` in the form `form`, a key of `export.FORMATS`."""
    return pt2_runtime(path, export) if form == "pt2" else onnx_runtime(path.read_bytes(), export)


@torch.inference_mode()
def compare(export: Export, run: Runtime, x: Tensor) -> Agreement:
    """Compare torch and another runtime on one input; the labels are those at the input's size.

    Raises:
        SegcliError: One of them gives logits that are no numbers, all of whose labels would be equal.
    """
    ours, theirs = export.run(x), run(x)
    for outputs, whose in ((ours, "torch's"), (theirs, "the exported")):
        if not is_finite(outputs[LOGITS]):
            raise SegcliError(
                f"{whose} network gives NaN or infinite values for an input of shape {tuple(x.shape)}", _NO_NUMBERS
            )
    size = x.shape[1:3] if export.making.with_preprocessing else x.shape[2:]
    left, right = (
        outputs[LABELS] if LABELS in outputs else enlarged(outputs[LOGITS], size, export.align_corners).argmax(1)
        for outputs in (ours, theirs)
    )
    gap = (ours[LOGITS] - theirs[LOGITS]).abs().max()
    return Agreement(1, left.numel(), int((left == right).sum()), float(gap), float(ours[LOGITS].abs().max()))


def inputs(photo: np.ndarray, preprocessing: Preprocessing, export: Export) -> Iterator[Tensor]:
    """Two inputs for an export from a photo, uint8 (H, W, 3): prepared as `predict` would, and smaller, unpadded."""
    if export.making.with_preprocessing:  # the same up to normalisation, in whole grey levels
        grey = float(round(preprocessing.pad_value))
        preprocessing = replace(preprocessing, mean=(0.0,) * 3, std=(1.0,) * 3, channels="RGB", pad_value=grey)
    x, place = to_input(photo, preprocessing)
    smaller = max(1, int(SMALLER * max(place.resized)))
    second = to_input(photo, replace(preprocessing, resize="long", size=smaller, pad="none"))[0]
    for given in (x, second):
        yield given.permute(0, 2, 3, 1).to(torch.uint8) if export.making.with_preprocessing else given


def noise(sizes: Iterable[tuple[int, int]], seed: int = 0) -> Iterator[Tensor]:
    """Soft random pictures, float32 (1, 3, height, width) about 0; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for height, width in sizes:
        coarse = torch.randn(1, 3, -(-height // 8), -(-width // 8), generator=generator)
        yield torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
