"""Opening a film: which reader it takes, by its content."""

from pathlib import Path

from segcli.files import formats, sources
from segcli.films.animation import Animation
from segcli.films.frame import Film
from segcli.films.video import Video
from segcli.images.reading import MAX_PIXELS


def open_film(path: Path, max_pixels: int = MAX_PIXELS) -> Film:
    """The reader of a film.

    Raises:
        InputError: It cannot be read, is no film, its frames are too large, or it takes an extra package.
        OSError: It cannot be opened.
    """
    known = sources.format_of(path)
    return Animation(path, max_pixels) if known and known.name in formats.MOVING else Video(path, max_pixels)
