"""Preprocessing: how a photo becomes the network's input, and how scales round a side."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

from msgspec import Meta

from segcli import decoding
from segcli.decoding import WrongValueError, between
from segcli.models.spec import ModelSpec

Resize = Literal["long", "short", "warp", "none"]
Pad = Literal["square", "stride", "none"]
MAX_SIDE = 16384
"""The most pixels a side of a working size: a damaged file asks for no endless photo."""
STRIDE = 32
"""The largest output stride: sides of 32 n + 1 pixels give every stride whole, corner-aligned feature maps."""
Grey = Annotated[float, between(0, 255)]
Spread = Annotated[float, Meta(gt=0, le=255)]
"""A grey level, and a distance between two that may be divided by."""


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input; it travels with the weights, since other values give other masks.

    Attributes:
        resize: "long" shrinks the long side to `size` and never enlarges (TensorFlow's DeepLab), "short" makes the
            short side `size` (torchvision), "warp" makes both sides `size`, "none" keeps the photo's size.
        size: The working size in pixels; 0 with resize "none".
        pad: The padding on the right and at the bottom: "square" up to size x size, "stride" up to the next 32 n + 1
            pixels a side, "none" not at all.
        pad_value: Grey level of the padding, in 0..255, before normalisation.
        mean: What is subtracted per channel (red, green, blue), in 0..255.
        std: What is divided by per channel (red, green, blue), in 0..255.
        channels: The order in which the network takes the channels.
    """

    resize: Resize = "long"
    size: Annotated[int, between(0, MAX_SIDE)] = 513
    pad: Pad = "square"
    pad_value: Grey = 127.5
    mean: tuple[Grey, Grey, Grey] = (127.5, 127.5, 127.5)
    std: tuple[Spread, Spread, Spread] = (127.5, 127.5, 127.5)
    channels: Literal["RGB", "BGR"] = "RGB"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for a checkpoint's metadata."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`; what is left out has its default.

        Raises:
            DecodingError: A key is unknown, or a value makes no sense.
        """
        made = decoding.decode(cls, data, "preprocessing")
        if (made.size > 0) != (made.resize != "none"):
            wanted = f"a whole number in 1..{MAX_SIDE}, or 0 with resize = 'none'"
            raise WrongValueError("preprocessing.size", made.size, wanted)
        return made


def scaled(side: int, scale: float) -> int:
    """A side of the network's input at a scale, as the papers' multi-scale evaluation rounds it."""
    return int((side - 1) * scale + 1)


def at_size(preprocessing: Preprocessing, size: int | None) -> Preprocessing:
    """The same preprocessing at another working size; 0 keeps the photo's own ("full"), None changes nothing."""
    if size is None:
        return preprocessing
    if size == 0:
        pad = "none" if preprocessing.pad == "none" else "stride"
        return replace(preprocessing, resize="none", size=0, pad=pad)
    resize = "long" if preprocessing.resize == "none" else preprocessing.resize
    return replace(preprocessing, resize=resize, size=size)


def corner(spec: ModelSpec) -> int:
    """The rest of a model's sides by 32: 1 where its scores lie on the corners of cells, 0 where in their middles.

    Caffe's pooling, which rounds up, makes a corner grid also where the enlargement does not align corners.
    """
    return int(spec.align_corners or spec.backbone.pool_ceil)


def fitting(tile: int, corner: int) -> int:
    """The largest side up to `tile` pixels whose scores fall onto the grid of the whole picture: 32 n + corner."""
    return max(STRIDE, (tile - corner) // STRIDE * STRIDE) + corner
