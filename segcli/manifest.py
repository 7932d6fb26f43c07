"""weights_manifest.toml -> WeightsEntry: which weights exist, where, under which licence and for which pictures."""

from dataclasses import dataclass
from typing import Literal

Resize = Literal["long", "short", "warp", "none"]
Pad = Literal["square", "stride", "none"]


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
