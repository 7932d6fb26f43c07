"""Taken: when a photo was taken, as the camera's EXIF data say."""

from datetime import datetime
from pathlib import Path

from segcli.errors import InputError
from segcli.images.opening import opened

_EXIF, _TAKEN, _CHANGED = 0x8769, 0x9003, 0x0132


def taken(path: Path) -> datetime | None:
    """The moment at which a photo was taken, by the camera's clock; None where its EXIF data do not tell.

    No pixel is decoded. Formats that Pillow does not read, and damaged EXIF data, tell nothing.
    """
    try:
        with opened(path) as (image, _):
            tags = image.getexif()
            text = tags.get_ifd(_EXIF).get(_TAKEN) or tags.get(_CHANGED)
    except InputError:
        return None
    try:
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
