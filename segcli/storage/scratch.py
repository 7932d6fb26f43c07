"""Scratch: a folder of this computer for what is on its way from or to a store; nothing of it stays."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path

from segcli.errors import SegcliError
from segcli.files.lock import Hold, locked

PREFIX = "segcli-store-"
ABANDONED = 3600.0
"""A folder that nobody has used for so many seconds, and nobody has locked, belongs to no process that still lives."""
HEADROOM = 64 << 20
"""The bytes of the disk to leave free."""


class Scratch:
    """A folder below the system's temporary one (TMPDIR), locked while it is in use; removed by `close`, or with it.

    What processes that were killed have left there is removed when the next one is made.

    Raises:
        SegcliError: It cannot be made.

    Attributes:
        folder: The folder.
    """

    def __init__(self):
        clear_left()
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        except OSError as error:
            message = f"no temporary folder can be made for what comes from the store: {error.strerror or error}"
            raise SegcliError(message, "Set TMPDIR to a folder of yours with room for some photos.") from error
        self._hold = Hold()
        self._hold.take(self.folder)
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def require(self, size: int) -> None:
        """SegcliError unless so many bytes fit; marks the folder as in use."""
        os.utime(self.folder)
        free = shutil.disk_usage(self.folder).free
        if free < size + HEADROOM:
            room = f"{self.folder.parent}: {free / 1e6:.0f} MB are free"
            message = f"{size / 1e6:.0f} MB from the store do not fit into {room}"
            raise SegcliError(message, "Free some space, or set TMPDIR to another disk.")

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        self._remove()
        self._hold.release()


def clear_left() -> None:
    """Remove the folders of processes that are no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > ABANDONED and folder.is_dir() and not folder.is_symlink():
                _clear(folder)


def _clear(folder: Path) -> None:
    with locked(folder) as is_ours:
        if is_ours:
            shutil.rmtree(folder, ignore_errors=True)
