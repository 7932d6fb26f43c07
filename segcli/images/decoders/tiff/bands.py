"""Bands of a TIFF: what they are called, which are red, green and blue, and which is alpha."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segcli.images.decoders.tiff.directory import Directory
from segcli.images.decoders.tiff.layout import COLOUR_BANDS, EXTRA_SAMPLES, PHOTOMETRIC, RGB_COLOURS, samples_of
from segcli.images.decoders.tiff.metadata import LONGEST_NAME, Metadata
from segcli.images.raster import RGB

_COLOURS = ("red", "green", "blue")
_LETTERS = {"r": "red", "g": "green", "b": "blue"}
_NO_COLOUR = {"edge", "near", "infra", "infrared", "nir", "far", "shortwave", "swir", "chlorophyll"}
"""Words beside which red, green or blue is not the colour: red edge, near infra-red, far red."""
_DATA = re.compile(
    r"\b(n|ir|nir\d*|near|infra|(near)?.?infra.?red|red.?edge\d*|re\d*|swir\d*|lwir\d*|tir\d*|thermal|pan\w*"
    r"|band.?\d+|b\d+a?|ndvi|height|elevation|depth|dem|dsm)\b",
    re.IGNORECASE,
)
"""What a band is called that is no alpha, whatever else the file says."""
_NUMBERED = re.compile(r"(?:s[rt]_)?b(?:and)?[ _]?(\d{1,2})(a?)\b", re.IGNORECASE)
_WAVELENGTHS = {"red": 665, "green": 560, "blue": 490}
"""Nanometres: the middles of Sentinel-2's bands; other sensors' lie near them."""
_FARTHEST = 50
_PREMULTIPLIED, _STRAIGHT, _COREL = 1, 2, 999
_UNSURE = (
    "Its file does not say which bands are red, green and blue: bands 1, 2 and 3 are used; --bands chooses others."
)
_FIRST = "Band 1 of its 2 is used as grey; --bands chooses the other."


@dataclass(frozen=True)
class Bands:
    """What a TIFF says about its bands; the attributes are those of `Raster`."""

    colours: tuple[int, ...] | None
    alpha: int | None
    premultiplied: bool
    notes: tuple[str, ...] = ()


def bands_of(directory: Directory, metadata: Metadata) -> Bands:
    """The bands that a picture itself shows, and the one that it calls alpha."""
    samples = samples_of(directory)
    alpha, premultiplied, misnamed = _alpha(directory, metadata, samples)
    colours, notes = _colours(directory, metadata, samples)
    notes = (_FIRST,) if samples == 2 and alpha is None else notes
    return Bands(colours, alpha, premultiplied, notes + misnamed)


def _colours(directory: Directory, metadata: Metadata, samples: int) -> tuple[tuple[int, ...] | None, tuple[str, ...]]:
    """The bands that are shown, and a remark where nothing says so."""
    if samples <= 2:
        return (0,), ()
    named = _named(metadata)
    if directory.number(PHOTOMETRIC, 0) == RGB_COLOURS:
        return RGB, _contradicted(named)
    return (RGB, (_UNSURE,)) if named is None and samples <= 4 else (named, ())


def is_contradicted(directory: Directory, metadata: Metadata) -> bool:
    """Whether the names of the bands are those of other colours than the tags say."""
    return directory.number(PHOTOMETRIC, 0) == RGB_COLOURS and bool(_contradicted(_named(metadata)))


def extra_samples(directory: Directory) -> tuple[int, ...]:
    """The meaning of each band beyond the colours: 1 premultiplied alpha, 2 alpha, else none in particular."""
    samples = samples_of(directory)
    photometric = directory.number(PHOTOMETRIC, 0)
    colours = COLOUR_BANDS.get(photometric, 1)
    if EXTRA_SAMPLES not in directory and (samples, photometric) == (4, RGB_COLOURS):
        return (_STRAIGHT,)  # what all viewers take it for
    extra = max(0, samples - colours)
    stated = [int(value) for value in directory.numbers(EXTRA_SAMPLES, samples)]
    return tuple(stated[-extra:]) if extra else ()


def _alpha(directory: Directory, metadata: Metadata, samples: int) -> tuple[int | None, bool, tuple[str, ...]]:
    """The first band that is called alpha, whether the colours are multiplied by it, and a remark where it is none."""
    extra = extra_samples(directory)
    for index, meaning in enumerate(extra, samples - len(extra)):
        if meaning in (_PREMULTIPLIED, _STRAIGHT, _COREL):
            name = _data_name(metadata, index)
            said = (f"Band {index + 1} is called alpha, and also {name}: it is left out.",) if name else ()
            return (None, False, said) if name else (index, meaning == _PREMULTIPLIED, ())
    return None, False, ()


def _data_name(metadata: Metadata, index: int) -> str:
    """What a band is called that is no alpha; "" where it may be alpha."""
    name, shown = metadata.of("DESCRIPTION", index), metadata.of("COLORINTERP", index)
    if _DATA.search(name):
        return name[:LONGEST_NAME]
    return "" if shown.casefold() in ("", "alpha") else shown[:LONGEST_NAME]


def _contradicted(named: tuple[int, ...] | None) -> tuple[str, ...]:
    """A remark where the names say otherwise than the tags, which are followed as viewers do."""
    if named is None or named == RGB:
        return ()
    red, green, blue = (band + 1 for band in named)
    said = f"Its tags say that bands 1, 2 and 3 are red, green and blue, but their names say {red}, {green}, {blue}: "
    return (said + f"bands 1, 2 and 3 are used; --bands {red},{green},{blue} uses the others.",)


def _named(metadata: Metadata) -> tuple[int, ...] | None:
    """The red, the green and the blue band by their names, else by GDAL's colours, else by their wavelengths."""
    names = metadata.all("DESCRIPTION")
    ways = (
        lambda: _by(names, _word),
        lambda: _by_number(names),
        lambda: _by(metadata.all("COLORINTERP"), _word),
        lambda: _by_wavelength(metadata.wavelengths),
    )
    return next((found for way in ways if (found := way()) is not None), None)


