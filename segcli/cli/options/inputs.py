"""The inputs of a command: names as typed, or a list on stdin."""

import sys
from typing import Annotated

from typer import Argument

from segcli.files import sources

Inputs = Annotated[
    list[str],
    Argument(metavar="INPUT", help="Photos, folders (with all their subfolders) or quoted globs; - reads a list."),
]


def named(inputs: list[str]) -> list[str]:
    """The inputs; `-` among them stands for the list on stdin."""
    return [name for text in inputs for name in (sources.list_from(sys.stdin.buffer) if text == "-" else [text])]
