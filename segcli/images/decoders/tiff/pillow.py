"""Pillow's share of TIFFs: which pictures it reads right, and one of those that lack data as a raster."""

from typing import BinaryIO

import numpy as np
from PIL import TiffImagePlugin

from segcli.images.colours import to_rgb
from segcli.images.decoders.tiff import codecs as tiff_codecs
from segcli.images.decoders.tiff.bands import extra_samples, is_contradicted
from segcli.images.decoders.tiff.directory import Directory
from segcli.images.decoders.tiff.layout import (
    CHROMA_STEPS,
    CIELAB,
    CMYK,
    COLOR_MAP,
    COMPRESSION,
    FILL_ORDER,
    INK_SET,
    INKS,
    PALETTE,
    PLANAR,
    RGB_COLOURS,
    UNSIGNED,
    YCBCR,
    bits_of,
    format_of,
    orientation_of,
    photometric_of,
    samples_of,
)
from segcli.images.decoders.tiff.metadata import Metadata
from segcli.images.decoders.tiff.segments import has_gaps
from segcli.images.orientation import upright
from segcli.images.raster import Raster

_SEPARATE = 2
_READ = (0, 1, 2, PALETTE, INKS, YCBCR, CIELAB)
"""The photometric interpretations that Pillow knows."""


def is_pillows(directory: Directory) -> bool:
    """Whether a picture is Pillow's alone: colours that it converts right, and old compressions of ordinary ones."""
    if _is_foreign(directory) or (photometric := photometric_of(directory)) not in _READ:
        return False
    if directory.number(COMPRESSION, 1) in tiff_codecs.PILLOW_ONLY:
        return True
    is_right = _CONVERTED.get(photometric)
    return is_right is not None and format_of(directory) == UNSIGNED and not has_gaps(directory) and is_right(directory)


def is_ordinary(directory: Directory, metadata: Metadata) -> bool:
    """Whether Pillow reads the values of a picture as they are: grey, or red, green and blue."""
    bits, samples = bits_of(directory), samples_of(directory)
    if format_of(directory) != UNSIGNED or extra_samples(directory):
        return False
    if _is_foreign(directory) or has_gaps(directory):
        return False
    if photometric_of(directory) == RGB_COLOURS:
        return bits == 8 and samples == 3 and not is_contradicted(directory, metadata)
    return bits in (1, 2, 4, 8) and samples == 1


def shown(file: BinaryIO, directory: Directory, number: int, valid: np.ndarray | None, empty: float | None) -> Raster:
    """The raster of a picture that Pillow makes colours of, upright.

    Args:
        file: The file, seekable.
        directory: The picture's tags.
        number: The picture's number, from 0 on.
        valid: Where its mask says that there is data, bool (H, W) as it is stored; None without a mask.
        empty: The stored value that means no data; None for none.
    """
    file.seek(0)
    image, notes = TiffImagePlugin.TiffImageFile(file), []
    image.seek(number)
    image.load()
    image = image.convert("RGB") if image.mode == "YCbCr" else image
    tests = [] if valid is None else [upright(valid, orientation_of(directory))]
    if empty is not None:
        stored = np.atleast_3d(np.asarray(image))
        tests.append((stored != empty).any(axis=2))
    rgb = np.asarray(to_rgb(image, notes))
    valid = np.logical_and.reduce(tests) if tests else None
    return Raster(rgb, transparent="mask", valid=valid, notes=tuple(notes))


def _is_foreign(directory: Directory) -> bool:
    """Whether Pillow cannot open such files: big-endian BigTIFFs, and compressions that it does not know."""
    return (directory.large and directory.order == ">") or directory.number(COMPRESSION, 1) not in tiff_codecs.PILLOWS


def _are_indices(directory: Directory) -> bool:
    """Whether these are indices of a map of 16-bit values, perhaps with one further band."""
    colours, bits, samples = directory.numbers(COLOR_MAP), bits_of(directory), samples_of(directory)
    few = samples == 1 or (samples == 2 and bits == 8 and _are_together(directory))
    return few and bits in (1, 2, 4, 8) and (not colours.any() or colours.max() > 255)


def _are_inks(directory: Directory) -> bool:
    """Whether these are CMYK without alpha; where the bands lie apart, those of 8 bits alone."""
    bits, samples, extra = bits_of(directory), samples_of(directory), extra_samples(directory)
    if directory.number(INK_SET, CMYK) != CMYK or directory.number(FILL_ORDER, 1) != 1:
        return False
    if not extra and samples == 4:
        return bits == 8 or (bits == 16 and _are_together(directory))
    return bits == 8 and _are_together(directory) and 4 < samples <= 6 and bool(extra) and not any(extra)


def _are_lab(directory: Directory) -> bool:
    return bits_of(directory) == 8 and samples_of(directory) == 3 and _are_together(directory)


def _are_luma_and_chroma(directory: Directory) -> bool:
    """Whether YCbCr is compressed, which libtiff converts, or has a chroma of each pixel."""
    thinned = bool((directory.numbers(CHROMA_STEPS, 2) > 1).any())
    return directory.number(COMPRESSION, 1) != tiff_codecs.NONE or not thinned


def _are_together(directory: Directory) -> bool:
    """Whether the bands of a pixel lie side by side, the highest bit of each byte first."""
    return directory.number(PLANAR, 1) != _SEPARATE and directory.number(FILL_ORDER, 1) == 1


_CONVERTED = {PALETTE: _are_indices, INKS: _are_inks, YCBCR: _are_luma_and_chroma, CIELAB: _are_lab}
"""Photometric interpretation -> whether Pillow makes the right colours of such a picture."""
