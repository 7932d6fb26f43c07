"""OME: the XML in the first page of an OME-TIFF, which says what its pages show (OME's data model, OME-TIFF)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from xml.parsers import expat

import numpy as np

from segcli.images.decoders.stack import (
    LONGEST_NAME,
    MOST_CHANNELS,
    MOST_PLANES,
    Channel,
    MicronSize,
    Place,
    Stack,
    as_name,
)
from segcli.images.decoders.tiff.directory import MOST_PICTURES
from segcli.images.decoders.units import micrometres

MOST_XML = 2**25
"""The longest XML that is looked at, in characters; 65,536 planes take a third of it."""
_WHITE = 2**32 - 1
_ORDER = re.compile("XY(?=.*Z)(?=.*C)(?=.*T)([ZCT]{3})")
Attributes = Mapping[str, str]


def is_ome(description: str) -> bool:
    """Whether the description of a TIFF's first page is OME's XML."""
    return description[-16:].rstrip().endswith("OME>") and "Pixels" in description


@dataclass
class Document:
    """What an OME-XML says of its first image.

    Attributes:
        identity: The UUID of the file itself.
        images: How many images the file holds.
        pixels: The attributes of `Pixels`.
        channels: Those of each `Channel`.
        blocks: Those of each `TiffData`, and of the `UUID` in it with its text as "".
    """

    identity: str = ""
    images: int = 0
    pixels: Attributes = field(default_factory=dict)
    channels: list[Attributes] = field(default_factory=list)
    blocks: list[tuple[Attributes, dict[str, str]]] = field(default_factory=list)

    def pixel_size(self) -> MicronSize | None:
        """The size of a pixel in micrometres; None where it is not stated."""
        sizes = [
            micrometres(self.pixels.get(f"PhysicalSize{axis}", ""), self.pixels.get(f"PhysicalSize{axis}Unit", "µm"))
            for axis in "XY"
        ]
        return None if None in sizes else (sizes[0], sizes[1])


def parsed(text: str) -> Document:
    """The document that an OME-XML is; ValueError where it is none, or one that is not safe to parse."""
    if len(text) > MOST_XML:
        raise ValueError("they are too long")
    document = Document()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse  # only there can entities be declared
    parser.StartElementHandler = lambda name, attributes: _begin(document, name.rpartition(":")[2], attributes)
    parser.CharacterDataHandler = _identities(document)
    parser.buffer_text = True
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ValueError("they are no XML") from error
    return document


def _refuse(*_: object) -> None:
    raise ValueError("they declare a type of their own")


def _begin(document: Document, name: str, attributes: dict[str, str]) -> None:
    """Take the attributes of an element of the first image."""
    if name == "OME":
        document.identity = attributes.get("UUID", "")
    elif name == "Image":
        document.images += 1
    elif document.images != 1:
        return
    elif name == "Pixels" and not document.pixels:
        document.pixels = attributes
    elif name == "Channel" and len(document.channels) < MOST_CHANNELS:
        document.channels.append(attributes)
    elif name == "TiffData" and len(document.blocks) < MOST_PICTURES:
        document.blocks.append((attributes, {}))
    elif name == "UUID" and document.blocks:
        document.blocks[-1][1].update({"": "", **attributes})


def _identities(document: Document) -> Callable[[str], None]:
    """A handler that takes the text inside the `UUID` of a `TiffData`."""

    def take(text: str) -> None:
        if document.images == 1 and document.blocks and "" in document.blocks[-1][1]:
            document.blocks[-1][1][""] += text.strip()

    return take


def stack_of(document: Document, file_name: str, pages: int, samples: int) -> Stack:
    """The stack that a document describes.

    Args:
        document: From `parsed`.
        file_name: What the file is called: another file of that set may name it so.
        pages: How many pages the file has.
        samples: The bands of its first page.

    Raises:
        ValueError: The document contradicts itself or the file.
    """
    if not document.pixels:
        raise ValueError("they describe no image")
    depth, times, count = (_number(document.pixels.get(f"Size{axis}", "")) for axis in "ZTC")
    if samples > 1 and count != samples:
        raise ValueError(f"they state {count} channels for pages of {samples} bands")
    count = 1 if samples > 1 else count
    if not (0 < count <= MOST_CHANNELS and 0 < depth * times <= MOST_PLANES):
        raise ValueError(f"they state {count} channels, {depth} depths and {times} times")
    here, elsewhere = _places(document, file_name, {"Z": depth, "C": count, "T": times}, pages)
    if not here and not elsewhere:
        raise ValueError("they do not say what any page shows")
    channels = _channels(document.channels, count)
    missing = count * depth * times - len(here.keys() | elsewhere.keys())
    notes = [f"It holds {document.images} images, of which the first is read."] * (document.images > 1)
    notes += [f"{missing} of the pages that its OME metadata state are not in the file."] * (missing > 0)
    return Stack("OME", channels, depth, times, here, elsewhere, notes=tuple(notes))


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text):
        raise ValueError(f"they hold {text[:20]!r} for a number")
    return int(text)


def _places(
    document: Document, file_name: str, sizes: Mapping[str, int], pages: int
) -> tuple[dict[Place, int], dict[Place, str]]:
    """The page of each place in this file, and the other file of each that is not; what lies outside is left out."""
    match = _ORDER.fullmatch(document.pixels.get("DimensionOrder", ""))
    if match is None:
        raise ValueError("they do not state the order of its planes")
    here: dict[Place, int] = {}
    elsewhere: dict[Place, str] = {}
    steps = 0
    for attributes, identity in document.blocks:
        other = _other_file(identity, document.identity, file_name)
        for page, place in _block(attributes, match[1], sizes, pages):
            if other:
                elsewhere.setdefault(place, other)
            elif page < pages:
                here.setdefault(place, page)
            steps += 1
        if steps > 4 * MOST_PICTURES:
            raise ValueError("they name more planes than a file has")
    return here, elsewhere


def _block(attributes: Attributes, order: str, sizes: Mapping[str, int], pages: int) -> Iterator[tuple[int, Place]]:
    """The pages of a `TiffData` and what they show; it speaks of one page, or of all from the first on."""
    page = _number(attributes.get("IFD", "0"))
    count = attributes.get("PlaneCount", attributes.get("NumPlanes", "1" if "IFD" in attributes else ""))
    first = {axis: _number(attributes.get(f"First{axis}", "0")) for axis in order}
    if any(first[axis] >= sizes[axis] for axis in order):
        return
    place = first[order[0]] + sizes[order[0]] * (first[order[1]] + sizes[order[1]] * first[order[2]])
    total = sizes["Z"] * sizes["C"] * sizes["T"]
    for step in range(min(_number(count) if count else pages, pages, total - place)):
        number, at = place + step, {}
        for axis in order:
            number, at[axis] = divmod(number, sizes[axis])
        yield page + step, (at["C"], at["Z"], at["T"])


def _other_file(identity: Mapping[str, str], own: str, file_name: str) -> str:
    """The name of another file that a `TiffData` speaks of; "" where it speaks of this one."""
    if not identity:
        return ""
    named = PurePosixPath(PureWindowsPath(identity.get("FileName", "")).name).name
    if named == file_name or (own and identity[""] == own) or not (named or own):
        return ""
    return (named or identity[""])[:LONGEST_NAME] or "without a name"


def _channels(stated: list[Attributes], count: int) -> tuple[Channel, ...]:
    """The channels with their names and colours, the latter only where all have one and not all are white."""
    stated = [*stated, *[{}] * count][:count]
    colours = [_colour(channel.get("Color", "")) for channel in stated]
    if count == 1 or None in colours or all(colour == (255, 255, 255) for colour in colours):
        colours = [None] * count
    names = [as_name(channel.get("Name", "")) for channel in stated]
    return tuple(Channel(name, colour and _ramp(colour)) for name, colour in zip(names, colours, strict=True))


def _colour(text: str) -> tuple[int, int, int] | None:
    """The red, green and blue of a signed number of 32 bits, red highest and alpha, which is not used, lowest."""
    if not re.fullmatch("-?[0-9]{1,10}", text):
        return None
    value = int(text) & _WHITE
    return value >> 24, value >> 16 & 255, value >> 8 & 255


def _ramp(colour: tuple[int, int, int]) -> np.ndarray:
    """The colours from black to this one, uint8 (256, 3)."""
    return np.rint(np.arange(256)[:, None] * (np.array(colour) / 255)).astype(np.uint8)
