"""The output tree: one place in it for each file of a run, the same on every file system."""

# os.path.abspath follows no link, as names of outputs need it, where pathlib's resolve does.
# ruff: noqa: PTH100

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from pathlib import Path, PurePosixPath

from segcli.files.paths import folded

NAME_BYTES = 200
"""The length in bytes above which an output's name is shortened, so that a suffix fits into a file name's 255."""


def output_names(folders: Sequence[PurePosixPath], numbers: Sequence[int], names: Sequence[str]) -> dict[int, str]:
    """The names of outputs that are not called like their file without its suffix, by the file's place in `names`.

    Where two outputs of a folder would meet (`x.jpg` and `x.png`, or `x.jpg` and a folder `x.png`), the files keep
    their suffix; where that does not part them (`x.jpg` and `X.jpg` on a disk that ignores case), they get a hash.
    Overlong names are cut, and get one too.

    Args:
        folders: The folders' places in the output tree.
        numbers: The number of each file's folder.
        names: The files' names in their folders; each file is there once.
    """
    reserved, groups = _reserved(folders), defaultdict(list)
    for file, folder in enumerate(numbers):
        groups[folder].append(file)
    spelled: dict[int, str] = {}
    for alike in _alike(folders):  # files of several folders, where a disk takes these for one
        files = [file for folder in alike for file in groups.pop(folder, ())]
        group = _Group(files, folders, numbers, names, reserved.get(_key(folders[alike[0]]), frozenset()))
        spelled |= group.spelled()
    return spelled


def stem(name: str) -> str:
    """A file's name without its suffix, as pathlib takes it; the name where that would be a mere dot."""
    dot = name.rfind(".")
    return name[:dot] if 0 < dot < len(name) - 1 and name[:dot] != "." else name


def tree_folders(folders: Sequence[Path], roots: Sequence[str]) -> list[PurePosixPath]:
    """Each folder's place in the output tree: its path below the deepest folder that holds all roots.

    Where no folder does, on several Windows drives, it is the path below the drive's letter.

    Args:
        folders: The folders that hold the files.
        roots: The absolute folders where the trees start.
    """
    absolute = [Path(os.path.abspath(path)) for path in folders]
    try:
        base = os.path.commonpath(roots)
    except ValueError:  # no roots at all, or several Windows drives
        return [PurePosixPath(path.drive.strip(":\\/"), *path.parts[1:]) for path in absolute]
    return [PurePosixPath(*path.relative_to(base).parts) for path in absolute]


class _Spelling(IntEnum):
    """The ways to name an output after its file; each spelling clashes with fewer names than the one before."""

    STEM = 0
    WHOLE_NAME = 1
    WITH_HASH = 2


class _Group:
    """The files of a folder, or of folders that some disk takes for one: only their outputs can meet.

    Args:
        files: The files' places in `names`.
        folders, numbers, names: As for `output_names`.
        reserved: The folded names that belong to folders beside these files.
    """

    def __init__(
        self,
        files: Sequence[int],
        folders: Sequence[PurePosixPath],
        numbers: Sequence[int],
        names: Sequence[str],
        reserved: Iterable[str],
    ):
        self.files = files
        self.folders, self.numbers, self.names = folders, numbers, names
        self.reserved = reserved
        self.longer: dict[int, _Spelling] = {}

    def spelled(self) -> dict[int, str]:
        """The files whose outputs are called otherwise than by the stem of their name."""
        while clashing := self._clashing():
            for file in clashing:
                self.longer[file] = _Spelling(self.longer.get(file, _Spelling.STEM) + 1)
        outputs = ((file, self._output(file)) for file in self.files)
        return {file: output for file, output in outputs if output != stem(self.names[file])}

    def _output(self, file: int) -> str:
        spelling = self.longer.get(file, _Spelling.STEM)
        name = stem(self.names[file]) if spelling == _Spelling.STEM else self.names[file]
        overlong = len(name) > NAME_BYTES // 4 and len(os.fsencode(name)) > NAME_BYTES  # 4 bytes at most for each sign
        if overlong or spelling == _Spelling.WITH_HASH:
            return _with_hash(name, self.folders[self.numbers[file]] / self.names[file])
        return name

    def _clashing(self) -> list[int]:
        """The files to be spelled longer: those that share a name or have a reserved one, and can be spelled longer.

        Of files that share a name only the ones of the shortest spelling yield; that may be enough for the others.
        """
        keys = [folded(self._output(file)) for file in self.files]
        counts = Counter(keys)
        if len(counts) == len(keys) and counts.keys().isdisjoint(self.reserved):
            return []
        by_name = defaultdict(list)
        for key, file in zip(keys, self.files, strict=True):
            if counts[key] > 1 or key in self.reserved:
                by_name[key].append(file)
        return [file for group in by_name.values() for file in self._yielding(group)]

    def _yielding(self, group: list[int]) -> list[int]:
        spellings = [self.longer.get(file, _Spelling.STEM) for file in group]
        shortest = min(spellings)
        pairs = zip(group, spellings, strict=True)
        return [file for file, spelling in pairs if spelling == shortest < _Spelling.WITH_HASH]


def _key(folder: PurePosixPath) -> str:
    """A text that is equal for folders that some disk takes for one."""
    return folded(f"{folder}/") if folder.parts else ""


def _alike(folders: Sequence[PurePosixPath]) -> Iterable[list[int]]:
    """The numbers of the folders, those together that some disk takes for one."""
    alike = defaultdict(list)
    for number, folder in enumerate(folders):
        alike[_key(folder)].append(number)
    return alike.values()


def _reserved(folders: Sequence[PurePosixPath]) -> dict[str, set[str]]:
    """By the key of their parent: the folded names that outputs may not have beside the folders."""
    reserved = defaultdict(set)
    for folder in {place for one in folders for place in (one, *one.parents)}:
        for name in _could_become(folder.name):
            reserved[_key(folder.parent)].add(folded(name))
    return reserved


def _could_become(name: str) -> Iterator[str]:
    """Every name that a suffix could turn into this folder's: `a.b` for a folder `a.b.png`, and `a`."""
    for i, character in enumerate(name):
        if character == "." and i > 0:
            yield name[:i]


def _with_hash(name: str, place: PurePosixPath) -> str:
    """The name, cut where it is overlong, with a hash of the whole place at its end."""
    mark = hashlib.sha256(os.fsencode(str(place))).hexdigest()[:12]
    kept = os.fsencode(name)[: NAME_BYTES - len(mark) - 1].decode(errors="ignore")
    return f"{kept}-{mark}"
