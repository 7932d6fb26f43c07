"""TIFF files of masks that Pillow cannot decode: values of any type, in any layout."""

from pathlib import Path

import numpy as np

from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.images.decoders.tiff import reader as tiff
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


def read_tiff(path: Path) -> np.ndarray:
    """Read a TIFF as it is stored: numbers (H, W), or colours uint8 (H, W, 3 or 4).

    Args:
        path: A file that `is_tiff`.

    Raises:
        InputError: It is damaged, takes a package that is not installed, has several pages, or is no mask.
    """
    if (pages := len(tiff.pictures(path))) > 1:
        raise several_pages(path, pages)
    pixels = tiff.read_stored(path, MAX_PIXELS)
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    if pixels.shape[2] in (3, 4) and pixels.dtype == np.uint8:
        return pixels
    raise InputError(
        f"{shown(path)} holds {pixels.dtype} {pixels.shape}, which is not a mask", "Save it as palette PNG."
    )


def several_pages(path: Path, pages: int) -> InputError:
    """The error for a file with several pictures, of which nobody says which is the mask."""
    message = f"{shown(path)} holds {pages} pictures, and nothing says which is the mask"
    return InputError(message, "Save each page as a file of its own, named like its photo.")
