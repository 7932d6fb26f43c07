"""Ranges: the values of a picture that become black and white, and the scaling between them to 8 bits."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from segcli.images.raster import FULL, Range

SAMPLE = 1_000_000
"""The number of values, over all pictures together, that percentiles are taken of."""
PERCENTILES = (0.1, 99.9)
"""The shares of the values, in per cent, that "auto" leaves out as dead and hot pixels."""
FLAT = 0.1
"""A picture that uses a smaller share of its range looks flat to a network."""
DEPTHS = (8, 10, 12)
"""The numbers of bits that integers of more bits often hold, and that are nearly black if taken for 16."""
OUTSIDE = 0.05
"""The share of values outside a range from which on a reader says so."""


@dataclass(frozen=True)
class Statistics:
    """The values of one picture, or of several together.

    Attributes:
        low, high: The smallest and the largest of all values that are numbers and data; 0 where there is none.
        sample: At most SAMPLE of these values, evenly spread, in no order.
        whole: Whether the values are integers.
    """

    low: float
    high: float
    sample: np.ndarray
    whole: bool

    @classmethod
    def of(cls, values: np.ndarray, share: int = 1) -> "Statistics":
        """The statistics of numbers, a sample of at most SAMPLE / `share` kept."""
        values = values.ravel()
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
        step = max(1, values.size // max(1, SAMPLE // share))
        return cls(low, high, values[::step].copy(), values.dtype.kind != "f")

    @classmethod
    def together(cls, parts: Iterable["Statistics"]) -> "Statistics":
        """The statistics of several pictures of one kind; there must be one at least."""
        parts = list(parts)
        used = [part for part in parts if part.sample.size] or parts[:1]
        low, high = min(part.low for part in used), max(part.high for part in used)
        return cls(low, high, np.concatenate([part.sample for part in used]), used[0].whole)

    def percentiles(self) -> Range:
        """The range that "auto" takes."""
        low, high = map(float, np.percentile(self.sample, PERCENTILES)) if self.sample.size else (0.0, 0.0)
        return (low, high) if high > low else (low, low + 1)


def likely(values: Statistics) -> tuple[Range, str]:
    """The range that values have where nobody states one, and a sentence on it, empty where it is the plain one.

    Integers: the full 16 bits, or fewer where all values fit into 12 bits or fewer. Floating point: 0..1, or 0..255
    where they look so. What fits into none of these is stretched as "auto" does.
    """
    low, high = values.low, values.high
    if not values.sample.size:
        return (0.0, 1.0), ""
    given = f"values, {low:g} to {high:g},"
    if values.whole and low >= 0 and high <= FULL[1]:
        return _of_integers(low, high, given)
    if not values.whole and low >= 0 and high <= 1:
        return (0.0, 1.0), _if_flat(low, high, 1, given)
    if not values.whole and low >= 0 and 255 * FLAT < high <= 255:
        return (0.0, 255.0), f"The {given} are taken for 8 bits, 0 to 255; --range LO:HI chooses others."
    return values.percentiles(), f"The {given} have no usual white: stretched as --range auto does."


def _of_integers(low: float, high: float, given: str) -> tuple[Range, str]:
    bits = next((bits for bits in DEPTHS if high < 2**bits), 16)
    top = float(2**bits - 1)
    if bits < 16:
        said = f"The {given} are taken for {bits} bits, 0 to {top:g}; --range 0:65535 takes them for 16."
    else:
        fourteen = high < 2**14
        said = f"The {given} are taken for 16 bits; --range 0:16383 takes them for 14." if fourteen else ""
    return (0.0, top), _if_flat(low, high, top, given) or said


def flat(values: Statistics, bounds: Range) -> tuple[str, ...]:
    """A sentence where a picture uses little of its range; () else, and where it holds no number."""
    said = _if_flat(values.low, values.high, bounds[1], f"values, {values.low:g} to {values.high:g},")
    return (said,) if said and values.sample.size else ()


def _if_flat(low: float, high: float, top: float, given: str) -> str:
    if high - low >= top * FLAT:
        return ""
    used = f"{100 * (high - low) / top:.2g} % of the range up to {top:g}"
    return f"The {given} use {used}, so that the network sees little contrast: try --range auto."


def scaled(values: np.ndarray, bounds: Range) -> np.ndarray:
    """uint8 of the values' shape, with `bounds` at 0 and 255, rounded; what is no number becomes 0."""
    if values.dtype == np.uint16:
        return _linear(np.arange(65536, dtype=np.float32), *bounds).take(values, mode="clip")  # no value needs it
    return _linear(values, *bounds)


def _linear(values: np.ndarray, low: float, high: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return _rounded(values, low, high)


def _rounded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if values.dtype.itemsize > 4 or values.dtype.name in ("int32", "uint32"):  # more digits than float32 holds
        result = (values.astype(np.float64) - low) * 255 / (high - low) + 0.5
    else:
        result = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low)) + np.float32(0.5)
    return np.nan_to_num(result, nan=0).clip(0, 255).astype(np.uint8)


def outside(sample: np.ndarray, bounds: Range) -> float:
    """The share, 0..1, of values below or above a range by more than a hundredth of it."""
    margin = (bounds[1] - bounds[0]) / 100
    return float(np.mean((sample < bounds[0] - margin) | (sample > bounds[1] + margin))) if sample.size else 0.0
