"""How label files of one's own are read, where they could be read in two ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from segcli.cli.options.parsing import Parsed
from segcli.data.reading import Choice, read_void

PANEL = "Folder"


def _void(text: str) -> tuple:
    return read_void(text)


@dataclass(frozen=True)
class ReadingOptions:
    """The options that choose between two readings of label files."""

    void: Annotated[
        tuple | None,
        Option(
            "--void",
            parser=Parsed(_void, "--void"),
            metavar="VALUE,...|none",
            help="What is void (pixels without a label): values of pixels, colours (#rrggbb), or class "
            "names; none: nothing.",
            rich_help_panel=PANEL,
        ),
    ] = None
    as_: Annotated[
        str,
        Option(
            "--as",
            metavar="FORM",
            help="The form of the labels, such as ids, binary, colours, coco, labelme; without it segcli finds out.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = ""
    fill_boxes: Annotated[
        bool, Option("--fill-boxes", help="Fill boxes: each box is the object itself.", rich_help_panel=PANEL)
    ] = False
    skip_empty: Annotated[
        bool, Option("--skip-empty", help="Leave out photos whose label file has no outline.", rich_help_panel=PANEL)
    ] = False
    with_predictions: Annotated[
        bool,
        Option(
            "--with-predictions",
            help="Use predictions as labels too, even if nobody has corrected them.",
            rich_help_panel=PANEL,
        ),
    ] = False

    def choice(self) -> Choice:
        """The values that these options come to."""
        return Choice(self.void, self.as_, self.fill_boxes, self.skip_empty, self.with_predictions)
