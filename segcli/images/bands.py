"""Bands: which bands of a picture become its colours, and whether one of them is alpha."""

import re
from collections.abc import Sequence

import numpy as np

from segcli.errors import InputError
from segcli.images.raster import RGB, Raster
from segcli.images.reading import Alpha, PhotoReading

ALPHA_SHARE = 0.95
"""The share of the values of a true alpha band that are 0 or the largest; near infrared, which files call alpha too,
has hardly any of these."""
SAMPLE = 250_000
LISTED = 12
"""The most bands that a message lists."""


def chosen(raster: Raster, bands: Sequence[str]) -> tuple[int, ...]:
    """The bands, counted from 0, that become grey (one) or red, green and blue (three).

    Args:
        raster: The picture.
        bands: The user's or the model's choice, as for `PhotoReading.bands`; () leaves it to the file.

    Raises:
        InputError: There is no such band, or nothing says which of many to take.
    """
    if bands:
        return tuple(_index(raster, band) for band in bands)
    if raster.colours is not None:
        return raster.colours
    count = raster.values.shape[2]
    message = f"it has {count} bands, and does not say which are red, green and blue"
    raise InputError(message, f"Name the bands: --bands 5,3,2, for example. {_listed(raster)}")


def _index(raster: Raster, band: str) -> int:
    """The index of a band by its number, from 1 on, or its name."""
    count = raster.values.shape[2]
    if band.isascii() and band.isdigit() and 1 <= int(band) <= count:
        return int(band) - 1
    names = [name.casefold() for name in band_names(raster)]
    if band.casefold() in names:
        return names.index(band.casefold())
    message = f"it has {count} band{'s' * (count != 1)}, and none is {band}"
    raise InputError(message, _listed(raster))


def band_names(raster: Raster) -> tuple[str, ...]:
    """The name of each band: the file's own, else the colours'; "" for one without."""
    if any(raster.names):
        return raster.names
    names = [""] * raster.values.shape[2]
    if raster.colours == RGB:
        names[:3] = ["red", "green", "blue"]
    if raster.alpha is not None:
        names[raster.alpha] = "alpha"
    return tuple(names)


def _listed(raster: Raster) -> str:
    """The bands as a sentence, such as "Its bands: 1 red, 2 green, 3 blue, 4"."""
    words = [re.sub(r"\s+", " ", f"{number} {name}").strip() for number, name in enumerate(band_names(raster), 1)]
    more = [f"and {len(words) - LISTED} more"] if len(words) > LISTED else []
    return f"Its bands: {', '.join(words[:LISTED] + more)}."


def transparency(raster: Raster, taken: Sequence[int], reading: PhotoReading) -> tuple[Alpha, tuple[str, ...]]:
    """What is done with the band that the file calls alpha, and remarks on it.

    Without the user's word, and in formats that maps are kept in, it is alpha only where its values are those of alpha:
    near infrared is often called so.

    Args:
        raster: The picture.
        taken: The bands that become colours.
        reading: The user's word.

    Returns:
        "over-white" or "mask"; "ignore" where there is no alpha, or it is not to be looked at.
    """
    if (stated := stated_transparency(raster, taken, reading)) is not None:
        return stated, ()
    values = raster.values[..., raster.alpha]
    sample = _sample(values)
    return judged(raster, sample, bool(sample.any() or values.any()), opaque(raster))


def stated_transparency(raster: Raster, taken: Sequence[int], reading: PhotoReading) -> Alpha | None:
    """The same where the user or the format says it; None where the values decide."""
    if raster.alpha is None or raster.alpha in taken or reading.alpha == "ignore":
        return "ignore"
    return "over-white" if reading.alpha is None and raster.transparent == "over-white" else reading.alpha


def judged(raster: Raster, sample: np.ndarray, used: bool, top: float) -> tuple[Alpha, tuple[str, ...]]:
    """The same by the values of the band that the file calls alpha.

    Args:
        raster: The picture, or some of its rows.
        sample: Values of the band.
        used: Whether any value of it is not 0.
        top: The value of an opaque pixel.
    """
    if not used:
        said = "Its alpha is 0 everywhere, so that the photo is taken as opaque; --alpha mask makes all of it void."
        return "ignore", (said,)
    if np.mean((sample == 0) | (sample == top)) >= ALPHA_SHARE:
        return raster.transparent, ()
    said = f"Band {raster.alpha + 1} is called alpha, but its values are not those of alpha: it is left out; "
    return "ignore", (said + "--alpha mask or over-white takes it for alpha.",)


def opaque(raster: Raster) -> float:
    """The value of an opaque pixel in the alpha band: the type's largest, or the largest that occurs."""
    values = raster.values[..., raster.alpha]
    return opaque_by(values.dtype, largest(values))


def opaque_by(dtype: np.dtype, largest: float) -> float:
    """The same by the type of the values, and the largest of them."""
    if dtype.kind == "u" and dtype == np.uint8:
        return float(np.iinfo(dtype).max)
    return largest


def largest(values: np.ndarray) -> float:
    """The largest of values that are numbers; 1 where there is none."""
    if values.dtype.kind == "u":
        return float(values.max())
    return float(np.nanmax(values)) if values.size else 1.0


def _sample(values: np.ndarray) -> np.ndarray:
    """A part of the values, spread over rows and columns."""
    return values.ravel()[:: sample_step(values.size)]


def sample_step(count: int) -> int:
    """The step from a value of a sample to the next, of so many values in rows; odd, so that all columns are met."""
    return max(1, count // SAMPLE) | 1
