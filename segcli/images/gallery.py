"""A gallery: one HTML file with every photo before and after, that any browser shows without a server.

It holds the pictures themselves, at most PICTURE_SIZE pixels a side: about 60 kB a photo.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct
from PIL import Image

from segcli.files import parts as parts_of
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.labels import BACKGROUND, LabelSet

PICTURE_SIZE = 640
"""The long side of a gallery's pictures, at most, in pixels."""

RESAMPLING = Image.Resampling.BICUBIC
"""The way in which photos are shrunk."""

_Picture = Annotated[str, Meta(pattern="^data:image/(jpeg|png);base64,")]

_PAGE = Path(__file__).with_name("gallery.html")
_ENTRIES, _LABELS = b"<!-- entries -->", b"/* labels */ {}"
_ORDER, _NOTE = b'<option value="uncertainty">uncertainty</option>', b'"uncertainty " + entry.uncertainty.toFixed(3)'
"""Where the page speaks of uncertainty, which labels that people drew do not have."""


@dataclass(frozen=True)
class Entry:
    """One photo of a gallery.

    Attributes:
        name: The photo's title on the page.
        rgb: uint8 (H, W, 3).
        label_map: uint8 or uint16 (H, W).
        areas: Class name -> pixels.
        uncertainty: How unsure the network was, 0..1; None where no network said it.
    """

    name: str
    rgb: np.ndarray
    label_map: np.ndarray
    areas: Mapping[str, int]
    uncertainty: float | None = None

    def facts(self, labels: LabelSet) -> dict:
        """The entry as the page reads it: JSON-plain, the pictures as data addresses."""
        photo, small = shrunk(self.rgb, self.label_map)
        return facts(self.name, self.label_map.shape, self.areas, self.uncertainty, photo, small, labels)


def facts(
    name: str,
    size: tuple[int, int],
    areas: Mapping[str, int],
    uncertainty: float | None,
    photo: Image.Image,
    label_map: np.ndarray,
    labels: LabelSet,
) -> dict:
    """The entry of a photo of (height, width) by its picture and its label map (h, w) at the size of galleries."""
    return {
        "name": name,
        "width": size[1],
        "height": size[0],
        "areas": dict(areas),
        "uncertainty": uncertainty,
        "photo": address(photo, "JPEG"),
        "classes": address(_tint(label_map, labels), "PNG"),
    }


class _Part(Struct):
    """What `Entry.facts` gives: the pictures are in it, so that a page fetches nothing."""

    name: str
    photo: _Picture
    classes: _Picture
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]
    areas: dict[str, Annotated[int, Meta(ge=0)]]
    uncertainty: float | None = None


def _tint(label_map: np.ndarray, labels: LabelSet) -> Image.Image:
    """The classes' colours as RGBA, transparent where there is none."""
    shown = np.zeros((65536, 4), np.uint8)
    shown[: len(labels), :3] = labels.palette
    shown[: len(labels), 3] = [0 if name == BACKGROUND else 255 for name in labels.names]
    return Image.fromarray(shown[label_map])


def shrunk(rgb: np.ndarray, *label_maps: np.ndarray) -> tuple[Image.Image, *tuple[np.ndarray, ...]]:
    """A photo, uint8 (H, W, 3), at the size that galleries show, and label maps of it, (H, W), at that size too."""
    photo = Image.fromarray(rgb)
    photo.thumbnail((PICTURE_SIZE, PICTURE_SIZE), RESAMPLING, reducing_gap=2.0)
    small = (Image.fromarray(ids).resize(photo.size, Image.Resampling.NEAREST) for ids in label_maps)
    return photo, *map(np.asarray, small)


def address(picture: Image.Image, kind: Literal["JPEG", "PNG"]) -> str:
    """A picture as an address that holds it, so that a page fetches nothing."""
    buffer = BytesIO()
    picture.save(buffer, kind, **({"quality": 82} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def write_entry(path: Path, entry: Entry, labels: LabelSet) -> None:
    """Write one photo's part of a gallery as JSON, for `merge` to collect."""
    write_facts(path, entry.facts(labels))


def write_facts(path: Path, entry: dict) -> None:
    """Write what `facts` says of one photo, for `merge` to collect."""
    with write_whole(path) as file:
        file.write(to_json(entry).encode())


def merge(path: Path, parts: Iterable[Path], labels: LabelSet, predicted: bool = True) -> None:
    """Write the gallery of many photos, one at a time in memory.

    Args:
        path: The HTML file, replaced as a whole.
        parts: Files that `write_entry` wrote, in the order of the page.
        labels: Names and colours for the page's legend.
        predicted: Whether the entries have an uncertainty.

    Raises:
        InputError: A part is damaged.
    """
    colours = {name: f"rgb{colour}" for name, colour in zip(labels.names, labels.palette, strict=True)}
    page = _PAGE.read_bytes().replace(_LABELS, _harmless(to_json({**colours, BACKGROUND: ""}).encode()))
    if not predicted:
        page = page.replace(_ORDER, b"").replace(_NOTE, b'""')
    head, tail = page.split(_ENTRIES)
    with write_whole(path) as file:
        file.write(head)
        for part in parts:
            file.write(b'<script type="application/json" class="entry">')
            file.write(_harmless(to_json(parts_of.load(part, _Part)).encode()))
            file.write(b"</script>\n")
        file.write(tail)


def _harmless(data: bytes) -> bytes:
    """JSON that cannot end the script element it stands in, whatever files and classes are called."""
    return data.replace(b"<", b"\\u003c").replace(b"&", b"\\u0026")
