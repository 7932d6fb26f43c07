"""Export: a model as one file for another runtime, ONNX or torch.export's .pt2."""

import io
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segcli.errors import SegcliError
from segcli.files.atomic import next_step, write_whole
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.images.reading import PhotoValues
from segcli.labels import VOID
from segcli.models.preprocessing import MAX_SIDE, Preprocessing
from segcli.weights import metadata, onnx_file
from segcli.weights.facts import Int8
from segcli.weights.graph import IMAGE, LABELS, LOGITS, OPSET, PHOTO, package
from segcli.weights.metadata import Metadata
from segcli.weights.model_io import LoadedModel
from segcli.weights.onnx_file import Making

SMALLEST = 33
"""The least pixels a side that a .pt2 takes; an ONNX file takes any."""
EXAMPLE = (2, 161, 225)
"""The batch, height and width that the exporters see; none of them stays in the file."""


class PhotoToLabels(nn.Module):
    """A network with normalisation before it, and enlargement and argmax behind it.

    Args:
        network: From normalised inputs to logits.
        preprocessing: The mean, scale and channel order of its inputs.
        classes: K; from 256 classes on labels are int32, else uint8.
        align_corners: The spec's rule for enlarging logits.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, classes: int, align_corners: bool):
        super().__init__()
        self.network = network
        self.align_corners = align_corners
        self.dtype = torch.uint8 if classes <= VOID else torch.int32
        self.order = [2, 1, 0] if preprocessing.channels == "BGR" else [0, 1, 2]
        self.register_buffer("mean", torch.tensor(preprocessing.mean))
        self.register_buffer("std", torch.tensor(preprocessing.std))

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """A photo, uint8 (N, H, W, 3) red-green-blue -> labels (N, H, W) and logits (N, K, h, w)."""
        normal = (photo.float() - self.mean) / self.std
        logits = self.network(normal[..., self.order].permute(0, 3, 1, 2))
        return enlarged(logits, photo.shape[1:3], self.align_corners).argmax(1).to(self.dtype), logits


def enlarged(logits: Tensor, size: Iterable[int], align_corners: bool) -> Tensor:
    """Logits (N, K, h, w) enlarged to the (height, width) of the network's input."""
    return F.interpolate(logits, tuple(size), mode="bilinear", align_corners=align_corners)


@dataclass(frozen=True)
class Export:
    """A model in one of the two forms.

    Attributes:
        module: The module that is traced; one tensor in, `outputs` out.
        making: How the file is made.
        input: The input's name.
        outputs: The outputs' names.
        facts: The file's metadata, by key.
        align_corners: The spec's rule for enlarging logits.
    """

    module: nn.Module
    making: Making
    input: str
    outputs: tuple[str, ...]
    facts: Mapping[str, str]
    align_corners: bool

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """The outputs by name, as torch computes them."""
        return self.named(self.module(x))

    def named(self, values: Tensor | Iterable[Tensor]) -> dict[str, Tensor]:
        """The outputs by name, given their values in order."""
        return dict(zip(self.outputs, (values,) if isinstance(values, Tensor) else values, strict=True))

    def example(self) -> Tensor:
        """An input of zeros to trace with."""
        batch, height, width = EXAMPLE
        if self.making.with_preprocessing:
            return torch.zeros(batch, height, width, 3, dtype=torch.uint8)
        return torch.zeros(batch, 3, height, width)


def prepare(model: LoadedModel, with_preprocessing: bool = False, int8: Int8 | None = None) -> Export:
    """Make a model ready to export.

    Args:
        model: From `weights.load`; not one that was exported already.
        with_preprocessing: Normalisation, enlargement to the input's size and argmax become part of the graph.
        int8: What the file will say of its 8-bit form, which `int8.to_int8` makes of it; None for floats.
    """
    making = Making(model.output_stride, with_preprocessing, int8)
    origin, photos = model.provenance, model.photos
    about = Metadata(model.spec, model.labels, model.preprocessing, provenance=origin, photos=photos)
    facts = {
        metadata.KEY: metadata.describe(about),
        onnx_file.KEY: to_json(making.to_dict() | _words(model, making)),
    }
    corners = model.spec.align_corners
    if not with_preprocessing:
        return Export(model.network, making, IMAGE, (LOGITS,), facts, corners)
    whole = PhotoToLabels(model.network, model.preprocessing, len(model.labels), corners).eval()
    return Export(whole, making, PHOTO, (LABELS, LOGITS), facts, corners)


