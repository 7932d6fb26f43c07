"""Camera raw: the light that a sensor measured (CR2, NEF, ARW, RAF, DNG, ...), developed as the camera would do it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.files import formats
from segcli.images.opening import check_size, explained
from segcli.images.raster import Raster

if TYPE_CHECKING:
    from rawpy import RawPy

_KIND = "camera raw"
_BORDERS = 1.25
"""The pixels of a sensor over those of its photo: a few rows and columns are masked. More is damage."""
_SIDEWAYS = 4
"""The bit of LibRaw's turns that exchanges width and height."""


def decode(path: Path, max_pixels: int) -> Raster:
    """Develop a camera raw file: uint8 (H, W, 3), upright, in sRGB, with the camera's white balance.

    The brightness is not stretched to each photo, so that the photos of a series stay alike.

    Raises:
        InputError: The file is damaged or too large, or the extra "raw" is not installed.
    """
    with _opened(path, max_pixels) as raw:
        return Raster(raw.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=8))


def upright_size(path: Path, max_pixels: int) -> tuple[int, int]:
    """The (height, width) that `decode` gives; no pixel is decoded. InputError as there."""
    with _opened(path, max_pixels) as raw:
        height, width, turned = raw.sizes.iheight, raw.sizes.iwidth, bool(raw.sizes.flip & _SIDEWAYS)
        return (width, height) if turned else (height, width)


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator["RawPy"]:
    """The file opened by LibRaw, its size checked; whatever goes wrong in the block is an InputError."""
    try:
        import rawpy
    except ImportError:
        raise formats.RAW.missing(path, _KIND) from None
    with explained(path, _KIND):
        try:
            with _imread(path) as raw:
                sizes = raw.sizes
                check_size(path, sizes.iwidth, sizes.iheight, max_pixels)
                check_size(path, sizes.raw_width, sizes.raw_height, int(_BORDERS * max_pixels))
                yield raw
        except rawpy.LibRawError as error:
            raise ValueError(_text(error)) from error


def _imread(path: Path) -> "RawPy":
    """The file opened by its name or, where the name is no text, which LibRaw takes alone, after reading it all."""
    import rawpy

    try:
        return rawpy.imread(str(path))
    except UnicodeEncodeError:
        with path.open("rb") as file:
            return rawpy.imread(file)


def _text(error: Exception) -> str:
    """LibRaw's words for what is wrong, which come as bytes."""
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
