"""GDAL: rows of pictures that segcli's own decoders only read whole, by way of rasterio, the extra "raster"."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

CACHE = 64 << 20
"""The bytes of decoded blocks that GDAL keeps."""


class GdalValues:
    """The values of a picture as GDAL decodes them, a context that keeps the file open.

    Args:
        path: The file.
        driver: GDAL's name of its format, so that GDAL takes no other for it.

    Raises:
        rasterio.errors.RasterioError: GDAL cannot open it.
    """

    def __init__(self, path: Path, driver: str):
        self._path, self._driver = path, driver

    def __enter__(self) -> GdalValues:
        import rasterio

        self._context = _opened(rasterio, self._path, self._driver)
        self.dataset = self._context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """The values of the rows from `top` to `bottom`, which is left out: (rows, width, bands)."""
        from rasterio.windows import Window

        values = self.dataset.read(window=Window(0, top, self.dataset.width, bottom - top))
        return np.ascontiguousarray(np.moveaxis(values, 0, 2))


@contextmanager
def _opened(rasterio: Any, path: Path, driver: str) -> Iterator[Any]:
    """A dataset of a local file, whatever its name looks like, in an environment of its own."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            dataset = rasterio.open(path.absolute(), driver=driver)
        with dataset:
            yield dataset
