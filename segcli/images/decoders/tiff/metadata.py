"""Metadata: what GDAL, OME and ImageJ write into a TIFF about its bands and values."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from segcli.images.decoders import imagej
from segcli.images.decoders.tiff.directory import Directory
from segcli.images.decoders.tiff.layout import (
    DESCRIPTION,
    GDAL_METADATA,
    LARGEST_VALUE,
    LEAST_VALUE,
    NO_DATA,
    Layout,
    samples_of,
)
from segcli.images.raster import Range

LONGEST_NAME = 100
_MOST_XML = 2**22
_SIGNIFICANT_BITS = re.compile(r"<(?:\w+:)?Pixels\b[^<>]*\bSignificantBits=[\"'](\d{1,3})[\"']")
_WHOLE_FILE = -1


@dataclass(frozen=True)
class Metadata:
    """GDAL's metadata (tag 42112).

    Attributes:
        samples: The number of bands.
        items: (name of the item in capitals, band from 0 on, -1 for the file) -> its value.
    """

    samples: int
    items: Mapping[tuple[str, int], str]

    def of(self, name: str, band: int = _WHOLE_FILE) -> str:
        """The value of an item of a band or the file; "" where there is none."""
        return self.items.get((name, band), "")

    def all(self, name: str) -> tuple[str, ...]:
        """The item of each band; () where no band has one."""
        values = tuple(self.of(name, band)[:LONGEST_NAME] for band in range(self.samples))
        return values if any(values) else ()

    @property
    def wavelengths(self) -> tuple[float | None, ...]:
        """The middle of each band's light in nanometres; None where it is not stated."""
        stated = [self.of("CENTRAL_WAVELENGTH_UM", band) or self.of("WAVELENGTH", band) for band in range(self.samples)]
        return tuple(_nanometres(value) for value in stated)


def metadata_of(directory: Directory) -> Metadata:
    """GDAL's metadata of a picture; without items where there is none, or it is no XML that is safe to parse."""
    samples = samples_of(directory)
    text = directory.text(GDAL_METADATA)
    if not text or len(text) > _MOST_XML or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return Metadata(samples, {})
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return Metadata(samples, {})
    return Metadata(samples, {_key(item): " ".join((item.text or "").split()) for item in root.iter("Item")})


def _key(item: ElementTree.Element) -> tuple[str, int]:
    band = item.get("sample", "")
    number = int(band) if band.isascii() and band.isdigit() and len(band) < 6 else _WHOLE_FILE
    return item.get("name", "").upper(), number


def _nanometres(text: str) -> float | None:
    """A wavelength in nanometres; numbers below 100 are micrometres."""
    value = _number(text.split(" ", maxsplit=1)[0])
    if value is None or not 0 < value < math.inf:
        return None
    return value * 1000 if value < 100 else value


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def no_data(directory: Directory) -> tuple[float | None, tuple[str, ...]]:
    """The value that means no data, NaN included, or None; and a remark where the file states something else."""
    text = directory.text(NO_DATA)
    if not text:
        return None, ()
    value = _number(text)
    if value is None:
        return None, (f"Its no-data value is not a number, and is not used: {' '.join(text.split())[:LONGEST_NAME]}.",)
    return value, ()


def stated_range(
    directory: Directory, first: Directory, page: int, layout: Layout, metadata: Metadata
) -> tuple[tuple[Range, ...], str]:
    """The range of values that a file states, and how; () where it states none.

    Args:
        directory: The picture's tags.
        first: Those of the file's first picture, which speak for all.
        page: The number of the picture, from 0 on.
        layout: The layout of its values.
        metadata: GDAL's.
    """
    description = first.text(DESCRIPTION)
    if layout.dtype.kind == "u" and layout.dtype.itemsize > 1:
        for bits, by in _bits_said(description, layout, metadata):
            if 0 < bits < 8 * layout.dtype.itemsize:
                return ((0.0, 2.0**bits - 1),), by
    if imagej.is_imagej(description) and (ranges := imagej.display_ranges(first)):
        return (ranges[page % len(ranges)],), "the display range of its ImageJ metadata"
    return ((), "") if layout.dtype.kind == "f" else _by_largest(directory, layout.bits)


def _bits_said(description: str, layout: Layout, metadata: Metadata) -> Iterator[tuple[int, str]]:
    """The numbers of bits that the file says its values have, and where."""
    found = _SIGNIFICANT_BITS.search(description) if "OME" in description else None
    yield int(found[1]) if found else 0, "SignificantBits of its OME metadata"
    said = metadata.of("NBITS")
    yield int(said) if re.fullmatch("[0-9]{1,2}", said) else 0, "NBITS of its GDAL metadata"
    yield layout.bits, "its BitsPerSample tag"


def _by_largest(directory: Directory, bits: int) -> tuple[tuple[Range, ...], str]:
    """The range by the tags of the least and the largest value, where they mean a number of bits."""
    least, largest = directory.number(LEAST_VALUE, -1), directory.number(LARGEST_VALUE, 0)
    if least != 0 or not 255 <= largest < 2**bits - 1 or largest & (largest + 1):
        return (), ""
    return ((0.0, float(largest)),), "its MaxSampleValue tag"
