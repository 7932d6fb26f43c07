"""Preprocessing: how a photo becomes the network's input, and how scales round a side."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from segcli.models.spec import ModelSpec

Resize = Literal["long", "short", "warp", "none"]


Pad = Literal["square", "stride", "none"]


LARGEST = 16384
"""Pixels a side, of a preprocessing's size: a damaged file asks for no endless photo."""
STRIDE = 32
"""The largest output stride: sides of 32 n + 1 pixels give every stride whole, corner-aligned feature maps."""


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input; it travels with the weights, since other values give other masks.

    Attributes:
        resize: "long" shrinks the long side to `size` and never enlarges (TensorFlow's DeepLab), "short" makes the
            short side `size` (torchvision), "warp" makes both sides `size`, "none" keeps the photo's size.
        size: The working size in pixels; 0 with resize "none".
        pad: On the right and at the bottom: "square" up to size x size, "stride" up to the next 32 n + 1 pixels a
            side, "none" not at all.
        pad_value: Grey level of the padding, in 0..255, before normalisation.
        mean: Subtracted per channel (red, green, blue), in 0..255.
        std: Divided by per channel (red, green, blue), in 0..255.
        channels: The order in which the network takes the channels.
    """

    resize: Resize = "long"
    size: int = 513
    pad: Pad = "square"
    pad_value: float = 127.5
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)
    channels: Literal["RGB", "BGR"] = "RGB"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for a checkpoint's metadata."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`; every key must be there.

        Raises:
            ValueError: A key is missing or unknown, or a value makes no sense.
        """
        if set(data) != {f.name for f in fields(cls)}:
            raise ValueError(f"preprocessing has {sorted(data)}")
        for name, choices in (("resize", Resize), ("pad", Pad), ("channels", Literal["RGB", "BGR"])):
            if data[name] not in get_args(choices):
                raise ValueError(f"preprocessing.{name} is {data[name]!r}, not one of {get_args(choices)}")
        size, resized = data["size"], data["resize"] != "none"
        if type(size) is not int or not (0 < size <= LARGEST if resized else size == 0):
            raise ValueError(f"preprocessing.size is {size!r}, not in 1..{LARGEST} (0 with resize none)")
        (r, g, b), (dr, dg, db) = (map(_grey, data[name]) for name in ("mean", "std"))
        if min(dr, dg, db) <= 0:
            raise ValueError("preprocessing.std is not positive")
        rest = {name: data[name] for name in ("resize", "size", "pad", "channels")}
        return cls(mean=(r, g, b), std=(dr, dg, db), pad_value=_grey(data["pad_value"]), **rest)


def _grey(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 255:  # NaN is not either
        raise ValueError(f"preprocessing has {value!r}, not a number in 0..255")
    return float(value)


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
