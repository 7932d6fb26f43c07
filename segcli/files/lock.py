"""Lock: what keeps a folder for one process; it ends with the process, however that ends, and leaves no file."""

import os
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None

_held: dict[tuple[int, int], int] = {}
"""Device and inode of the folders that this process has locked -> the open folder."""


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Within the context no other process gets the lock of a folder, which exists; gives whether this one has it.

    Within one process it is given as often as it is asked for. Where the file system knows no locks it is given too.
    """
    place = _place(folder)
    if fcntl is None or place is None or place in _held:
        yield True
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        if _is_free(opened):
            _held[place] = opened
            yield True
        else:
            yield False
    finally:
        _held.pop(place, None)
        os.close(opened)


class Hold:
    """A lock that is kept from one call to another; it ends with the object at the latest."""

    def __init__(self):
        self._close = None

    def take(self, folder: Path) -> bool:
        """Whether this has a folder's lock from now on; True too for a folder that is not there yet."""
        if self._close or not folder.is_dir():
            return True
        with ExitStack() as stack:
            if not stack.enter_context(locked(folder)):
                return False
            self._close = weakref.finalize(self, stack.pop_all().close)
        return True

    def release(self) -> None:
        """Let others have it."""
        if self._close:
            self._close()


def _place(folder: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = folder.stat()
        return found.st_dev, found.st_ino
    return None


def _is_free(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # of a file system without locks
        pass
    return True


def _forget() -> None:
    """Leave the locks to the parent: a child that outlives it, such as one that reads photos, would keep them."""
    for opened in _held.values():
        with suppress(OSError):
            os.close(opened)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
