"""Which of the files found are films: videos, and moving pictures where they are asked for."""

from dataclasses import replace
from pathlib import Path

from segcli.errors import InputError
from segcli.files import formats, glance, sources
from segcli.files.sources import Found
from segcli.films.options import FilmKinds
from segcli.images.reading import MAX_PIXELS


def marked(found: Found, kinds: FilmKinds, max_pixels: int = MAX_PIXELS) -> Found:
    """The same files, those that are read as films marked so.

    Args:
        found: What the inputs name or hold.
        kinds: What counts as a film.
        max_pixels: Larger pictures are no moving ones: their reader refuses them.
    """
    if kinds == "none":
        return found

    def may_be(seen: int) -> bool:
        known = glance.format_of(seen)
        moves = kinds == "all" and known is not None and known.name in formats.MOVING
        return seen == glance.UNSEEN or moves or (known is not None and formats.is_film(known))

    hopeful = tuple(map(may_be, range(glance.COUNT)))  # of a million files, few differ
    files = found.files.marked(lambda source: is_film(source.path, kinds, max_pixels), hopeful.__getitem__)
    return replace(found, files=files)


def is_film(path: Path, kinds: FilmKinds = "auto", max_pixels: int = MAX_PIXELS) -> bool:
    """Whether a file is read as a film; False where it cannot be opened."""
    try:
        known = sources.format_of(path) if path.is_file() else None
    except OSError:
        return False
    if known is None or known.name in formats.MOVING:
        return known is not None and kinds == "all" and _moves(path, max_pixels)
    return formats.is_film(known)


def _moves(path: Path, max_pixels: int) -> bool:
    from segcli.images.opening import opened

    try:
        with opened(path, max_pixels) as (image, _):
            return getattr(image, "n_frames", 1) > 1
    except InputError:
        return False
