"""Atomic writes: a file is there whole or not at all; and a file's SHA-256."""

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from segcli.errors import InputError, SegcliError
from segcli.files.paths import shown

PARTIAL = ".segcli-{}.part"
"""The name of a file that is being written; one that a killed run left behind is hidden and so never read."""


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at `path` complete, or not at all; missing folders are made.

    What was written goes to a file of another name in the same folder, which takes the place of `path` when the block
    ends and vanishes when it raises. OSError (a full disk, a folder without write permission) is the caller's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(PARTIAL.format(uuid4().hex))
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits; InputError for a pipe or a device, which may never end."""
    if not path.is_file() and path.exists():
        raise InputError(f"{shown(path)} is a pipe or a device, not a file", "Save its content to a file first.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn an OSError from writing into an output folder into one clear line with a next step, a SegcliError."""
    try:
        yield
    except OSError as error:
        hint = "Name another folder with --output."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "Free some space and give the same command again: what is done is kept."
        raise SegcliError(f"cannot write to {shown(folder)}: {error.strerror or error}", hint) from error
