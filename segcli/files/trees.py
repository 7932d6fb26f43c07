"""The output tree: one place in it for each file of a run, the same on every file system."""

# os.path.abspath follows no link, as names of outputs need it, where pathlib's resolve does.
# ruff: noqa: PTH100

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path, PurePosixPath

from segcli.files.paths import folded

NAME_BYTES = 200
"""The length in bytes above which an output's name is shortened, so that a suffix fits into a file name's 255."""


def output_trees(files: Sequence[Path], roots: Sequence[str]) -> list[PurePosixPath]:
    """The outputs' place for each file: its path below the deepest folder that holds all roots, without the suffix.

    Where two outputs of a folder would meet (`x.jpg` and `x.png`, or `x.jpg` and a folder `x.png`), the files keep
    their suffix; where that does not part them (`x.jpg` and `X.jpg` on a disk that ignores case), they get a hash.

    Args:
        files: The files, each once.
        roots: The absolute folders where the trees start.
    """
    outputs = [_Output(place) for place in _places(files, roots)]
    folders = {folder for output in outputs for folder in output.place.parents}
    reserved = {folded(name) for folder in folders for name in _could_become(folder)}
    while clashing := _clashing(outputs, reserved):
        for output in clashing:
            output.spelling = _Spelling(output.spelling + 1)
    return [output.tree for output in outputs]


class _Spelling(IntEnum):
    """The ways to name an output after its file; each spelling clashes with fewer names than the one before."""

    STEM = 0
    WHOLE_NAME = 1
    WITH_HASH = 2


@dataclass
class _Output:
    """The outputs of one file: the file's place in the input tree, and the spelling that was reached."""

    place: PurePosixPath
    spelling: _Spelling = _Spelling.STEM

    @property
    def tree(self) -> PurePosixPath:
        name = self.place.stem if self.spelling == _Spelling.STEM else self.place.name
        if self.spelling == _Spelling.WITH_HASH or len(os.fsencode(name)) > NAME_BYTES:
            name = _with_hash(name, self.place)
        return self.place.with_name(name)


def _clashing(outputs: Sequence[_Output], reserved: set[str]) -> list[_Output]:
    """The outputs to be spelled longer: those that share a name or have a reserved one, and can be spelled longer.

    Of outputs that share a name only the ones of the shortest spelling yield; that may be enough for the others.
    """
    by_name = defaultdict(list)
    for output in outputs:
        by_name[folded(output.tree)].append(output)
    yielding = []
    for name, group in by_name.items():
        if len(group) > 1 or name in reserved:
            shortest = min(output.spelling for output in group)
            yielding += [output for output in group if output.spelling == shortest < _Spelling.WITH_HASH]
    return yielding


def _could_become(folder: PurePosixPath) -> Iterator[PurePosixPath]:
    """Every name that a suffix could turn into this folder's: `a.b` for a folder `a.b.png`, and `a`."""
    for i, character in enumerate(folder.name):
        if character == "." and i > 0:
            yield folder.with_name(folder.name[:i])


def _with_hash(name: str, place: PurePosixPath) -> str:
    """The name, cut where it is overlong, with a hash of the whole place at its end."""
    mark = hashlib.sha256(os.fsencode(str(place))).hexdigest()[:12]
    kept = os.fsencode(name)[: NAME_BYTES - len(mark) - 1].decode(errors="ignore")
    return f"{kept}-{mark}"


def _places(files: Sequence[Path], roots: Sequence[str]) -> list[PurePosixPath]:
    """Each file's path below the deepest folder that holds all roots; below its drive's letter where none does."""
    absolute = [Path(os.path.abspath(path)) for path in files]
    try:
        base = os.path.commonpath(roots)
    except ValueError:  # no roots at all, or several Windows drives
        return [PurePosixPath(path.drive.strip(":\\/"), *path.parts[1:]) for path in absolute]
    return [PurePosixPath(*path.relative_to(base).parts) for path in absolute]
