"""A gallery: one HTML file to look through every photo and its classes, that any browser shows without a server.

It holds the pictures themselves, at most PICTURE_SIZE pixels a side: about 60 kB a photo. `gallery_page` is the page.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct
from PIL import Image

from segcli.files import parts as parts_of
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.labels import BACKGROUND, LabelSet

PICTURE_SIZE = 640
"""The long side of a gallery's pictures, at most, in pixels."""

RESAMPLING = Image.Resampling.BICUBIC
"""The way in which photos are shrunk."""

_Picture = Annotated[str, Meta(pattern="^data:image/(jpeg|png);base64,")]

_PAGE = Path(__file__).with_name("gallery_page")
_SCRIPTS = ("facts.js", "marks.js", "stage.js", "list.js", "hands.js")
_ENTRIES, _LABELS = b"<!-- entries -->", b"<!-- labels -->"
_WHOLE_SIZE = ("mask", "overlay", "cutout")
"""The kinds of outputs that a gallery leads to, where they are pictures that browsers show."""
_SHOWN_BY_BROWSERS = (".png", ".jpg")


@dataclass(frozen=True)
class Part:
    """One photo's part of a gallery, with what is known of the photo where the gallery is made.

    Attributes:
        path: The file that `write_entry` wrote.
        input: The photo's path as `segcli predict --from-list` reads it; None where that is not known.
        files: Kind of output -> its place, relative to the gallery, with "/".
        no_data: The pixels of which the photo has no data.
    """

    path: Path
    input: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    no_data: int = 0

    @classmethod
    def of_outputs(cls, path: Path, photo: str, outputs: Mapping[str, Mapping], no_data: int | None) -> "Part":
        """The part of a photo of a run, by what its record keeps of its outputs."""
        places = {kind: outputs[kind]["path"] for kind in _WHOLE_SIZE if kind in outputs}
        shown_ones = {kind: place for kind, place in places.items() if place.lower().endswith(_SHOWN_BY_BROWSERS)}
        return cls(path, photo, shown_ones, no_data or 0)

    def facts(self, name: str) -> dict:
        """What the page is told beside what the file says; `name` is the photo's title there."""
        title = {"title": shown(name)} if shown(name) != name else {}
        told = {"input": self.input, "files": dict(self.files), "no_data": self.no_data}
        return title | {key: value for key, value in told.items() if value}


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


def merge(path: Path, parts: Iterable[Part | Path], labels: LabelSet, predicted: bool = True) -> None:
    """Write the gallery of many photos, one at a time in memory.

    Args:
        path: The HTML file, replaced as a whole.
        parts: Files that `write_entry` wrote, in the order of the page.
        labels: Names and colours for the page's legend.
        predicted: Whether the entries have an uncertainty.

    Raises:
        InputError: A part is damaged.
    """
    head, tail = _page(labels, predicted).split(_ENTRIES)
    with write_whole(path) as file:
        file.write(head)
        for part in (one if isinstance(one, Part) else Part(one) for one in parts):
            told = parts_of.load(part.path, _Part)
            pictures = {key: told.pop(key) for key in ("photo", "classes")}
            file.write(_data(told | part.facts(told["name"]), "entry") + _data(pictures, "pictures") + b"\n")
        file.write(tail)


def _page(labels: LabelSet, predicted: bool) -> bytes:
    """The page without photos: one file, of which browsers run and fetch nothing but what is in it now."""
    script = b"".join((_PAGE / name).read_bytes() for name in _SCRIPTS)
    style = (_PAGE / "page.css").read_bytes()
    rows = zip(labels.names, labels.palette, strict=True)
    classes = [[name, shown(name), None if name == BACKGROUND else [*map(int, colour)]] for name, colour in rows]
    page = (_PAGE / "page.html").read_bytes()
    for place, text in (("style", style), ("script", script)):
        page = page.replace(f"<!-- {place} hash -->".encode(), _digest(text)).replace(
            f"<!-- {place} -->".encode(), text
        )
    return page.replace(_LABELS, _harmless(to_json({"classes": classes, "predicted": predicted}).encode()))


def _digest(text: bytes) -> bytes:
    """A text as a Content-Security-Policy names it."""
    return b"sha256-" + base64.b64encode(hashlib.sha256(text).digest())


def _data(values: dict, kind: str) -> bytes:
    """Values as an element of the page that its script reads."""
    start = f'<script type="application/json" class="{kind}">'.encode()
    return start + _harmless(to_json(values).encode()) + b"</script>"


def _harmless(data: bytes) -> bytes:
    """JSON that cannot end the script element it stands in, whatever files and classes are called."""
    return data.replace(b"<", b"\\u003c").replace(b"&", b"\\u0026")
