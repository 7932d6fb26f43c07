"""Stored pixels: what the file of a mask holds, before anybody says what its values and colours mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.images.decoders.tiff import reader as tiff
from segcli.images.geo import geotiff
from segcli.images.opening import opened
from segcli.images.reading import MAX_PIXELS

_GREY_RAW_MODE = re.compile(r"L;([24]?)(I?)R?")
_PHOTOMETRIC, _WHITE_IS_ZERO, _COLOR_MAP = 262, 0, 320
_JPEG_IN_TIFF = ("jpeg", "tiff_jpeg")
_INDEXED, _COLOURED, _WITH_ALPHA = ("P", "PA"), ("RGB", "RGBA"), ("LA", "PA", "RGBA")
_NO_MASKS = ("CMYK", "YCbCr", "LAB", "La")


@dataclass(frozen=True)
class Stored:
    """The pixels of a picture as its file stores them.

    Attributes:
        pixels: Values or indices of a palette, (H, W) of uint8, uint16, int32 or float32; or colours, uint8 (H, W, 3).
        palette: The colours of the indices, uint8 (n, 3); None where pixels are no indices.
        alpha: How opaque each pixel is, uint8 (H, W); None where the file does not say.
        white: The value that is shown as white, where a grey picture of integers has one; else 0.
        format: The file's format, such as "PNG".
        keeps_ids: Whether the file holds exactly the values that were written; JPEG does not.
        frames: The number of pictures in the file, of which the first was read; smaller copies of one do not count.
        text: What segcli wrote about the file, by keyword.
    """

    pixels: np.ndarray
    palette: np.ndarray | None = None
    alpha: np.ndarray | None = None
    white: int = 255
    format: str = "PNG"
    keeps_ids: bool = True
    frames: int = 1
    text: Mapping[str, str] = field(default_factory=dict)


def read_stored(path: Path) -> Stored:
    """Decode a picture as it is stored: no palette is applied, nothing stretched, turned or blended.

    Raises:
        InputError: The file is missing or damaged, or holds neither grey, indices nor red, green and blue.
    """
    with opened(path) as (image, known):
        white, inverted = _grey_range(image)
        frames = _frames(path, image, known.name)
        lossy = not known.keeps_ids or image.info.get("compression") in _JPEG_IN_TIFF
        if known.name == "TIFF" and tiff.is_sparse(path):
            return _sparse(path, image, white, not lossy, frames)
        image.load()
        pixels, palette = _pixels(path, image)
        if pixels.ndim == 2 and palette is None:
            pixels = _unstretched(pixels, white, 65535 if image.mode.startswith("I") else 255)
            pixels = white - pixels if inverted else pixels
        return Stored(
            *(pixels, palette, _alpha(image), _white(image.mode, white), known.name, not lossy, frames),
            _texts(path, image, pixels),
        )


def _frames(path: Path, image: Image.Image, name: str) -> int:
    """The number of pictures; those of a PNG or WebP that moves are frames of one."""
    if name == "TIFF":
        return len(tiff.pictures(path))
    return image.n_frames if name == "GIF" else 1


def _sparse(path: Path, image: Image.Image, white: int | None, keeps_ids: bool, frames: int) -> Stored:
    """The pixels of a TIFF that lacks segments, which are 0 or its no-data value; Pillow has only opened it."""
    if image.mode in _NO_MASKS:
        raise _no_mask(path, image)
    values = tiff.read_stored(path, MAX_PIXELS)
    pixels = np.ascontiguousarray(values[..., :3] if image.mode in _COLOURED else values[..., 0])
    planes = np.array(image.tag_v2[_COLOR_MAP]).reshape(3, -1) >> 8 if image.mode in _INDEXED else None
    return Stored(
        *(pixels, None if planes is None else planes.T.astype(np.uint8)),
        *(values[..., -1] if image.mode in _WITH_ALPHA else None, _white(image.mode, white), "TIFF", keeps_ids, frames),
        _texts(path, image, pixels),
    )


def _texts(path: Path, image: Image.Image, pixels: np.ndarray) -> dict[str, str]:
    """What segcli wrote about the file: in text chunks of a PNG, or in GDAL's metadata of a TIFF."""
    if image.format == "TIFF":
        return geotiff.texts_of(path, pixels)
    return {key: text for key, text in image.info.items() if str(key).startswith("segcli:")}


def _grey_range(image: Image.Image) -> tuple[int | None, bool]:
    """The value that a grey file calls white, to which Pillow stretches values, and whether Pillow inverts them.

    It inverts those of a TIFF whose white is 0, as ImageJ writes them; ids are what the file stores.
    """
    parameters = image.tile[0].args if image.tile else None
    if image.format == "PPM" and isinstance(parameters, tuple):
        return parameters[1], False
    raw = parameters[0] if isinstance(parameters, tuple) and parameters else parameters
    match = _GREY_RAW_MODE.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        return None, False
    inverted = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    return {"2": 3, "4": 15}.get(match[1], 255), inverted


def _pixels(path: Path, image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels and the palette of a loaded picture; InputError where it has another mode than masks have."""
    if image.mode in _INDEXED:
        palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return np.array(image.getchannel(0)), palette
    if image.mode in ("1", "L", "LA"):
        return np.array(image.getchannel(0)).astype(np.uint8), None
    if image.mode.startswith("I") or image.mode == "F":
        pixels = np.array(image)
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False), None
    if image.mode in _COLOURED:
        return np.array(image.convert("RGB")), None
    raise _no_mask(path, image)


def _no_mask(path: Path, image: Image.Image) -> InputError:
    return InputError(f"{shown(path)} is a picture of mode {image.mode}, not a mask", "Save it as palette PNG.")


def _unstretched(ids: np.ndarray, white: int | None, stretched: int) -> np.ndarray:
    """The ids that were stretched from 0..white to 0..stretched, as they were."""
    if white is None or white == stretched:
        return ids
    return ((ids.astype(np.int64) * white + stretched // 2) // stretched).astype(ids.dtype)


def _alpha(image: Image.Image) -> np.ndarray | None:
    return np.array(image.getchannel("A")) if image.mode in _WITH_ALPHA else None


def _white(mode: str, stated: int | None) -> int:
    if stated is not None:
        return stated
    return {"1": 1, "I": 0, "F": 0}.get(mode, 65535 if mode.startswith("I;16") else 255)
