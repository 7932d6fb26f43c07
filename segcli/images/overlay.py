"""Overlays: the photo tinted by class, with borders and a legend, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from segcli.files.atomic import write_whole
from segcli.files.paths import shown
from segcli.images.masks import areas, shrink_label_map
from segcli.images.sizes import OVERLAY_SIZE, shrunk_size
from segcli.labels import BACKGROUND, LabelSet

OPACITY = 0.5
"""The opacity of the tint, 0..1."""

JPEG = {"quality": 90, "subsampling": 0}
"""Pillow's settings for overlays. On 1920 x 1440 pixels: 0.39 to 0.49 MB, 47 to 48 dB; 4:2:0 saves a sixth and smears
the borders by 1 to 3 dB."""

RESAMPLING = Image.Resampling.HAMMING
"""The way in which photos are shrunk."""
_SMALLEST_TYPE = 11
_MOST_ROWS = 19
_MOST_COVERED = 0.2
"""The share of the picture that the legend may cover."""
_BUSY = np.uint8(10)
"""A legend over one pixel of a border hides as much as one over so many pixels inside a region."""


def overlay(
    rgb: np.ndarray, label_map: np.ndarray, labels: LabelSet, opacity: float = OPACITY, size: int = OVERLAY_SIZE
) -> Image.Image:
    """Draw a label map over its photo.

    A class called "background" and void stay as they are; every other class is tinted and bordered in its colour. The
    legend lists the classes by area, in the corner where it hides least of them; it covers at most a fifth of the
    picture, and is left out where it could not be read. Its type has Latin letters only.

    Args:
        rgb: uint8 (H, W, 3).
        label_map: uint8 or uint16 (H, W).
        labels: Names and colours of the ids.
        opacity: The opacity of the tint, 0..1.
        size: The long side of the result in pixels; smaller photos keep their size.

    Returns:
        An RGB picture.
    """
    percent = areas(label_map, len(labels))[1]
    return drawn(*_shrunk(rgb, label_map, size), percent, labels, opacity)


def drawn(
    picture: Image.Image, label_map: np.ndarray, percent: np.ndarray, labels: LabelSet, opacity: float = OPACITY
) -> Image.Image:
    """The same of a photo and a label map that have the size of the result.

    Args:
        picture: RGB; it is changed.
        label_map: uint8 or uint16 (h, w).
        percent: float64 (K,), the share of each class in the photo.
        labels: Names and colours of the ids.
        opacity: The opacity of the tint, 0..1.
    """
    rows = [row for row in _rows(percent, labels) if row.percent > 0]
    detail = _tinted(picture, label_map, labels, opacity)
    classes = [row for row in rows if row.name != BACKGROUND] or [replace(row, colour=None) for row in rows]
    corner = partial(_freest_corner, detail)
    _add_legend(picture, sorted(classes, key=lambda row: -row.percent), corner)
    return picture


def film_overlay(
    rgb: np.ndarray, label_map: np.ndarray, labels: LabelSet, listed: Sequence[int], size: int = OVERLAY_SIZE
) -> Image.Image:
    """Draw a label map over a frame of a film, as `overlay` does, with a legend that stays where and as it is.

    Args:
        rgb: uint8 (H, W, 3).
        label_map: uint8 or uint16 (H, W).
        labels: Names and colours of the ids.
        listed: The ids that the legend lists, in this order, at the bottom on the left.
        size: The long side of the result in pixels; smaller frames keep their size.

    Returns:
        An RGB picture.
    """
    rows = _rows(areas(label_map, len(labels))[1], labels)
    picture, small = _shrunk(rgb, label_map, size)
    _tinted(picture, small, labels, OPACITY)
    _add_legend(picture, [rows[index] for index in listed], partial(_bottom_left, picture.height))
    return picture


def _rows(percent: np.ndarray, labels: LabelSet) -> list[_Row]:
    """A line for each class, in the order of the ids, by their shares (K,) of the photo."""
    return [_Row(*row) for row in zip(labels.names, labels.palette, percent, strict=True)]


def _tinted(picture: Image.Image, label_map: np.ndarray, labels: LabelSet, opacity: float) -> np.ndarray:
    """Tint a picture without a legend; how much there is to be seen at each pixel, uint8 (H, W)."""
    coloured = _by_id(np.array([name != BACKGROUND for name in labels.names]), label_map)
    borders = coloured & _borders(label_map)
    tint = Image.fromarray(_tint(label_map, borders, labels, opacity))
    picture.paste(tint, mask=tint)
    return coloured + _BUSY * borders


def write_overlay(path: Path, picture: Image.Image) -> None:
    """Write an overlay as a JPEG, whole or not at all."""
    with write_whole(path) as file:
        picture.save(file, "JPEG", **JPEG)


def _shrunk(rgb: np.ndarray, label_map: np.ndarray, size: int) -> tuple[Image.Image, np.ndarray]:
    small = shrunk_size(label_map.shape, size)
    if small == label_map.shape:
        return Image.fromarray(rgb), label_map
    photo = Image.fromarray(rgb).resize(small[::-1], RESAMPLING, reducing_gap=2.0)
    return photo, shrink_label_map(label_map, small)


def _by_id(values: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """The values (K,) of a label map's ids, (H, W); zero for void and ids that are no class."""
    return _table(values, label_map.dtype).take(label_map)


