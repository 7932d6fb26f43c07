"""Reading photos: what a camera, scanner, microscope or satellite wrote, as uint8 red, green, blue, upright, in sRGB.

The format is decided once, here, by the content; a TIFF's tags decide further. Ordinary pictures of 8 bits go through
Pillow; what it cannot read whole comes as a `Raster` from a decoder of its own.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from segcli.errors import InputError
from segcli.files import formats
from segcli.files.native_output import listened
from segcli.files.paths import shown
from segcli.images.colours import to_rgb
from segcli.images.geo.place import read_place
from segcli.images.headers import DEEP, may_be_deep
from segcli.images.opening import check, explained, open_image, opened_file
from segcli.images.orientation import SIDEWAYS, orientation, upright_image
from segcli.images.photo import Photo, photo_of
from segcli.images.raster import RGB, Raster
from segcli.images.reading import MAX_PIXELS, PLAIN, PhotoReading


def _decoder(kind: str) -> Callable[[Path, int], Raster | None] | None:
    """What decodes those pictures of a format that Pillow does not read whole; None where it reads all of them.

    It gives None for a picture that Pillow reads. A decoder is imported for its own format alone.
    """
    match kind:
        case "PNG":
            from segcli.images.decoders.png import decode
        case "PNM":
            from segcli.images.decoders.pnm import decode
        case "JPEG 2000":
            from segcli.images.decoders.jpeg_2000 import decode
        case "JPEG XL":
            from segcli.images.decoders.jpeg_xl import decode
        case "camera raw":
            from segcli.images.decoders.camera_raw import decode
        case _:
            return None
    return decode


def _sizer(kind: str) -> Callable[[Path, int], tuple[int, int] | None] | None:
    """What tells the (height, width) of pictures of a format of which Pillow does not open all; None where it does.

    It gives None for a picture that Pillow opens.
    """
    match kind:
        case "PNM":
            from segcli.images.decoders.pnm import upright_size
        case "JPEG XL":
            from segcli.images.decoders.jpeg_xl import upright_size
        case "camera raw":
            from segcli.images.decoders.camera_raw import upright_size
        case "TIFF":
            from segcli.images.decoders.tiff.reader import upright_size
        case _:
            return None
    return upright_size


def read_rgb(path: str | Path, reading: PhotoReading = PLAIN) -> np.ndarray:
    """Decode a picture as `read_photo` does, without its notes: uint8 (H, W, 3)."""
    return read_photo(path, reading).rgb


def read_photo(path: str | Path, reading: PhotoReading = PLAIN, page: int | None = None) -> Photo:
    """Decode a picture of any format of `formats` that has a decoder, by its content; of several frames, the first.

    It is turned upright by its EXIF orientation. Colours with an ICC profile other than sRGB are converted to sRGB.
    Grey becomes three equal channels. Transparent pixels of PNG, WebP and GIF are laid over white; those of a TIFF
    have no data, as where it has the no-data value.

    Args:
        path: The file.
        reading: Which bands and values become the colours.
        page: The frame to read instead of the first, counted from 0; of a microscope's stack the plane, z + depth * t,
            instead of the middle one.

    Raises:
        InputError: The file is missing, damaged, too large, or no such picture.
    """
    path = Path(path)
    with opened_file(path) as (file, known), explained(path, known.name):

        def read() -> Photo:
            file.seek(0)
            return _read(path, file, known, reading, page)

        if known.name != "TIFF":
            return read()
        photo, complaints = listened(read)
        return replace(photo, notes=(*photo.notes, *_doubts(complaints)))


def _read(path: Path, file: BinaryIO, known: formats.Format, reading: PhotoReading, page: int | None) -> Photo:
    raster = _raster(path, known, reading, page)
    if raster is None:
        if known.name == "GIF" and page is not None:
            from segcli.images.decoders import gif

            return _decoded(gif.frame(path, page, reading.max_pixels), reading, [])
        image = open_image(path, file, known, reading.max_pixels)
        photo = _decoded(image, reading, _frame(path, image, known, reading, page))
        return photo if page is not None else replace(photo, notes=(*photo.notes, *_motion(image, known)))
    notes = _remarks(path, known, page)
    return _named(path, replace(raster, notes=(*notes, *raster.notes)), reading)


def _doubts(complaints: list[str]) -> list[str]:
    """The note on a file of which a library has printed complaints, though it gave all its pixels."""
    if not complaints:
        return []
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return [f"Parts of it may be wrong; libtiff says of it: {complaints[0].rstrip('.')}{more}."]


def read_placed(path: str | Path, reading: PhotoReading = PLAIN, page: int | None = None) -> Photo:
    """Decode a picture as `read_photo` does, with its place on earth where the file or one beside it says that.

    Raises:
        InputError: As for `read_photo`; nothing that is wrong with the place is one.
    """
    photo = read_photo(path, reading, page)
    place, notes = read_place(Path(path), page)
    if place is not None:
        place = place.of_size(photo.rgb.shape[:2])
    return replace(photo, place=place, notes=(*photo.notes, *notes))


def _named(path: Path, raster: Raster, reading: PhotoReading) -> Photo:
    """The photo that a raster shows; errors begin with the file's name."""
    try:
        return photo_of(raster, reading)
    except InputError as error:
        raise InputError(f"{shown(path)}: {error.message}", error.hint) from error


