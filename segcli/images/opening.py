"""Opening: a picture's file, told apart by its content and opened with its size checked; every error is one line."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from PIL import Image

from segcli.errors import InputError
from segcli.files import formats, headroom
from segcli.files.paths import shown
from segcli.images.reading import MAX_PIXELS

_CONVERT = "Convert it to PNG or JPEG."
_SMALL, _LEAST_BYTES = 25_000_000, 4
"""The pixels that any memory has room for, and the least bytes that each takes: those of its value and colours."""
_CUT_OFF = re.compile("truncated|premature end|unexpected end", re.I)
"""What decoders say of a file of which a part is missing."""
_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706


class NotReadError(ValueError):
    """A file is intact, and holds what segcli does not read; its text says what, such as "Lab colours of 32 bits".

    Attributes:
        hint: The next step.
    """

    def __init__(self, what: str, hint: str = _CONVERT):
        super().__init__(what)
        self.hint = hint


class TooLargeError(InputError):
    """A picture has more pixels or values than are decoded at once."""


@contextmanager
def opened(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[tuple[Image.Image, formats.Format]]:
    """Open a picture whose pixels are still to be loaded; whatever goes wrong with it in the block is an InputError."""
    with opened_file(path) as (file, known), explained(path, known.name):
        yield open_image(path, file, known, max_pixels), known


@contextmanager
def opened_file(path: Path) -> Iterator[tuple[BinaryIO, formats.Format]]:
    """Open a file of a format that segcli reads; whatever is wrong with opening it is an InputError."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise InputError(f"{shown(path)} is {_kind(path, mode)}")
        with path.open("rb") as file:
            head = file.read(formats.HEAD)
            if not head:
                raise InputError(f"{shown(path)} is no picture: it is empty", "Copy it again from where it came from.")
            known = formats.sniff(head)
            if known is None:
                raise InputError(f"{shown(path)} is no picture of a format that segcli knows", _CONVERT)
            file.seek(0)
            yield file, known
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}") from error


def open_image(path: Path, file: BinaryIO, known: formats.Format, max_pixels: int) -> Image.Image:
    """A picture opened by Pillow, its size checked."""
    image = _decoder(path, known)(file, "")
    check(path, image, max_pixels)
    return image


def _kind(path: Path, mode: int) -> str:
    """What a path is that is no file."""
    if not stat.S_ISDIR(mode):
        return "no regular file"
    try:
        os.scandir(path).close()
    except OSError:
        return "a folder that cannot be listed"
    return "a folder, not a photo"


@contextmanager
def explained(path: Path, kind: str) -> Iterator[None]:
    """Within it, whatever a decoder raises is an InputError that names the file; Pillow's own limit is lifted."""
    try:
        with _pillow_limit.lifted():
            yield
    except InputError:
        raise
    except MemoryError as error:
        message = f"{shown(path)} takes more memory to decode than there is"
        raise InputError(message, "Close other programs, or make the photo smaller.") from error
    except NotReadError as error:
        raise InputError(f"{shown(path)} is a {kind} of {error}, which segcli does not read", error.hint) from error
    except Exception as error:  # decoders of damaged files raise anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        if _CUT_OFF.search(reason):
            hint = "Copy it again from where it is whole. A viewer may show the part that is there, with the rest grey."
            raise InputError(
                f"{shown(path)} cannot be decoded as {kind}: it ends before its picture does", hint
            ) from error
        hint = "If a viewer opens it, save it from there as PNG; if none does, it is damaged."
        raise InputError(f"{shown(path)} cannot be decoded as {kind}: {reason}", hint) from error


class _PillowLimit:
    """Pillow's own limit of pixels, out of force while pictures are read that `check` has looked at."""

    def __init__(self):
        self._lock, self._readers, self._limit = Lock(), 0, None

    @contextmanager
    def lifted(self) -> Iterator[None]:
        with self._lock:
            if not self._readers:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if not self._readers:
                    Image.MAX_IMAGE_PIXELS = self._limit


_pillow_limit = _PillowLimit()


def _decoder(path: Path, known: formats.Format | None) -> Callable[[BinaryIO, str], Image.Image]:
    """Pillow's class for the format, to be called directly: Image.open warns, and has a pixel limit of its own."""
    if known is None:
        raise InputError(f"{shown(path)} is no picture of a format that segcli knows", _CONVERT)
    if not known.pillow:
        raise InputError(f"{shown(path)} is a {known.name} file, which segcli does not read", _CONVERT)
    for load in (Image.preinit, Image.init):  # a few decoders, and all sixty, which takes longer than a photo
        if known.pillow not in Image.OPEN:
            load()
    if known.pillow == "HEIF" and "HEIF" not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise formats.HEIC.missing(path, known.name) from None
        register_heif_opener()
    return Image.OPEN[known.pillow][0]


def check(path: Path, image: Image.Image, max_pixels: int) -> None:
    """Refuse, before anything is decoded, what must not or should not be decoded."""
    check_size(path, *image.size, max_pixels)
    tags = getattr(image, "tag_v2", {})
    if _DNG_VERSION in tags or (tags.get(_NEW_SUBFILE_TYPE) == 1 and _SUB_IFDS in tags):
        # Its first page is a thumbnail; the photo itself takes a raw converter.
        raise InputError(f"{shown(path)} is a camera raw file, which segcli does not read", _CONVERT)


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of too many pixels, or of more than memory has room for: the system would end the process."""
    if width * height > max_pixels:
        count = width * height / 1e6
        megapixels = f"{f'{count:.0f}' if count >= 1 else f'{count:.2g}'} megapixels ({width} x {height})"
        message = f"{shown(path)} has {megapixels}, more than the limit of {max_pixels / 1e6:g}"
        raise TooLargeError(message, "If you trust the file, raise the limit with --max-pixels.")
    if width * height > _SMALL and (room := headroom.of_host()) and room.free < width * height * _LEAST_BYTES:
        free, taken = room.free / 1e9, width * height * _LEAST_BYTES / 1e9
        message = f"{shown(path)} takes {taken:.1f} GB of memory or more to decode, and {free:.1f} are free"
        raise TooLargeError(message, "Close other programs and give the same command again, or make the photo smaller.")
