"""JPEG XL, decoded by imagecodecs: 8 or 16 bits or floating point, upright."""

from pathlib import Path

from segcli.files import formats
from segcli.images.decoders.jpeg_xl_header import read_header
from segcli.images.opening import check_size, explained
from segcli.images.raster import RGB, Raster

_KIND = "JPEG XL"
_HEAD = 1 << 22
"""The bytes of a file in which its header must lie; EXIF data may stand before it."""
_OTHER_COLOURS = "Its colours have a profile or a space of their own, but are read as sRGB."


def decode(path: Path, max_pixels: int) -> Raster:
    """The values of a JPEG XL, of several frames the first: uint8, uint16 or float32 (H, W, 1..4), upright.

    The last of 2 and 4 bands is alpha.

    Raises:
        InputError: The file is damaged or too large, or the extra "jxl" is not installed.
    """
    try:
        from imagecodecs import jpegxl_decode
    except ImportError:
        raise formats.JXL.missing(path, _KIND) from None
    with path.open("rb") as file, explained(path, _KIND):
        header = read_header(file.read(_HEAD))
        check_size(path, header.width, header.height, max_pixels)
        file.seek(0)
        values = jpegxl_decode(file.read(), index=0)
        values = values[..., None] if values.ndim == 2 else values
        bands = values.shape[2]
        return Raster(
            values,
            RGB if bands > 2 else (0,),
            alpha=bands - 1 if bands in (2, 4) else None,
            premultiplied=header.premultiplied,
            notes=() if header.srgb else (_OTHER_COLOURS,),
        )


def upright_size(path: Path, max_pixels: int) -> tuple[int, int]:
    """The (height, width) that `decode` gives; no pixel is decoded. InputError where it is none or too large."""
    with path.open("rb") as file, explained(path, _KIND):
        header = read_header(file.read(_HEAD))
    check_size(path, header.width, header.height, max_pixels)
    size = (header.height, header.width)
    return size[::-1] if header.orientation > 4 else size
