"""Colours of a TIFF that Pillow does not read: indices, CMYK, Lab and JPEG's YCbCr as red, green and blue, in sRGB."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from segcli.images.colours import to_rgb
from segcli.images.decoders.tiff.codecs import JPEG
from segcli.images.decoders.tiff.directory import Directory
from segcli.images.decoders.tiff.layout import (
    BLACK_IS_0,
    CIELAB,
    CMYK,
    COLOR_MAP,
    COLOUR_BANDS,
    COMPRESSION,
    HOLES,
    ICCLAB,
    INK_SET,
    INKS,
    PALETTE,
    PLANAR,
    PROFILE,
    RGB_COLOURS,
    WHITE_IS_0,
    YCBCR,
    Layout,
    photometric_of,
    samples_of,
)
from segcli.images.opening import NotReadError

_NUMBERS = (WHITE_IS_0, BLACK_IS_0, RGB_COLOURS, HOLES)
_UNCOMMON = "YCbCr colours that are stored in an uncommon way"
_NAMES = {
    INKS: "CMYK",
    CIELAB: "Lab",
    ICCLAB: "Lab",
    YCBCR: _UNCOMMON,
    10: "ITU Lab colours",
    32844: "LogL brightness",
    32845: "LogLuv colours",
    32803: "a sensor's raw values",
    34892: "a sensor's raw colours",
}
_SAVE = "Save it as RGB."
_8_BITS = "Its colour map has values of 8 bits instead of 16, and is read so."


def are_numbers(directory: Directory) -> bool:
    """Whether the samples are values of bands, such as grey or red, green and blue, and nothing is to be converted."""
    return photometric_of(directory) in _NUMBERS


def check(directory: Directory) -> None:
    """Refuse colours that are not converted here.

    Raises:
        NotReadError: They are such.
        ValueError: The picture has too few bands for its colours.
    """
    photometric, samples = photometric_of(directory), samples_of(directory)
    if photometric not in _CONVERTED:
        raise NotReadError(_NAMES.get(photometric, f"colours of kind {photometric}"), _SAVE)
    if photometric == INKS and directory.number(INK_SET, CMYK) != CMYK:
        raise NotReadError("inks other than cyan, magenta, yellow and black", _SAVE)
    if photometric == YCBCR and not _is_common(directory):
        raise NotReadError(_NAMES[YCBCR], _SAVE)
    if samples < COLOUR_BANDS.get(photometric, 1):
        raise ValueError(f"{samples} bands are too few for {_NAMES[photometric]}")


def _is_common(directory: Directory) -> bool:
    """Whether YCbCr is JPEG's, which its decoder converts."""
    together = directory.number(PLANAR, 1) == 1 and samples_of(directory) == COLOUR_BANDS[YCBCR]
    return together and directory.number(COMPRESSION, 1) == JPEG


def converted(directory: Directory, layout: Layout, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """The colours of a picture that passed `check`, uint8 (H, W, 3) in sRGB.

    Args:
        directory: Its tags.
        layout: What they say about the values.
        values: The values as they are stored, (H, W, C).
        notes: Takes remarks.

    Raises:
        NotReadError: The values have another number of bits than is read.
        ValueError: The colour map is damaged.
    """
    image = _CONVERTED[photometric_of(directory)](directory, layout, values, notes)
    if profile := directory.data(PROFILE):
        image.info["icc_profile"] = profile
    return np.array(to_rgb(image, notes))


def high_bytes(values: np.ndarray) -> np.ndarray:
    """Unsigned values of 8 or 16 bits as those of 8."""
    return values if values.dtype == np.uint8 else (values >> 8).astype(np.uint8)


def _of_indices(directory: Directory, layout: Layout, values: np.ndarray, notes: list[str]) -> Image.Image:
    if layout.dtype.kind != "u" or layout.bits > 16:
        raise NotReadError(f"indices of {layout.dtype}", _SAVE)
    count = 3 * 2**layout.bits
    colours = directory.numbers(COLOR_MAP, count)
    if len(colours) != count:
        raise ValueError(f"its colour map has {len(colours)} of {count} values")
    if colours.max() > 255:
        colours = colours >> 8
    elif colours.any():  # as libtiff reads such maps
        notes.append(_8_BITS)
    table = colours.astype(np.uint8).reshape(3, -1).T
    return Image.fromarray(np.ascontiguousarray(table[values[..., 0]]))


def _of_inks(directory: Directory, layout: Layout, values: np.ndarray, notes: list[str]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(_bytes(directory, layout, values)), "CMYK")


def _of_lab(directory: Directory, layout: Layout, values: np.ndarray, notes: list[str]) -> Image.Image:
    """Pillow takes a and b as signed bytes; those of ICC's Lab are unsigned, and grey is 128."""
    lab = _bytes(directory, layout, values)
    if photometric_of(directory) == ICCLAB:
        lab = lab ^ np.array([0, 128, 128], np.uint8)
    height, width = lab.shape[:2]
    return Image.frombytes("LAB", (width, height), np.ascontiguousarray(lab).tobytes())


def _bytes(directory: Directory, layout: Layout, values: np.ndarray) -> np.ndarray:
    """The high bytes of the bands that are colours."""
    photometric = photometric_of(directory)
    if layout.dtype.kind != "u" or layout.bits not in (8, 16):
        raise NotReadError(f"{_NAMES[photometric]} colours of {layout.dtype}", _SAVE)
    return high_bytes(values[..., : COLOUR_BANDS[photometric]])


def _of_ycbcr(directory: Directory, layout: Layout, values: np.ndarray, notes: list[str]) -> Image.Image:
    return Image.fromarray(values)


_CONVERTED: dict[int, Callable[[Directory, Layout, np.ndarray, list[str]], Image.Image]] = {
    PALETTE: _of_indices,
    INKS: _of_inks,
    CIELAB: _of_lab,
    ICCLAB: _of_lab,
    YCBCR: _of_ycbcr,
}
"""Photometric interpretation -> what makes an image of its values."""