def _by(names: Sequence[str], colour: Callable[[str], str]) -> tuple[int, ...] | None:
    """The bands whose names mean the three colours, each once."""
    found = [colour(name) for name in names]
    if any(found.count(wanted) != 1 for wanted in _COLOURS):
        return None
    return tuple(found.index(wanted) for wanted in _COLOURS)


def _word(name: str) -> str:
    """The colour that a name says, or ""."""
    words = set(re.findall(r"[a-z]+", name.casefold()))
    if len(words) == 1 and words <= _LETTERS.keys():
        return _LETTERS[words.pop()]
    said = words & set(_COLOURS)
    return said.pop() if len(said) == 1 and not words & _NO_COLOUR else ""


def _by_number(names: Sequence[str]) -> tuple[int, ...] | None:
    """The colours among names of Sentinel-2 or Landsat 8 and 9, B4, B3 and B2; older Landsats number otherwise."""
    matches = [_NUMBERED.match(name) for name in names]
    numbers = [f"{int(match[1])}{match[2].lower()}" if match else "" for match in matches]
    newer = any(match and (match[1].startswith("0") or match[2] or int(match[1]) > 8) for match in matches)
    if not newer or any(numbers.count(wanted) != 1 for wanted in "432"):
        return None
    return tuple(numbers.index(wanted) for wanted in "432")


def _by_wavelength(nanometres: Sequence[float | None]) -> tuple[int, ...] | None:
    """The bands nearest to red, green and blue light."""
    known = [(length, index) for index, length in enumerate(nanometres) if length is not None]
    if len(known) < 3:
        return None
    nearest = [min((abs(length - wanted), index) for length, index in known) for wanted in _WAVELENGTHS.values()]
    bands = tuple(index for _, index in nearest)
    return bands if len(set(bands)) == 3 and max(nearest)[0] <= _FARTHEST else None
