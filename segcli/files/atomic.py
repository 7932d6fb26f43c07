"""Atomic writes: a file is there whole or not at all, and on the disk before anything relies on it; and its SHA-256."""

import errno
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from segcli.errors import InputError, SegcliError
from segcli.files.paths import shown

PARTIAL = ".segcli-{}.part"
"""The name of a file that is being written; one that a killed run left behind is hidden and so never read."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The errors of a full disk, a full quota, and a limit on the size of files."""
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM)
"""The errors of a file system that cannot be asked to bring a file or a folder to the disk."""

_unfinished: set[Path] = set()
_hashes: ContextVar[dict[Path, str] | None] = ContextVar("_hashes", default=None)


class _Unfinished(io.RawIOBase):
    """A file that is being written, without a descriptor for C code: Pillow's would lose what a full disk cuts off.

    Attributes:
        failure: The first error, which a library may have hidden: torch's zip writer reports one of its own.
        hash: Of what was written so far; None where nobody asks, or it was not written from front to back.
    """

    def __init__(self, path: Path):
        super().__init__()
        self._file = path.open("xb", buffering=0)
        self.failure: OSError | None = None
        self.hash = None if _hashes.get() is None else hashlib.sha256()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        before = self._file.tell()
        place = self._file.seek(offset, whence)
        self.hash = self.hash if place == before else None
        return place

    def write(self, data: bytes) -> int:
        """Write some of the data, as the system does; the buffer above asks again for the rest."""
        with self._remembered():
            count = os.write(self._file.fileno(), data)
        if self.hash is not None:
            self.hash.update(memoryview(data)[:count])
        return count

    def sync(self) -> None:
        """Bring what was written to the disk."""
        with self._remembered():
            _sync(self._file.fileno())

    def close(self) -> None:
        if not self.closed:
            with self._remembered():
                self._file.close()  # some file systems tell here that they are full
            super().close()

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
            raise


@contextmanager
def write_whole(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at `path` complete, or not at all; missing folders are made.

    What was written goes to a file of another name in the same folder, which takes the place of `path` when the block
    ends and vanishes when it raises. OSError (a full disk, a folder without write permission) is the caller's; where
    the file could not be written, its `filename` is `path`.

    Args:
        path: The file.
        durable: Bring it to the disk before it takes its name, so that a loss of power leaves the old one or the new.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(PARTIAL.format(uuid4().hex))
    _unfinished.add(partial)
    try:
        with _about(path):
            raw = _Unfinished(partial)
        with _closed(raw, path) as file:
            yield file
            file.flush()
            if durable:
                raw.sync()
        with _about(path):
            partial.replace(path)
        if raw.hash is not None:
            _hashes.get()[path] = raw.hash.hexdigest()
        if durable:
            _sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        _unfinished.discard(partial)


@contextmanager
def write_under(path: Path) -> Iterator[Path]:
    """A name under which a library that opens files itself writes one, which appears at `path` whole or not at all.

    Missing folders are made; OSError is the caller's, as for `write_whole`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(PARTIAL.format(uuid4().hex))
    _unfinished.add(partial)
    try:
        yield partial
        with _about(path):
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        _unfinished.discard(partial)


@contextmanager
def _closed(raw: _Unfinished, path: Path) -> Iterator[BinaryIO]:
    """A buffer above the file, closed at the end; an error of the file's own is told as such."""
    try:
        with io.BufferedWriter(raw) as file:
            yield file
    except Exception as error:
        if raw.failure is None:
            raise
        raise _named(raw.failure, path) from error


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Within it, an OSError names that file, not the unfinished one."""
    try:
        yield
    except OSError as error:
        raise _named(error, path) from error


def _named(error: OSError, path: Path) -> OSError:
    return OSError(error.errno, error.strerror or str(error), str(path)) if error.errno else error


@contextmanager
def hashing() -> Iterator[dict[Path, str]]:
    """A block that keeps the SHA-256 of what its thread writes whole: path -> 64 hex digits.

    They are made of what is written, not of what a disk gives back. A file that is not written from front to back, such
    as a zip archive, is left out.
    """
    token = _hashes.set(found := {})
    try:
        yield found
    finally:
        _hashes.reset(token)


def append_lines(path: Path, lines: bytes) -> int:
    """Append whole lines to a file, all or none of them; one that a crash has torn is ended by a newline first.

    Returns:
        The byte of the file at which they begin.

    Raises:
        OSError: The file cannot be written to; its `filename` is `path`.
    """
    with _about(path), path.open("ab+", buffering=0) as file:
        begin = end = file.tell()
        if end and not _ends_whole(file):
            lines, begin = b"\n" + lines, end + 1
        try:
            _write_all(file, lines)
        except BaseException:
            with suppress(OSError):
                file.truncate(end)
            raise
        return begin


def _ends_whole(file: io.FileIO) -> bool:
    file.seek(-1, io.SEEK_END)
    return file.read(1) == b"\n"


def _write_all(file: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file.fileno(), left) :]


def sync(paths: Iterable[Path]) -> None:
    """Bring files, and their names in their folders, to the disk; OSError where one is gone or the disk fails."""
    files = list(paths)
    for path in files:
        with _about(path), path.open("rb" if os.name == "posix" else "r+b") as file:
            _sync(file.fileno())
    for folder in {path.parent for path in files}:
        _sync_folder(folder)


def _sync(descriptor: int) -> None:
    try:
        getattr(os, "fdatasync", os.fsync)(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def clear_unfinished() -> None:
    """Remove what is half written now, for a process that ends at once."""
    for partial in tuple(_unfinished):
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits; InputError for a pipe or a device, which may never end."""
    if not path.is_file() and path.exists():
        raise InputError(f"{shown(path)} is a pipe or a device, not a file", "Save its content to a file first.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn an OSError from writing into an output folder into one clear line with a next step, a SegcliError.

    The line names the file where the error does, else the folder.
    """
    try:
        yield
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else folder
        raise SegcliError(f"cannot write to {shown(place)}: {error.strerror or error}", next_step(error)) from error


def next_step(error: OSError) -> str:
    """What a person can do about a file that could not be written, as a sentence."""
    if error.errno in FULL:
        limit = " or raise the limit on the size of files (ulimit -f)" if error.errno == errno.EFBIG else ""
        return f"Free some space{limit} and give the same command again: what is done is kept."
    if error.errno == errno.ENOENT:
        return "Somebody has removed it meanwhile. Give the same command again, which makes what is missing."
    return "Name another folder with --output."
