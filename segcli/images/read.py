"""Reading photos: what a camera, scanner, microscope or robot wrote, as uint8 red, green, blue, upright, in sRGB."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from segcli.errors import InputError
from segcli.files import formats
from segcli.files.paths import shown
from segcli.images.colours import ValueRange, note_on_deep_colour, to_rgb

MAX_PIXELS = 200_000_000
"""The pixels above which a file is refused before it is decoded; the largest camera sensors have about as many."""

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
"""The orientations that exchange width and height."""
_CONVERT = "Convert it to PNG or JPEG."
_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706


@dataclass(frozen=True)
class Photo:
    """A decoded picture.

    Attributes:
        rgb: uint8 (H, W, 3), writable.
        notes: What the reader had to decide and the user may want to decide otherwise, a sentence each.
    """

    rgb: np.ndarray
    notes: tuple[str, ...] = ()


def read_rgb(path: str | Path, value_range: ValueRange = None, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture as `read_photo` does, without its notes: uint8 (H, W, 3)."""
    return read_photo(path, value_range, max_pixels).rgb


def read_photo(
    path: str | Path, value_range: ValueRange = None, max_pixels: int = MAX_PIXELS, page: int | None = None
) -> Photo:
    """Decode a picture of any format of `formats` that has a decoder, by its content; of several frames, the first.

    It is turned upright by its EXIF orientation. Transparent pixels are laid over white. Colours with an ICC profile
    other than sRGB are converted to sRGB. Grey becomes three equal channels. Of 16 bits a colour the high 8 are read.

    Args:
        path: The file.
        value_range: For grey pictures of more than 8 bits: (low, high) become black and white; "auto" takes the 0.1
            and 99.9 percentiles; None takes 0..65535 for integers and 0..1 for floating point, "auto" where the
            values do not fit into that. Pictures of 8 bits are left as they are.
        max_pixels: A larger picture is refused.
        page: The frame to read instead of the first, counted from 0.

    Raises:
        InputError: The file is missing, damaged, too large, or no such picture.
    """
    notes: list[str] = []
    with opened(Path(path), max_pixels) as (image, known):
        if page is not None:
            image.seek(page)
            _check(Path(path), image, max_pixels)
        elif known.name == "TIFF" and image.n_frames > 1:
            notes.append(f"Only the first of its {image.n_frames} pages is read; --pages reads them all.")
        return _decoded(image, value_range, notes)


def from_image(image: Image.Image, value_range: ValueRange = None) -> Photo:
    """The photo that a Pillow image holds: upright, in sRGB, as `read_photo` gives it; the image itself is not changed.

    Raises:
        InputError: Its pixels cannot be decoded.
    """
    with _explained(Path(getattr(image, "filename", "") or "the image"), image.format or "picture"):
        return _decoded(image, value_range, [])


def _decoded(image: Image.Image, value_range: ValueRange, notes: list[str]) -> Photo:
    deep = ";16" in str(getattr(image, "tile", ""))
    image.load()
    turn = _UPRIGHT.get(_orientation(image, notes))
    rgb = to_rgb(image, value_range, notes)
    if deep and image.mode == "RGB":
        notes += note_on_deep_colour(rgb)
    return Photo(np.array(rgb if turn is None else rgb.transpose(turn)), tuple(notes))


@contextmanager
def opened(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[tuple[Image.Image, formats.Format]]:
    """Open a picture whose pixels are still to be loaded; whatever goes wrong with it in the block is an InputError."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise InputError(f"{shown(path)} is {_kind(path, mode)}")
        with path.open("rb") as file:
            known = formats.sniff(file.read(formats.HEAD))
            decoder = _decoder(path, known)
            file.seek(0)
            with _explained(path, known.name):
                image = decoder(file, "")
                _check(path, image, max_pixels)
                yield image, known
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}") from error


def upright_size(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The (height, width) that `read_rgb` gives a photo; no pixel is decoded. InputError where it is no photo."""
    with opened(path, max_pixels) as (image, _):
        width, height = image.size
        return (width, height) if _orientation(image, []) in _SIDEWAYS else (height, width)


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
def _explained(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        message = f"{shown(path)} takes more memory to decode than there is"
        raise InputError(message, "Close other programs, or shrink it.") from error
    except Exception as error:  # decoders of damaged files raise anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        hint = "If a viewer opens it, save it from there as PNG; if none does, it is damaged."
        raise InputError(f"{shown(path)} cannot be decoded as {kind}: {reason}", hint) from error


def _decoder(path: Path, known: formats.Format | None) -> Callable[[BinaryIO, str], Image.Image]:
    """Pillow's class for the format, to be called directly: Image.open warns, and has a pixel limit of its own."""
    if known is None:
        raise InputError(f"{shown(path)} is no picture of a format that segcli knows", _CONVERT)
    if not known.pillow:
        raise InputError(f"{shown(path)} is a {known.name} file, which segcli does not read", _CONVERT)
    if known.pillow not in Image.OPEN:
        Image.init()
    if known.pillow == "HEIF" and "HEIF" not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            message = f"{shown(path)} is a HEIC file, which takes an extra package to read"
            raise InputError(message, 'Install segcli\'s extra "heic": pip install pillow-heif') from None
        register_heif_opener()
    return Image.OPEN[known.pillow][0]


def _check(path: Path, image: Image.Image, max_pixels: int) -> None:
    """Refuse, before anything is decoded, what must not or should not be decoded."""
    width, height = image.size
    if width * height > max_pixels:
        count = width * height / 1e6
        megapixels = f"{f'{count:.0f}' if count >= 1 else f'{count:.2g}'} megapixels ({width} x {height})"
        message = f"{shown(path)} has {megapixels}, more than the limit of {max_pixels / 1e6:g}"
        raise InputError(message, "If you trust the file, raise the limit with --max-pixels.")
    tags = getattr(image, "tag_v2", {})
    if _DNG_VERSION in tags or (tags.get(_NEW_SUBFILE_TYPE) == 1 and _SUB_IFDS in tags):
        # Its first page is a thumbnail; the photo itself takes a raw converter.
        raise InputError(f"{shown(path)} is a camera raw file, which segcli does not read", _CONVERT)


def _orientation(image: Image.Image, notes: list[str]) -> int:
    """The EXIF orientation, 1..8; Pillow has applied a TIFF's already when it was loaded, and then says 1."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data make Pillow raise anything, and are no reason to lose a good photo
        notes.append("The EXIF data are damaged, so that the photo is read as it is stored, perhaps not upright.")
        return 1