def _table(values: np.ndarray, ids: np.dtype) -> np.ndarray:
    """The values (K,), followed by a zero for each other id of that type."""
    table = np.zeros(np.iinfo(ids).max + 1, values.dtype)
    table[: len(values)] = values
    return table


def _tint(label_map: np.ndarray, borders: np.ndarray, labels: LabelSet, opacity: float) -> np.ndarray:
    """uint8 (H, W, 4) red, green, blue, opacity: each pixel's class colour, paler and opaque at borders.

    Dark classes have bright outlines so, too.
    """
    colours = np.array(labels.palette, np.uint8)
    opacities = [0 if name == BACKGROUND else round(255 * opacity) for name in labels.names]
    plain, pale = _packed(colours, opacities), _packed(255 - (255 - colours) // 3, 255)
    # Both colours in one table, looked up once: a border has the numbers behind those of all ids.
    table = np.concatenate([_table(colour, label_map.dtype) for colour in (plain, pale)])
    numbers = borders.astype(np.uint32 if len(table) > 1 << 16 else np.uint16)
    numbers *= len(table) // 2
    numbers += label_map
    return table.take(numbers).view(np.uint8).reshape(*label_map.shape, 4)


def _packed(colours: np.ndarray, opacities: ArrayLike) -> np.ndarray:
    """uint8 (K, 3) colours and their (K,) opacities as one uint32 (K,) each, which is looked up faster."""
    columns = [*colours.T, np.broadcast_to(np.asarray(opacities, np.uint8), len(colours))]
    return np.stack(columns, 1).view(np.uint32)[:, 0]


def _borders(label_map: np.ndarray) -> np.ndarray:
    """Boolean (H, W): the pixels within a line's width of another label, so that a border is two such lines."""
    width = max(1, round(max(label_map.shape) / 640))
    border = np.zeros(label_map.shape, bool)
    for distance in range(1, width + 1):
        for near, there in ((label_map, border), (label_map.T, border.T)):
            differs = near[distance:] != near[:-distance]
            there[distance:] |= differs
            there[:-distance] |= differs
    return border


@dataclass(frozen=True)
class _Row:
    """One line of a legend; without a colour, what is not tinted, or no single class."""

    name: str
    colour: tuple[int, int, int] | None
    percent: float

    @property
    def text(self) -> str:
        return shown(self.name if len(self.name) <= 28 else self.name[:27] + "…")

    @property
    def share(self) -> str:
        return f"{self.percent:.0f} %" if self.percent >= 1 else "< 1 %"


Corner = Callable[[tuple[int, int], int], tuple[int, int]]
"""From a panel's (width, height) and a margin to where its top left comes."""


def _add_legend(picture: Image.Image, rows: list[_Row], corner: Corner) -> None:
    """Draw the legend onto the picture, with as many rows as can be read; nothing where not even one can."""
    for count in range(min(len(rows), _MOST_ROWS), 0, -1):
        rest = rows[count:]
        kept = [*rows[:count], *([_Row(f"{len(rest)} more", None, sum(row.percent for row in rest))] if rest else [])]
        size = _type_size(kept, picture.size)
        if size >= _SMALLEST_TYPE:
            panel = _panel(kept, size)
            picture.paste(panel, corner(panel.size, size // 2), panel)
            return


def _type_size(rows: list[_Row], picture: tuple[int, int]) -> int:
    """The type size that suits the picture, or the smaller one at which the panel covers no more than it may."""
    width, height = picture
    wanted = max(_SMALLEST_TYPE, round((width * height) ** 0.5 / 48))
    panel_width, panel_height = _panel_size(rows, wanted)
    share = panel_width * panel_height / (width * height)
    return int(wanted * min(1, 0.45 * width / panel_width, 0.9 * height / panel_height, (_MOST_COVERED / share) ** 0.5))


def _panel_size(rows: list[_Row], size: int) -> tuple[int, int]:
    name = max(_length(row.text, size) for row in rows)
    return round(name + _length("100 %", size) + 3.2 * size), round((1.45 * len(rows) + 0.7) * size)


@lru_cache(10_000)
def _length(text: str, size: int) -> float:
    """The width of a text in pixels; a folder's legends ask for the same ones again and again."""
    return _font(size).getlength(text)


@lru_cache(64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font of legends at a size, in pixels; Pillow unpacks and opens it at every call."""
    return ImageFont.load_default(size)


def _panel(rows: list[_Row], size: int) -> Image.Image:
    """RGBA: on dark glass, a swatch, a name and a share for each row."""
    width, height = _panel_size(rows, size)
    panel = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(panel)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius=size // 2, fill=(16, 18, 22, 190))
    for i, row in enumerate(rows):
        middle = (1.45 * (i + 0.5) + 0.35) * size
        box = (0.6 * size, middle - 0.5 * size, 1.6 * size, middle + 0.5 * size)
        draw.rounded_rectangle(box, radius=size // 6, fill=row.colour, outline=(255, 255, 255, 230))
        _write(draw, (2.1 * size, middle), row.text, size, "lm", 255)
        _write(draw, (width - 0.6 * size, middle), row.share, size, "rm", 200)
    return panel


def _write(
    draw: ImageDraw.ImageDraw,
    xy: tuple[float, float],
    text: str,
    size: int,
    anchor: str,
    opacity: int,
) -> None:
    """Draw one line of white text, as `ImageDraw.text` does to the pixel."""
    (right, x), (down, y) = (math.modf(place) for place in xy)
    shape, corner = _shape(text, size, anchor, (right, down))
    draw.bitmap((int(x) - corner[0], int(y) - corner[1]), shape, (255, 255, 255, opacity))


@lru_cache(2000)
def _shape(text: str, size: int, anchor: str, start: tuple[float, float]) -> tuple[Image.Image, tuple[int, int]]:
    """How much of each pixel a text covers, "L", and where its anchor lies; legends write the same words again.

    Glyphs are drawn where they lie between pixels: `start` is that part of a pixel, 0..1 along each axis.
    """
    left, top, right, bottom = _font(size).getbbox(text, anchor=anchor)
    x, y = 2 - math.floor(left), 2 - math.floor(top)
    shape = Image.new("L", (x + math.ceil(right) + 3, y + math.ceil(bottom) + 3))
    ImageDraw.Draw(shape).text((x + start[0], y + start[1]), text, 255, _font(size), anchor)
    return shape, (x, y)


def _bottom_left(height: int, panel: tuple[int, int], margin: int) -> tuple[int, int]:
    """The top left of the panel at the bottom left of a picture of that height."""
    return margin, height - panel[1] - margin


def _freest_corner(detail: np.ndarray, panel: tuple[int, int], margin: int) -> tuple[int, int]:
    """The top left of the panel in the corner where it hides the least of what (H, W) counts."""
    height, width = detail.shape
    right, bottom = width - panel[0] - margin, height - panel[1] - margin
    corners = [(margin, bottom), (right, bottom), (margin, margin), (right, margin)]
    return min(corners, key=lambda xy: detail[xy[1] : xy[1] + panel[1], xy[0] : xy[0] + panel[0]].sum())
