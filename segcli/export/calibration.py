"""Calibration: the photos on which the ranges of a network's activations are measured. No torch here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segcli.errors import InputError
from segcli.files import sources
from segcli.files.atomic import sha256
from segcli.files.paths import shown
from segcli.images.read import read_rgb
from segcli.images.reading import PhotoReading
from segcli.models.preprocessing import Preprocessing
from segcli.weights.facts import Int8

if TYPE_CHECKING:
    from segcli.export.export import Export

MOST = 32
"""The most photos that are taken, evenly over those that are named: more of them hardly change a range."""


@dataclass(frozen=True)
class Calibration:
    """Photos to calibrate on.

    Attributes:
        photos: Their files.
    """

    photos: tuple[Path, ...]

    @cached_property
    def facts(self) -> Int8:
        """What an 8-bit form that is made with them says of itself."""
        contents = "".join(map(sha256, self.photos))
        return Int8(len(self.photos), hashlib.sha256(contents.encode()).hexdigest())

    @property
    def pages(self) -> list[tuple[Path, None]]:
        """The photos as `photo_values.resolved` takes them."""
        return [(path, None) for path in self.photos]

    def inputs(self, preprocessing: Preprocessing, export: Export, reading: PhotoReading) -> Iterator[np.ndarray]:
        """An export's input for each photo, prepared as `predict` would; InputError where one cannot be read.

        Args:
            preprocessing: The model's.
            export: What takes them.
            reading: How photos are read.
        """
        from segcli.export.verify import inputs

        for path in self.photos:
            try:
                photo = read_rgb(path, reading)
            except InputError as error:
                raise InputError(f"{shown(path)} cannot be calibrated on: {error.message}", error.hint) from error
            yield next(inputs(photo, preprocessing, export)).numpy()


def of(folder: Path | None = None) -> Calibration:
    """The photos of a folder, or one photo; None means the street scenes that come with segcli.

    Raises:
        UsageError: There is no such folder.
        InputError: There is no photo in it.
    """
    found = [source.path for source in sources.find([_shipped() if folder is None else folder], None).files]
    if not found:
        raise InputError(f"no photos in {shown(folder)}", "Name photos to calibrate on with --calibrate.")
    taken = min(MOST, len(found))
    return Calibration(tuple(found[index * len(found) // taken] for index in range(taken)))


def _shipped() -> Path:
    """The folder of segcli's own photos, in the installed package or in a checkout."""
    installed = Path(__file__).with_name("photos")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "examples" / "photos"