def read_raster(path: Path, reading: PhotoReading = PLAIN, page: int | None = None) -> Raster | None:
    """The values of a picture of more than 8 bits, or of bands; None for an ordinary one.

    Raises:
        InputError: As for `read_photo`.
    """
    with opened_file(path) as (file, known), explained(path, known.name):
        raster = _raster(path, known, reading, page)
        if raster is not None or known.name not in DEEP:
            return raster
        image = open_image(path, file, known, reading.max_pixels)
        if not _is_deep(image):
            return None
        image.load()
        return _as_raster(image, [])


def read_valid(path: Path, reading: PhotoReading = PLAIN) -> np.ndarray | None:
    """Where a photo has data, bool (H, W); None: everywhere. Only files that can lack data are decoded.

    Raises:
        InputError: As for `read_photo`.
    """
    return read_photo(path, reading).valid if reading.alpha == "mask" or may_be_deep(path) else None


def from_image(image: Image.Image, reading: PhotoReading = PLAIN) -> Photo:
    """The photo that a Pillow image holds: upright, in sRGB, as `read_photo` gives it; the image itself is not changed.

    Raises:
        InputError: Its pixels cannot be decoded.
    """
    with explained(Path(getattr(image, "filename", "") or "the image"), image.format or "picture"):
        return _decoded(image, reading, [])


def _raster(path: Path, known: formats.Format, reading: PhotoReading, page: int | None) -> Raster | None:
    """The values of a picture that Pillow does not read whole; None where it does."""
    if known.name == "TIFF":
        from segcli.images.decoders import stacks

        plain = not reading.bands and reading.alpha is None
        return stacks.decode(path, reading.max_pixels, page, plain)
    decode = _decoder(known.name)
    return decode and decode(path, reading.max_pixels)


def _frame(path: Path, image: Image.Image, known: formats.Format, reading: PhotoReading, page: int | None) -> list[str]:
    """Go to a page of a picture, or note that there are several."""
    if page is not None:
        image.seek(page)
        check(path, image, reading.max_pixels)
    return list(_remarks(path, known, page))


def _remarks(path: Path, known: formats.Format, page: int | None) -> tuple[str, ...]:
    """The notes on what else a TIFF holds."""
    if known.name != "TIFF":
        return ()
    from segcli.images.decoders import stacks

    return tuple(stacks.remarks(path, page))


def _motion(image: Image.Image, known: formats.Format) -> list[str]:
    """The note on a moving picture whose first frame was read; counting fails where a later one is damaged."""
    if known.name not in formats.MOVING:
        return []
    try:
        frames = getattr(image, "n_frames", 1)
    except (EOFError, OSError, SyntaxError, ValueError, IndexError, struct.error):
        return []
    return [f"Only the first of its {frames} frames is read; --films all reads it as a film."] if frames > 1 else []


def _decoded(image: Image.Image, reading: PhotoReading, notes: list[str]) -> Photo:
    image.load()
    if _is_deep(image) or reading.bands or reading.alpha is not None:
        return photo_of(_as_raster(image, notes), reading)
    if _is_empty_alpha(image):
        notes.append("Its alpha is 0 everywhere, so that the photo is taken as opaque.")
        image = image.convert("RGB")
    turn = orientation(image, notes)
    rgb = to_rgb(image, notes)
    if reading.trained:
        low, high = reading.ranges[reading.trained]
        notes.append(f"It has 8 bits; the model was trained on {reading.trained} from {low:g} to {high:g}.")
    return Photo(np.array(upright_image(rgb, turn)), tuple(notes))


def _is_deep(image: Image.Image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def _is_empty_alpha(image: Image.Image) -> bool:
    """Whether a BMP declares an alpha that nothing was ever written to; viewers show such a one opaque."""
    return image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0)


def _as_raster(image: Image.Image, notes: list[str]) -> Raster:
    """A loaded picture as values: grey of many bits, or colours and alpha of 8 bits."""
    turn, profile = orientation(image, notes), image.info.get("icc_profile") or b""
    if _is_deep(image):
        values = np.asarray(image)
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        return Raster(values[..., None], (0,), orientation=turn, notes=tuple(notes))
    image = image.convert("RGB") if _is_empty_alpha(image) else image
    clear = image.has_transparency_data
    if image.mode == "LAB" or not clear:
        profile, image = b"", to_rgb(image, notes)
    values = np.asarray(image.convert("RGBA" if clear else "RGB"))
    alpha = 3 if clear else None
    return Raster(values, RGB, alpha=alpha, profile=profile, orientation=turn, notes=tuple(notes))


def upright_size(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The (height, width) that `read_rgb` gives a photo; no pixel is decoded. InputError where it is no photo."""
    with opened_file(path) as (file, known), explained(path, known.name):
        size = _sizer(known.name)
        if told := size and size(path, max_pixels):
            return told
        image = open_image(path, file, known, max_pixels)
        width, height = image.size
        return (width, height) if orientation(image, []) in SIDEWAYS else (height, width)
