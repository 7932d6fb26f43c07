"""Parts: files of one photo each, of which a run makes one of all photos; a disk or a person may have changed them."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from segcli import decoding
from segcli.errors import InputError
from segcli.files.paths import shown


@contextmanager
def understood(part: Path) -> Iterator[None]:
    """A block that reads a part; whatever is wrong with its content is an InputError that names it.

    The photo of a part that is gone is done anew by the same command.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, SyntaxError, RecursionError, msgspec.MsgspecError, csv.Error):
        hint = "Delete it and give the same command again: its photo is done anew."
        raise InputError(f"{shown(part)} is damaged", hint) from None


def load(part: Path, kind: Any) -> Any:
    """The plain values of a part that is JSON, once they fit a type of msgspec's; InputError where they do not."""
    with understood(part):
        values = decoding.parse_json(part.read_bytes())
        msgspec.convert(values, kind)
        return values
