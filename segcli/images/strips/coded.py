"""CodedStrips: PNG, JPEG and JPEG 2000 of any size as rasters of some of their rows, by way of GDAL."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.images.opening import NotReadError, explained
from segcli.images.orientation import orientation
from segcli.images.raster import RGB, Raster
from segcli.images.strips.gdal import GdalValues

_BAND = 256
_PNG = ("L", "LA", "RGB", "RGBA", "P", "P;1", "P;2", "P;4", "I;16B", "LA;16B", "RGB;16B", "RGBA;16B")
"""Pillow's names of the values of PNGs that GDAL gives in the same way."""
_TURNED = "Turn it upright first, or write it as a TIFF in tiles (gdal_translate -co TILED=YES)."
_SAVE = "Write it as a TIFF in tiles: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE -co BIGTIFF=IF_SAFER."


@dataclass(frozen=True)
class _Kind:
    """What is known of a picture before it is decoded: GDAL's driver, its format, its palette and profile."""

    driver: str
    name: str
    colours: np.ndarray | None = None
    profile: bytes = b""


class CodedStrips:
    """A picture of 8 bits, or a PNG of 16, whose rows are decoded one after the other; see `source.Strips`.

    Going back makes GDAL begin again with the first row.

    Args:
        path: The file.
        image: The picture, opened by Pillow.
        kind: What it is.

    Raises:
        NotReadError: It is turned, interlaced, or has colours of another kind.
    """

    def __init__(self, path: Path, image: Image.Image, kind: _Kind):
        self._path, self._kind, self._open = path, kind, ExitStack()
        self.size, self.band = (image.height, image.width), _BAND
        if orientation(image, []) != 1:
            raise NotReadError("a size that takes reading in parts, and turned", _TURNED)
        if "transparency" in image.info:
            raise NotReadError("a size that takes reading in parts, with a transparent colour", _SAVE)
        self._values = self._open.enter_context(GdalValues(path, kind.driver))
        data = self._values.dataset
        if (data.height, data.width) != self.size or len(set(data.dtypes)) != 1:
            self.close()
            raise NotReadError("parts of other sizes or types", _SAVE)

    @classmethod
    def of_png(cls, path: Path, image: Image.Image) -> CodedStrips:
        """The strips of a PNG."""
        if image.tile[0].args not in _PNG:
            raise NotReadError(f"values of the kind {image.tile[0].args}", _SAVE)
        if image.info.get("interlace"):
            raise NotReadError("rows that are interlaced, so that it can only be read whole", _SAVE)
        colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3) if image.mode == "P" else None
        return cls(path, image, _Kind("PNG", "PNG", colours, image.info.get("icc_profile") or b""))

    @classmethod
    def of_jpeg(cls, path: Path, image: Image.Image) -> CodedStrips:
        """The strips of a JPEG."""
        if image.mode not in ("L", "RGB"):
            raise NotReadError(f"{image.mode} colours", "Save it as RGB.")
        return cls(path, image, _Kind("JPEG", "JPEG", profile=image.info.get("icc_profile") or b""))

    @classmethod
    def of_jpeg_2000(cls, path: Path, image: Image.Image) -> CodedStrips:
        """The strips of a JPEG 2000 of 8 bits."""
        if image.mode not in ("L", "RGB"):
            raise NotReadError(f"{image.mode} colours", _SAVE)
        return cls(path, image, _Kind("JP2OpenJPEG", "JPEG 2000", profile=image.info.get("icc_profile") or b""))

    def raster(self, top: int, bottom: int) -> Raster:
        """The values of the rows from `top` to `bottom`, which is left out; InputError where they are damaged."""
        with explained(self._path, self._kind.name):
            values = self._values.rows(top, bottom)
        if self._kind.colours is not None:
            values = self._kind.colours[values[..., 0]]
        colours = RGB if values.shape[2] > 2 else (0,)
        alpha = len(colours) if values.shape[2] > len(colours) else None
        return Raster(values, colours, alpha=alpha, profile=self._kind.profile)

    def close(self) -> None:
        """Close the file."""
        self._open.close()