def _words(model: LoadedModel, making: Making) -> dict[str, str]:
    """The metadata for people who open the file elsewhere: what to do with it."""
    given = model.preprocessing
    resizing = {
        "long": f"shrink the photo until its long side is {given.size}; never enlarge",
        "short": f"resize the photo so that its short side is {given.size}",
        "warp": f"resize the photo to {given.size} x {given.size}",
        "none": "leave the photo's size",
    }[given.resize]
    padding = {
        "square": f"; pad right and bottom with grey {_grey(given)} to {given.size} x {given.size}",
        "stride": f"; pad right and bottom with grey {_grey(given)} to 32 n + 1 pixels a side",
        "none": "",
    }[given.pad]
    normal = f"; then (value - {list(given.mean)}) / {list(given.std)} a channel, red-green-blue"
    normal += ", and last the channels in the order blue-green-red" if given.channels == "BGR" else ""
    inside = making.with_preprocessing
    corners = "with" if model.spec.align_corners else "without"
    return {
        **_photo_words(model.photos),
        **({"precision": "8 bits inside: uint8 activations, int8 weights of 7 bits"} if making.int8 else {}),
        "before": f"{resizing} (bilinear, antialiased){padding}{'' if inside else normal}",
        "input": f"{PHOTO}: uint8 (N, H, W, 3)" if inside else f"{IMAGE}: float32 (N, 3, H, W)",
        "output": f"{LABELS}: integers (N, H, W)" if inside else f"{LOGITS}: float32 (N, classes, h, w)",
        "after": "cut the padding away, enlarge the labels to the photo's size (nearest)"
        if inside
        else f"enlarge to the input's size (bilinear, {corners} aligned corners), take the largest class, cut the "
        "padding away",
    }


def _photo_words(photos: PhotoValues) -> dict[str, str]:
    """What makes red, green and blue of 8 bits of a photo's values; empty for photos that have them already."""
    words = [f"bands {', '.join(photos.bands)} are red, green, blue"] if len(photos.bands) == 3 else []
    words += [f"band {photos.bands[0]} is grey"] if len(photos.bands) == 1 else []
    if photos.range:
        words.append("{} values {:g} to {:g} become 0 to 255, rounded and clipped".format(photos.kind, *photos.range))
    return {"photo": "; ".join(words)} if words else {}


def _grey(preprocessing: Preprocessing) -> int:
    """The padding's grey as a picture can hold it."""
    return round(preprocessing.pad_value)


def to_onnx(export: Export) -> bytes:
    """Make an ONNX file's bytes: opset 17, any batch, height and width.

    Torch's exporter by tracing makes it: the newer one takes forty times as long (33 s against 0.8 s for MobileNetV2),
    needs onnxscript, and gives the same graph.

    Raises:
        SegcliError: onnx is not installed, or torch cannot export the network.
    """
    onnx = package("onnx")
    spatial = (1, 2) if export.making.with_preprocessing else (2, 3)
    axes = {export.input: {0: "batch", spatial[0]: "height", spatial[1]: "width"}}
    axes |= {name: {0: "batch", 1: "height", 2: "width"} for name in export.outputs if name == LABELS}
    axes |= {LOGITS: {0: "batch", 2: "rows", 3: "columns"}}
    file = io.BytesIO()
    with _exporting(), torch.no_grad():
        torch.onnx.export(
            export.module,
            (export.example(),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=[export.input],
            output_names=list(export.outputs),
            dynamic_axes=axes,
        )
    model = onnx.load_model_from_string(file.getvalue())
    onnx.helper.set_model_props(model, dict(export.facts))
    return model.SerializeToString()


def to_pt2(export: Export) -> bytes:
    """Make a torch.export archive's bytes: any batch, and sides from SMALLEST to 16384 pixels.

    Raises:
        SegcliError: Torch cannot export the network.
    """
    height, width = (torch.export.Dim(name, min=SMALLEST, max=MAX_SIDE) for name in ("height", "width"))
    batch = torch.export.Dim("batch", min=1, max=1024)
    sides = (height, width, None) if export.making.with_preprocessing else (None, height, width)
    file = io.BytesIO()
    with _exporting(), torch.no_grad():
        program = torch.export.export(
            export.module, (export.example(),), dynamic_shapes=({0: batch, **dict(enumerate(sides, 1))},)
        )
        torch.export.save(program, file, extra_files=dict(export.facts))
    return file.getvalue()


FORMATS: dict[str, Callable[[Export], bytes]] = {"onnx": to_onnx, "pt2": to_pt2}
"""The name of each form of file -> what makes its bytes."""


def write(path: Path, form: str, export: Export) -> int:
    """Write a model; the file appears whole or not at all.

    Args:
        path: The file.
        form: A key of FORMATS.
        export: From `prepare`.

    Returns:
        How many bytes the file has.

    Raises:
        SegcliError: It cannot be written, or a package is missing.
    """
    return save(path, FORMATS[form](export))


def save(path: Path, data: bytes) -> int:
    """Write a model's bytes, as `write` does; returns how many they are."""
    try:
        with write_whole(path, durable=True) as file:
            file.write(data)
    except OSError as error:
        message = f"{shown(path)} cannot be written ({error.strerror or error})"
        raise SegcliError(message, next_step(error)) from error
    return len(data)


@contextmanager
def _exporting() -> Iterator[None]:
    """A block for torch's exporters, without their remarks to developers; what they raise becomes one line."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # theirs are of every kind
        line = next(iter(str(error).splitlines()), "")
        message = f"torch {torch.__version__} cannot export this network ({type(error).__name__}: {line})"
        raise SegcliError(message, "Try the other --format, or another version of torch.") from error
    finally:
        logging.disable(before)
