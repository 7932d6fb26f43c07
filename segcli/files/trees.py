"""What the outputs of a run's files are called: one place in the output tree each."""

# os.path.abspath follows no link, as names of outputs need it, where pathlib's resolve does.
# ruff: noqa: PTH100

import hashlib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

NAME_BYTES = 200
"""A longer output name is shortened, so that a suffix still fits into the 255 bytes of a file name."""


def output_trees(files: Sequence[Path], roots: Sequence[str]) -> list[PurePosixPath]:
    """The outputs' place for each file: its path below the deepest folder that holds all roots, without the suffix.

    Where two outputs of a folder would meet (`x.jpg` and `x.png`, or `x.jpg` and a folder `x.png`), the files keep
    their suffix; where that does not part them (`x.jpg` and `X.jpg` on a disk that ignores case), they get a hash.
    """
    places = _places(files, roots)
    folders = {_key(name) for folder in {p for place in places for p in place.parents} for name in _stems(folder)}
    effort = [0] * len(places)
    while True:
        trees = [_spell(place, level) for place, level in zip(places, effort, strict=True)]
        wanting = defaultdict(list)
        for i, tree in enumerate(trees):
            wanting[_key(tree)].append(i)
        contested = [group for name, group in wanting.items() if len(group) > 1 or name in folders]
        clashes = [i for group in contested for i in group if effort[i] == min(effort[j] for j in group) < 2]
        if not clashes:
            return trees
        for i in clashes:
            effort[i] += 1


def _places(files: Sequence[Path], roots: Sequence[str]) -> list[PurePosixPath]:
    """Each file's path below the deepest folder that holds all roots; below its drive's letter where none does."""
    absolute = [Path(os.path.abspath(path)) for path in files]
    try:
        base = os.path.commonpath(roots)
    except ValueError:  # no roots at all, or several Windows drives
        return [PurePosixPath(path.drive.strip(":\\/"), *path.parts[1:]) for path in absolute]
    return [PurePosixPath(*path.relative_to(base).parts) for path in absolute]


def _spell(place: PurePosixPath, effort: int) -> PurePosixPath:
    """The output's name: the stem (effort 0), the whole name (1), or that with a hash (2 and for overlong names)."""
    name = place.name if effort else place.stem
    encoded = os.fsencode(name)
    if effort < 2 and len(encoded) <= NAME_BYTES:
        return place.with_name(name)
    mark = hashlib.sha256(os.fsencode(str(place))).hexdigest()[:12]
    kept = encoded[: NAME_BYTES - len(mark) - 1].decode(errors="ignore")
    return place.with_name(f"{kept}-{mark}")


def _stems(folder: PurePosixPath) -> Iterator[PurePosixPath]:
    """Every name that a suffix could turn into this folder's: `a.b` for a folder `a.b.png`, and `a`."""
    for i, character in enumerate(folder.name):
        if character == "." and i > 0:
            yield folder.with_name(folder.name[:i])


def _key(tree: PurePosixPath) -> str:
    """Equal for paths that some file system takes for the same one."""
    return unicodedata.normalize("NFC", str(tree).casefold())
