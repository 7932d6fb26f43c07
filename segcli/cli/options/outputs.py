"""Where a command writes, and how it speaks: the options that every command spells alike."""

from pathlib import Path
from typing import Annotated

from typer import Option

from segcli.cli.options.panels import LOOKS, OUTPUT
from segcli.cli.options.parsing import choice
from segcli.errors import UsageError
from segcli.pipeline.kinds import DEFAULT_KINDS
from segcli.storage.address import Address, is_address, parse, plain

DEFAULT_SAVE = ",".join(DEFAULT_KINDS)
"""The default of `--save`, as it would be typed."""


def _local(text: str | Path) -> Path:
    """A folder of this computer."""
    if is_address(text):
        raise UsageError(f"--output {plain(text)}: this command writes to this computer alone", "Name a folder of it.")
    return Path(text)


def _local_or_stored(text: str | Path | Address) -> Path | Address:
    """A folder of this computer, or of a store."""
    return parse(text) if is_address(text) else text if isinstance(text, Address) else Path(text)


Output = Annotated[
    Path,
    Option("--output", "-o", parser=_local, metavar="DIR", help="Where the results go.", rich_help_panel=OUTPUT),
]
OutputOrStore = Annotated[
    object,
    Option(
        "--output",
        "-o",
        parser=_local_or_stored,
        metavar="DIR|ADDRESS",
        help="Where the results go: a folder, or s3://BUCKET/FOLDER.",
        rich_help_panel=OUTPUT,
    ),
]
OptionalOutput = Annotated[
    Path | None,
    Option("--output", "-o", metavar="DIR", help="Where pictures and tables go.", rich_help_panel=OUTPUT),
]
MinArea = Annotated[
    int,
    Option(
        "--min-area",
        min=0,
        metavar="PIXELS",
        help="Leave smaller regions out of label files and objects, but not out of masks.",
        rich_help_panel=OUTPUT,
    ),
]
FillHoles = Annotated[
    bool,
    Option(
        "--fill-holes",
        help="Fill background that one region surrounds, in label files and objects, but not in masks.",
        rich_help_panel=OUTPUT,
    ),
]
GeoJsonCoordinates = Annotated[
    str,
    Option(
        "--geojson-crs",
        parser=choice("--geojson-crs", ("wgs84", "own")),
        metavar="wgs84|own",
        help="Coordinates of polygons on a map: longitude and latitude, or the photo's own.",
        rich_help_panel=OUTPUT,
    ),
]
AsJson = Annotated[
    bool,
    Option("--json", help="Print one JSON object on stdout, and nothing else on stdout.", rich_help_panel=LOOKS),
]
Quiet = Annotated[
    bool,
    Option("--quiet", "-q", help="Show no progress, only errors.", rich_help_panel=LOOKS),
]
