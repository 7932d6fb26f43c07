"""ImageJ: the description and the private tags that ImageJ and Fiji write into the first page of a TIFF."""

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from segcli.images.decoders.stack import MOST_CHANNELS, Channel, MicronSize, Stack, as_name
from segcli.images.decoders.tiff.directory import MOST_PICTURES, Directory
from segcli.images.decoders.units import micrometres
from segcli.images.raster import Range

_SIZES, _DATA = 50838, 50839
_LABELS, _RANGES, _LUTS = b"labl", b"rang", b"luts"
_KINDS = (_LABELS, _RANGES, _LUTS)
_WIDTH_RESOLUTION, _HEIGHT_RESOLUTION = 282, 283
_LONGEST_DESCRIPTION = 65_536


def is_imagej(description: str) -> bool:
    """Whether the description of a TIFF's first page is ImageJ's."""
    return description.startswith("ImageJ=")


def parsed(description: str) -> dict[str, str]:
    """The items of ImageJ's description by their names, such as "channels"."""
    lines = (line.partition("=") for line in description[:_LONGEST_DESCRIPTION].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def stack_of(items: Mapping[str, str], directory: Directory) -> Stack:
    """The stack that ImageJ's description and tags state; its pages lie in the order channel, depth, time.

    Args:
        items: From `parsed`.
        directory: That of the first page.

    Raises:
        ValueError: The description contradicts itself.
    """
    images, count, depth, times = (_number(items.get(name, "1")) for name in ("images", "channels", "slices", "frames"))
    if not {"channels", "slices", "frames"} & items.keys():
        depth = images  # as ImageJ opens it
    if count > MOST_CHANNELS or not 0 < count * depth * times == images <= MOST_PICTURES:
        raise ValueError(f"they state {images} pages of {count} channels, {depth} depths and {times} times")
    pages = {(c, z, t): c + count * (z + depth * t) for t in range(times) for z in range(depth) for c in range(count)}
    stack = Stack("ImageJ", (Channel(),) * count, depth, times, pages)
    return stack if count == 1 else _with_channels(stack, directory)


def _with_channels(stack: Stack, directory: Directory) -> Stack:
    """The stack with the names, colours and ranges of its channels, as far as they are saved."""
    count, found = len(stack.channels), parts(directory)
    luts = [_lut(data) for data in found.get(_LUTS, [])[:count]]
    if len(luts) < count or any(lut is None for lut in luts) or all(_is_grey(lut) for lut in luts):
        luts = [None] * count
    names = _names(found.get(_LABELS, []), stack, directory.order)
    channels = tuple(Channel(name, lut) for name, lut in zip(names, luts, strict=True))
    ranges = tuple(display_ranges(directory)[:count])
    good = len(ranges) == count
    return replace(stack, channels=channels, ranges=ranges if good else (), ranges_by="its ImageJ metadata" * good)


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text):
        raise ValueError(f"they hold {text[:20]!r} for a number")
    return int(text)


def _lut(data: bytes) -> np.ndarray | None:
    """The 256 reds, greens and blues of a look-up table as uint8 (256, 3)."""
    return np.frombuffer(data, np.uint8).reshape(3, 256).T if len(data) == 768 else None


def _is_grey(lut: np.ndarray) -> bool:
    return bool((lut == lut[:, :1]).all())


def _names(labels: list[bytes], stack: Stack, order: str) -> list[str]:
    """The channels' names: the labels of the plane that stands for the file, where they tell its channels apart."""
    coding = "utf-16-le" if order == "<" else "utf-16-be"
    mine = [labels[page] for page in stack.pages_of(stack.shown) if page < len(labels)]
    names = [as_name(label.decode(coding, "replace")) for label in mine]
    apart = len({name.casefold() for name in names if name}) == len(stack.channels)
    return names if apart else [""] * len(stack.channels)


def parts(directory: Directory) -> dict[bytes, list[bytes]]:
    """The labels, display ranges and look-up tables that ImageJ saved, by their four letters; {} where damaged.

    Tag 50839 starts with the numbers and kinds of its parts; tag 50838 has the length of this header, then of each
    part.
    """
    data, sizes = directory.data(_DATA), [int(size) for size in directory.numbers(_SIZES)]
    if not sizes or min(sizes) < 0 or sizes[0] < 4 or sum(sizes) > len(data):
        return {}
    place, lengths = sizes[0], iter(sizes[1:])
    found: dict[bytes, list[bytes]] = {}
    for kind, count in struct.iter_unpack(directory.order + "4sI", data[4 : sizes[0] - (sizes[0] - 4) % 8]):
        kind = kind[::-1] if directory.order == "<" else kind  # noqa: PLW2901
        for _, length in zip(range(count), lengths, strict=False):  # in this order, or a length is lost
            if kind in _KINDS:
                found.setdefault(kind, []).append(data[place : place + length])
            place += length
    return found


def display_ranges(directory: Directory) -> list[Range]:
    """The display range of each channel that ImageJ saved; [] where it saved none, or they are damaged."""
    data = b"".join(parts(directory).get(_RANGES, [])[:1])
    bounds = np.frombuffer(data, directory.order + "f8", len(data) // 16 * 2).reshape(-1, 2).tolist()
    good = all(-math.inf < low < high < math.inf for low, high in bounds)
    return [(low, high) for low, high in bounds] if good else []


def pixel_size(items: Mapping[str, str], directory: Directory) -> MicronSize | None:
    """The size of a pixel in micrometres; None where ImageJ wrote none, or in units that are no length."""
    sizes = [
        _length(directory.data(tag, 8), directory.order, items.get("unit", ""))
        for tag in (_WIDTH_RESOLUTION, _HEIGHT_RESOLUTION)
    ]
    return None if None in sizes else (sizes[0], sizes[1])


def _length(data: bytes, order: str, unit: str) -> float | None:
    """The length of a pixel whose resolution is a fraction, pixels by a number of units."""
    pixels, units = struct.unpack(order + "II", data) if len(data) == 8 else (0, 0)
    return micrometres(units / pixels, unit) if pixels else None
