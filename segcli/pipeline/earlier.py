"""Earlier names: which records are of a photo that has another name in the output folder meanwhile."""

from __future__ import annotations

# os.path's realpath answers for looping links, where pathlib's resolve raises.
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from segcli.files.listing import Source
from segcli.files.paths import folded, is_same
from segcli.pipeline.records import Record


def earlier_names(records: Sequence[Record], files: Sequence[Source]) -> set[int]:
    """The numbers of the records whose input is one of the files.

    Args:
        records: Records whose names none of the files has.
        files: The files.
    """
    real = _resolver()
    inputs = (real(Path(record.input)) for record in records)
    paths = (real(source.path) for source in files)
    if len(records) <= len(files):  # the fewer are those that are kept in memory
        known = _by_fold(inputs)
        return {number for path in paths for number, one in known.get(folded(path), ()) if is_same(one, path)}
    known = _by_fold(paths)
    alike = ((number, path, known.get(folded(path), ())) for number, path in enumerate(inputs))
    return {number for number, path, those in alike if any(is_same(path, one) for _, one in those)}


def _by_fold(paths: Iterator[Path]) -> dict[str, list[tuple[int, Path]]]:
    """Paths with their numbers, those together that some disk takes for one."""
    found = defaultdict(list)
    for number, path in enumerate(paths):
        found[folded(path)].append((number, path))
    return found


def _resolver() -> Callable[[Path], Path]:
    """What gives the real path of a file; a folder's own is looked up once."""
    folder = cache(os.path.realpath)

    def real(path: Path) -> Path:
        if path.name in ("", ".."):
            return Path(os.path.realpath(path))
        place = Path(folder(path.parent), path.name)
        return Path(os.path.realpath(place)) if place.is_symlink() else place

    return real
