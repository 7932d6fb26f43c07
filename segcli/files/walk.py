"""Walking: the files of folders, each real folder once, and what tells one file from all others."""

# os.path's realpath answers for looping links, where pathlib's resolve raises.

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path

from segcli.files.paths import folded


def walk(
    roots: Sequence[Path],
    is_result: Callable[[str], bool],
    is_left_out: Callable[[str], bool] = lambda folder: False,
) -> Iterator[tuple[Path, list[str]]]:
    """Each folder below the roots with its files that are not hidden; linked folders last: real ones keep their names.

    A folder that cannot be listed is a file of the one above it.

    Args:
        roots: The folders.
        is_result: Whether a real folder is left out, with all that it holds.
        is_left_out: The same of a folder by its name below the roots, links not followed.
    """
    folders = deque(path for path in roots if not path.is_symlink())
    linked = deque(path for path in roots if path.is_symlink())
    seen, identities = set(), Identities()
    while folders or linked:
        here = (folders or linked).popleft()
        if (identity := identities.folder(here)) in seen or is_result(os.path.realpath(here)):
            continue
        seen.add(identity)
        names, inner = [], []
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        _sort_in(entry, names, inner)
        except OSError:
            yield here.parent, [here.name]
            continue
        for path in sorted(here / name for name in inner if not is_left_out(str(here / name))):
            (linked if path.is_symlink() else folders).append(path)
        yield here, names


def _sort_in(entry: os.DirEntry, names: list[str], folders: list[str]) -> None:
    """Put an entry to the files or to the folders; a link that leads in a circle is neither, nor are pipes."""
    try:
        if entry.is_dir():
            folders.append(entry.name)
        elif entry.is_file():
            names.append(entry.name)
    except OSError:
        return


class Identities:
    """What tells one file or folder from all others, also where a disk takes `Trip` and `trip` for one folder."""

    def __init__(self):
        self._folders: dict[Path, Hashable] = {}

    def folder(self, path: Path) -> Hashable:
        """A folder's identity: its number and its real path as any disk reads it; the real path where it has none."""
        if path not in self._folders:
            real = os.path.realpath(path)
            number = number_of(real)
            self._folders[path] = (*number, folded(real)) if number else real
        return self._folders[path]

    def file(self, path: Path) -> Hashable:
        """A file's identity; a link to a file is a file of its own."""
        number = number_of(path)
        return (self.folder(path.parent), *((*number, folded(path.name)) if number else (path.name,)))


def number_of(path: str | Path) -> tuple[int, int] | None:
    """The device and number of a file, folder or link; None where it has none."""
    try:
        facts = os.lstat(path)
    except OSError:
        return None
    return (facts.st_dev, facts.st_ino) if facts.st_ino else None
