"""Overlay style: how an overlay looks, and how large it is."""

from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal

from segcli.decoding import at_least, between, check_option, check_options

OVERLAY_SIZE = 1920
"""The long side of an overlay, at most, in pixels."""
OverlaySize = Annotated[int, at_least(33)]
"""What may be asked for."""
Opacity = Annotated[float, between(0, 1)]
"""From 0, where the photo alone is seen, to 1, where the classes' colours are."""
Legend = Literal["corner", "below", "off"]
"""Where the legend is: in the corner where it hides least, below the photo, or nowhere."""
Palette = Literal["classes", "distinct"]
"""The colours: those of the masks, or colours that are easy to tell apart."""


@dataclass(frozen=True)
class OverlayStyle:
    """How an overlay looks.

    Attributes:
        size: Its long side in pixels, at most; a legend below is not counted.
        opacity: The opacity of the classes' colours, 0..1.
        outline_only: Borders are drawn, and nothing is tinted.
        legend: Where the legend is.
        palette: "classes" are the colours of the masks; "distinct" ones can be told apart on dark photos and by people
            who are colour-blind.

    Raises:
        UsageError: A value cannot be.
    """

    size: OverlaySize = OVERLAY_SIZE
    opacity: Opacity = 0.5
    outline_only: bool = False
    legend: Legend = "corner"
    palette: Palette = "classes"

    def __post_init__(self) -> None:
        check_options(self)

    def of_size(self, size: int | None) -> "OverlayStyle":
        """The same at most so large; None leaves it."""
        if size is None:
            return self
        check_option("overlay_size", size, OverlaySize)
        return replace(self, size=size)

    def shrunk(self, photo: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) of the overlay of a photo, without a legend below it."""
        height, width = photo
        scale = self.size / max(height, width)
        return photo if scale >= 1 else (max(1, round(height * scale)), max(1, round(width * scale)))

    def to_dict(self) -> dict[str, int | float | bool | str | None]:
        """TOML-plain values for run.toml; of all but the size None where nobody has asked for another."""
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self) if one.name != "size"}
        changed = {f"overlay_{name}": None if own == plain else own for name, (own, plain) in values.items()}
        return {"overlay_size": self.size, **changed}


PLAIN = OverlayStyle()
"""The style where nobody has asked for another."""
