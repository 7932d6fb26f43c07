"""How photos are read: which bands and values become colours, the same for every command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from segcli.cli.options.parsing import Parsed, bands, choice, value_range
from segcli.images.reading import ALPHAS, MAX_PIXELS, PhotoReading

PANEL = "Photos"


@dataclass(frozen=True)
class Photos:
    """The options of reading photos."""

    value_range: Annotated[
        object | None,
        Option(
            "--range",
            parser=Parsed(value_range, "--range"),
            metavar="auto|LO:HI|model",
            help="For photos of more than 8 bits: the values that become black and white. auto measures them over all "
            "photos; model takes those that the model was trained on.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None
    bands: Annotated[
        tuple | None,
        Option(
            "--bands",
            parser=Parsed(bands, "--bands"),
            metavar="B|R,G,B",
            help="The bands that become grey, or red, green and blue: numbers such as 5,3,2, or names.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None
    alpha: Annotated[
        str | None,
        Option(
            "--alpha",
            parser=choice("--alpha", ALPHAS),
            metavar="|".join(ALPHAS),
            help="Transparent pixels: lay the photo over white, take the colours as they are, or make them void.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None
    max_pixels: Annotated[
        int,
        Option(
            "--max-pixels",
            min=1,
            help="Photos with more pixels are refused; predict does them in parts.",
            rich_help_panel=PANEL,
        ),
    ] = MAX_PIXELS

    def reading(self) -> PhotoReading:
        """The values that these options come to."""
        return PhotoReading(self.value_range, self.bands or (), self.alpha, self.max_pixels)
