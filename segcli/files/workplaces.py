"""Workplaces: the hidden folders of an output folder in which films, and pictures done in parts, lie until done.

A run that is killed leaves them to the next one, which goes on there. One that is killed after its last record and
before it has cleared up leaves them for nothing.
"""

import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from segcli.files.listing import Source

GIANTS = ".segcli-giants"
"""The folder of the workplaces of pictures that are done in parts."""
_FILM = ".film-{}"


def of_giant(output: Path, name: str) -> Path:
    """The workplace of a picture that is done in parts."""
    return output / GIANTS / name


def of_film(output: Path, name: str) -> Path:
    """The workplace of a film."""
    return output / _FILM.format(sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12])


def remove(place: Path) -> None:
    """Remove a workplace, and `GIANTS` with the last one in it."""
    shutil.rmtree(place, ignore_errors=True)
    if GIANTS not in place.parts:
        return
    for folder in place.parents:
        try:
            folder.rmdir()
        except OSError:  # another picture's is there
            return
        if folder.name == GIANTS:
            return


def clear(output: Path, files: Iterable[Source], todo: Iterable[Source]) -> None:
    """Remove the workplaces of files that are not to do, and so are done."""
    if not ((output / GIANTS).is_dir() or any(output.glob(_FILM.format("*")))):
        return
    to_do = {source.tree for source in todo}
    for source in files:
        place = (of_film if source.film else of_giant)(output, source.tree.as_posix())
        if source.tree not in to_do and _is_one(place):
            remove(place)


def _is_one(place: Path) -> bool:
    """Whether a folder is a workplace, and does not only hold those of a folder of pictures."""
    return place.is_dir() and any(path.is_file() for path in place.iterdir())
