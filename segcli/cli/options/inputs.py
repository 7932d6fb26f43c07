"""The inputs of a command: names as typed, or a list on stdin or in a file."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from segcli import decoding
from segcli.cli.options.parsing import words
from segcli.errors import UsageError
from segcli.files import sources
from segcli.files.paths import nearest_hint, shown

Inputs = Annotated[
    list[str],
    Argument(metavar="INPUT", help="Photos, folders (with all their subfolders) or quoted globs; - reads a list."),
]


def named(inputs: list[str]) -> list[str]:
    """The inputs; `-` among them stands for the list on stdin."""
    return [name for text in inputs for name in (sources.list_from(sys.stdin.buffer) if text == "-" else [text])]


def _listed(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take the names in a list as the inputs, where the command line gives none."""
    if path is None:
        return None
    try:
        data = decoding.content(path, sources.MOST_LISTED)
        names = sources.list_from(io.BytesIO(data), f"--from-list {shown(path)}")
    except decoding.DecodingError as error:
        hint = error.hint or "Or pass the list on: ... | segcli predict -"
        raise UsageError(f"--from-list {shown(path)}: {error.message}", hint) from error
    except OSError as error:
        hint = "Give a text file." if path.exists() else nearest_hint(path)
        raise UsageError(f"--from-list {shown(path)}: {error.strerror}", hint) from error
    if not names:
        raise UsageError(f"--from-list {shown(path)} names no photo", "It holds the path of a photo in each line.")
    ctx.default_map = {**(ctx.default_map or {}), "inputs": names}
    return path


FromList = Annotated[
    Path | None,
    Option(
        "--from-list",
        metavar="FILE",
        help="Instead of INPUT: a file with the path of a photo in each line, such as the gallery's wrong.txt.",
        callback=_listed,
        is_eager=True,
    ),
]


def patterns(texts: list[str] | None) -> list[str]:
    """The `--exclude` option, which may be given several times: names with commas."""
    return [name for text in texts or () for name in words(text) or (text,)]  # of an empty one is told where it is read


Exclude = Annotated[
    list[str] | None,
    Option(
        "--exclude",
        callback=patterns,
        metavar="PATTERN,...",
        help="Leave out files and folders of these names, at any depth: masks,'*_mask.png'.",
        show_default=False,
    ),
]


def check_one_source(ctx: typer.Context, listed: Path | None) -> None:
    """Refuse photos that are named both here and by a list; UsageError."""
    source = ctx.get_parameter_source("inputs")
    if listed is not None and source is not None and source.name == "COMMANDLINE":
        raise UsageError("--from-list and INPUT both name photos", "Give one of them.")
