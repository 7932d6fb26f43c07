"""Options of how overlays look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

from typer import Option

from segcli.cli.options.panels import OUTPUT
from segcli.cli.options.parsing import choice
from segcli.images.overlay_style import PLAIN, Legend, OverlayStyle, Palette


@dataclass(frozen=True)
class Overlays:
    """The options of how overlays look."""

    overlay_size: Annotated[
        int, Option("--overlay-size", min=33, help="Longest side of an overlay, in pixels.", rich_help_panel=OUTPUT)
    ] = PLAIN.size
    opacity: Annotated[
        float,
        Option(
            "--opacity",
            min=0,
            max=1,
            help="How strong the colours of an overlay are, 0 to 1.",
            rich_help_panel=OUTPUT,
        ),
    ] = PLAIN.opacity
    outline_only: Annotated[
        bool,
        Option("--outline-only", help="Draw only outlines on an overlay, not the colours.", rich_help_panel=OUTPUT),
    ] = PLAIN.outline_only
    legend: Annotated[
        str,
        Option(
            "--legend",
            parser=choice("--legend", get_args(Legend)),
            metavar="|".join(get_args(Legend)),
            help="The list of classes on an overlay: in a corner, below the photo, or not at all. There is none "
            "where it would be too small to read.",
            rich_help_panel=OUTPUT,
        ),
    ] = PLAIN.legend
    palette: Annotated[
        str,
        Option(
            "--palette",
            parser=choice("--palette", get_args(Palette)),
            metavar="|".join(get_args(Palette)),
            help="The colours of an overlay: those of the masks, or colours that colour-blind people can "
            "tell apart too.",
            rich_help_panel=OUTPUT,
        ),
    ] = PLAIN.palette

    def style(self) -> OverlayStyle:
        """The style that these options come to."""
        return OverlayStyle(self.overlay_size, self.opacity, self.outline_only, self.legend, self.palette)
