"""TIFF files that Pillow cannot decode: read by tifffile where it is installed."""

from pathlib import Path

import numpy as np

from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.images.reading import MAX_PIXELS

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of a TIFF file, of a BigTIFF too."""


def is_tiff(path: Path) -> bool:
    """Whether a file is a TIFF by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4) in SIGNATURES
    except OSError:
        return False


def read_tiff(path: Path, reason: InputError) -> np.ndarray:
    """Read a TIFF by tifffile: numbers (H, W), or colours uint8 (H, W, 3 or 4).

    Args:
        path: A file that `is_tiff`.
        reason: Why Pillow did not read it.

    Raises:
        InputError: tifffile is not installed, or does not read it either; it has several pages, or is no mask.
    """
    try:
        import tifffile
    except ImportError:
        hint = 'Install segcli\'s extra "tiff": pip install tifffile imagecodecs; or save the mask as PNG.'
        raise InputError(reason.message, hint) from reason
    try:
        with tifffile.TiffFile(path) as file:
            pages = len(file.pages)
            page = file.pages[0]
            if pages > 1:
                raise several_pages(path, pages)
            if not 0 < page.imagewidth * page.imagelength <= MAX_PIXELS or page.nbytes > 8 * MAX_PIXELS:
                raise InputError(f"{shown(path)} has {page.size} values, more than a mask may have")
            return _arranged(path, page.asarray(), page.axes)
    except InputError:
        raise
    except Exception as error:  # a TIFF can be broken in as many ways as tifffile has exceptions
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{shown(path)} cannot be decoded as TIFF: {message}", "Save it as PNG.") from error


def _arranged(path: Path, pixels: np.ndarray, axes: str) -> np.ndarray:
    """The pixels with their channels last; a single channel is left out."""
    if axes == "SYX":
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2 and pixels.dtype.kind in "buif":
        return pixels
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.dtype == np.uint8:
        return pixels
    raise InputError(f"{shown(path)} holds {pixels.dtype} {pixels.shape}, which is no mask", "Save it as palette PNG.")


def several_pages(path: Path, pages: int) -> InputError:
    """The error for a file with several pictures, of which nobody says which is the mask."""
    message = f"{shown(path)} holds {pages} pictures, and nothing says which is the mask"
    return InputError(message, "Save each page as a file of its own, named like its photo.")
