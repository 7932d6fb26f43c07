"""The gallery of a validation: one HTML file with photo, truth and prediction side by side, the worst photo first.

It holds the pictures themselves and no script, so that any browser shows it from a file, on a phone too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.evaluation.metrics import ConfusionMatrix, Scores
from segcli.files.atomic import write_whole
from segcli.files.paths import shown
from segcli.images.gallery import address, shrunk
from segcli.labels import VOID, LabelSet

_PAGE = Path(__file__).with_name("gallery.html")
_HATCH = (120, 165)
"""The greys of void, in stripes: classes may be grey, but none is striped."""


@dataclass(frozen=True)
class Entry:
    """One photo of the gallery.

    Attributes:
        name: The photo's name in its dataset.
        rank: Its place among all validation photos by mIOU, 1 being the lowest; 0: it has no labelled pixel.
        scores: Of this photo alone.
        photo: The photo, truth and prediction as pictures of one size.
    """

    name: str
    rank: int
    scores: Scores
    pictures: tuple[Image.Image, Image.Image, Image.Image]

    @classmethod
    def of(
        cls, name: str, rank: int, rgb: np.ndarray, truth: np.ndarray, predicted: np.ndarray, labels: LabelSet
    ) -> "Entry":
        """The entry of a photo, uint8 (H, W, 3), with its true and its predicted classes, uint8 (H, W) or VOID."""
        scores = ConfusionMatrix(len(labels)).update(truth, predicted).scores(labels)
        photo, *maps = shrunk(rgb, truth, predicted)
        return cls(name, rank, scores, (photo, *(_coloured(ids, labels) for ids in maps)))


def write(path: Path, title: str, entries: Iterable[Entry], total: int, labels: LabelSet) -> None:
    """Write the gallery, the entries by rank and those without one at the end; OSError where that fails.

    Args:
        path: The HTML file, replaced as a whole.
        title: What is shown, on one line.
        entries: The photos.
        total: The number of photos that are ranked.
        labels: Names and colours.
    """
    ordered = sorted(entries, key=lambda entry: entry.rank or total + 1)
    figures = "\n".join(_figure(entry, total, labels) for entry in ordered)
    note = f"{len(ordered)} of {total} photos, the lowest IOU first. Numbers are in per cent."
    page = _PAGE.read_text(encoding="utf-8")
    for place, text in (("title", escape(shown(title))), ("note", note), ("void", _void()), ("photos", figures)):
        page = page.replace(f"<!-- {place} -->", text)
    with write_whole(path) as file:
        file.write(page.encode())


def _coloured(ids: np.ndarray, labels: LabelSet) -> Image.Image:
    """The classes (H, W) in their colours, void in stripes of grey."""
    colours = labels.colours()[ids]
    y, x = np.nonzero(ids == VOID)
    colours[y, x] = np.array(_HATCH, np.uint8)[(x + y) // 4 % 2, None]
    return Image.fromarray(colours)


def _figure(entry: Entry, total: int, labels: LabelSet) -> str:
    """The HTML of one photo; names come from foreign files, and so are escaped."""
    name = escape(shown(entry.name))
    images = "".join(
        f'<figure><img src="{address(picture, kind)}" alt="{title} of {name}" width="{picture.width}" '
        f'height="{picture.height}"><figcaption>{title}</figcaption></figure>'
        for picture, title, kind in zip(
            entry.pictures, ("photo", "truth", "prediction"), ("JPEG", "PNG", "PNG"), strict=True
        )
    )
    place = f" · number {entry.rank} of {total} from the lowest" if entry.rank else " · no labelled pixel"
    heading = f"<h2>{name}</h2><p>IOU <b>{_percent(entry.scores.miou)}</b>{place}</p>"
    return f"<section>{heading}<div>{images}</div><ul>{_classes(entry.scores, labels)}</ul></section>"


def _classes(scores: Scores, labels: LabelSet) -> str:
    """The classes of a photo with their colours and IOUs, the lowest first."""
    colours = dict(zip(labels.names, labels.palette, strict=True))
    known = sorted((iou, name) for name, iou in scores.per_class.items() if iou is not None)
    return "".join(
        f'<li><i style="background:rgb{colours[name]}"></i>{escape(shown(name))} <b>{_percent(iou)}</b></li>'
        for iou, name in known
    )


def _void() -> str:
    first, second = (f"rgb({grey},{grey},{grey})" for grey in _HATCH)
    return f"repeating-linear-gradient(135deg,{first},{first} 3px,{second} 3px,{second} 6px)"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
