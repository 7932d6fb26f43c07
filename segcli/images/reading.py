"""PhotoReading: which bands and which values of a photo become its colours, as a user or a model says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from segcli.decoding import WrongValueError, at_least, check_option
from segcli.errors import UsageError
from segcli.images.raster import Range

MAX_PIXELS = 200_000_000
"""The pixels above which a file is refused before it is decoded; the largest camera sensors have about as many."""
MOST_PIXELS = 10**11
"""The pixels above which none is read in parts either: a damaged or hostile header would be read for days."""
BYTES_A_PIXEL = 16
"""How many bytes of values a picture may have for each pixel that is allowed."""
PixelCount = Annotated[int, at_least(1)]
AUTO = "auto"
ValueRange = Literal["auto"] | Range | None
"""The values of photos of more than 8 bits that become black and white: (low, high); "auto" measures them over all
photos of a run; None takes the model's, else the file's own word, else what the values' type and size suggest."""
Alpha = Literal["over-white", "ignore", "mask"]
ALPHAS: tuple[str, ...] = get_args(Alpha)


@dataclass(frozen=True)
class PhotoReading:
    """How photos are read.

    Attributes:
        value_range: See `ValueRange`. Photos of 8 bits are left as they are.
        bands: The bands that become grey (one) or red, green, blue (three): numbers from 1 on, or names that the file
            gives them; () leaves it to the file.
        alpha: What is done with transparency: "over-white" lays the photo over white, "ignore" takes the colours as
            they are, "mask" makes fully transparent pixels void. None: as the format and the values suggest.
        max_pixels: A photo with more pixels is refused.
        ranges: The range by kind of values, such as "uint16", that was measured over a run's photos, or that a model
            was trained with; used where `value_range` states none.
        trained: The kind of values that the model was trained on, whose range goes before the file's own word; empty
            for none.
        alone: Whether nothing was measured over a run's photos: then a photo whose range nobody states is refused,
            since a range of its own would give colours another meaning from photo to photo.
    """

    value_range: ValueRange = None
    bands: tuple[str, ...] = ()
    alpha: Alpha | None = None
    max_pixels: PixelCount = MAX_PIXELS
    ranges: Mapping[str, Range] = field(default_factory=dict)
    trained: str = ""
    alone: bool = False

    def __post_init__(self):
        bounds = self.value_range
        if bounds not in (None, AUTO) and not (isinstance(bounds, tuple) and _are_two_numbers(bounds)):
            raise UsageError(f"value_range cannot be {bounds!r}", 'Give "auto", or (low, high) with low below high.')
        if self.alpha is not None and self.alpha not in ALPHAS:
            raise UsageError(f"alpha cannot be {self.alpha!r}", f"Choose among {', '.join(ALPHAS)}.")
        if len(self.bands) not in (0, 1, 3):
            raise UsageError(f"{len(self.bands)} bands are named", "Name one (grey) or three (red, green, blue).")
        check_option("max_pixels", self.max_pixels, PixelCount)

    @classmethod
    def of(
        cls, value_range: Any = None, bands: Any = (), alpha: Any = None, max_pixels: int = MAX_PIXELS
    ) -> "PhotoReading":
        """The same of what people write in Python: lists for tuples, numbers for bands, one band for a list of one."""
        bounds = tuple(value_range) if isinstance(value_range, list) else value_range
        listed = [bands] if isinstance(bands, str | int) else list(bands or ())
        return cls(bounds, tuple(str(band) for band in listed), alpha, max_pixels)


PLAIN = PhotoReading()
"""How photos are read where nobody says anything."""


@dataclass(frozen=True)
class PhotoValues:
    """The values of the photos that a model was trained on; a checkpoint without them means 8 bits, red-green-blue.

    Attributes:
        range: The values that became black and white; None where photos had 8 bits.
        kind: The type of the values, such as "uint16"; empty with `range` None.
        bands: The bands that became the colours, as for `PhotoReading.bands`.
    """

    range: Range | None = None
    kind: str = ""
    bands: tuple[str, ...] = ()

    def __post_init__(self):
        if self.range is not None and not is_range(*self.range):
            raise WrongValueError("photos.range", list(self.range), "two numbers, the lower one first")
        if (self.range is None) == bool(self.kind):
            raise WrongValueError("photos.kind", self.kind, "the type of the values exactly where there is a range")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; empty for 8 bits, red-green-blue."""
        values = {"range": self.range and list(self.range), "kind": self.kind, "bands": list(self.bands)}
        return {key: value for key, value in values.items() if value}


RGB_8_BIT = PhotoValues()
"""The values of ordinary photos."""


def _are_two_numbers(bounds: tuple) -> bool:
    return len(bounds) == 2 and all(isinstance(bound, int | float) for bound in bounds) and is_range(*bounds)


def is_range(low: float, high: float) -> bool:
    """Whether these can be the values that become black and white."""
    return -math.inf < low < high < math.inf


def parse_range(text: str) -> ValueRange:
    """The range that "auto", "model" (None) or LO:HI means; ValueError for other text."""
    if text in ("model", AUTO):
        return None if text == "model" else AUTO
    low, _, high = text.partition(":")
    bounds = (float(low), float(high))
    if not is_range(*bounds):
        raise ValueError(text)
    return bounds


def parse_bands(text: str) -> tuple[str, ...]:
    """The bands of "5,3,2" or "nir,red,green"; ValueError for other text."""
    bands = tuple(part.strip() for part in text.split(","))
    if len(bands) not in (1, 3) or not all(bands):
        raise ValueError(text)
    return bands
