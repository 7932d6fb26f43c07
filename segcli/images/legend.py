"""Legends: the classes of a picture by area, with their colours and shares, on it or below it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from segcli.files.paths import shown

SMALL = 1.0
"""The per cent below which classes share one line."""
_SMALLEST_TYPE = 11
_MOST_ROWS = 19
_MOST_COVERED = 0.2
"""The share of the picture that a legend may cover."""
_GLASS, _PAGE = (16, 18, 22, 190), (16, 18, 22)
"""The panel's colour on a picture and below one."""


@dataclass(frozen=True)
class Row:
    """One line of a legend; without a colour, what is not tinted, or several classes."""

    name: str
    colour: tuple[int, int, int] | None
    percent: float
    classes: int = 1

    @property
    def text(self) -> str:
        """The name, cut where it is long."""
        return shown(self.name if len(self.name) <= 28 else self.name[:27] + "…")

    @property
    def share(self) -> str:
        """The per cent in words."""
        return f"{self.percent:.0f} %" if self.percent >= 1 else "< 1 %"


Corner = Callable[[tuple[int, int], int], tuple[int, int]]
"""From a panel's (width, height) and a margin to where its top left comes."""


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows, of which those below one per cent share one line, if they are several and others are above."""
    large = [row for row in rows if row.percent >= SMALL]
    small = [row for row in rows if row.percent < SMALL]
    return [*large, _rest(small)] if large and len(small) > 1 else list(rows)


def _rest(rows: Sequence[Row]) -> Row:
    """One line for several."""
    classes = sum(row.classes for row in rows)
    return Row(f"{classes} more", None, sum(row.percent for row in rows), classes)


def add(picture: Image.Image, rows: list[Row], corner: Corner) -> None:
    """Draw a legend onto a picture, with as many rows as can be read; nothing where not even one can."""
    for count in range(min(len(rows), _MOST_ROWS), 0, -1):
        kept = [*rows[:count], *([_rest(rows[count:])] if rows[count:] else [])]
        size = _type_size(kept, picture.size)
        if size >= _SMALLEST_TYPE:
            panel = _panel(kept, size)
            picture.paste(panel, corner(panel.size, size // 2), panel)
            return


def below(picture: Image.Image, rows: list[Row]) -> Image.Image:
    """The picture with a legend of all rows below it, in columns; as it is where it is too narrow to be read."""
    size = min(_wanted_type(picture.size), _type_that_fits(rows, picture.width))
    if not rows or size < _SMALLEST_TYPE:
        return picture
    cell, _ = _panel_size(rows, size)
    columns = min(len(rows), picture.width // cell)
    lines = -(-len(rows) // columns)
    page = Image.new("RGB", (picture.width, picture.height + _panel_size(rows[:lines], size)[1]), _PAGE)
    page.paste(picture)
    draw = ImageDraw.Draw(page)
    for number, row in enumerate(rows):
        column, line = divmod(number, lines)
        _draw_row(draw, row, (column * cell, picture.height + _middle(line, size)), cell, size)
    return page


def _type_that_fits(rows: list[Row], width: int) -> int:
    """The largest type size at which the longest row is no wider than the picture."""
    size = _wanted_type((width, width))
    while rows and size >= _SMALLEST_TYPE and _panel_size(rows, size)[0] > width:
        size -= 1
    return size


def _type_size(rows: list[Row], picture: tuple[int, int]) -> int:
    """The type size that suits the picture, or the smaller one at which the panel covers no more than it may."""
    width, height = picture
    wanted = _wanted_type(picture)
    panel_width, panel_height = _panel_size(rows, wanted)
    share = panel_width * panel_height / (width * height)
    return int(wanted * min(1, 0.45 * width / panel_width, 0.9 * height / panel_height, (_MOST_COVERED / share) ** 0.5))


def _wanted_type(picture: tuple[int, int]) -> int:
    """The type size that suits a picture of (width, height)."""
    width, height = picture
    return max(_SMALLEST_TYPE, round((width * height) ** 0.5 / 48))


def _panel_size(rows: list[Row], size: int) -> tuple[int, int]:
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


def _panel(rows: list[Row], size: int) -> Image.Image:
    """RGBA: on dark glass, a swatch, a name and a share for each row."""
    width, height = _panel_size(rows, size)
    panel = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(panel)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius=size // 2, fill=_GLASS)
    for i, row in enumerate(rows):
        _draw_row(draw, row, (0, _middle(i, size)), width, size)
    return panel


def _middle(line: int, size: int) -> float:
    """How far below a panel's top the middle of a line is."""
    return (1.45 * (line + 0.5) + 0.35) * size


def _draw_row(draw: ImageDraw.ImageDraw, row: Row, place: tuple[float, float], width: int, size: int) -> None:
    """Draw a row of that width whose left end is in the middle of a line at a place."""
    left, middle = place
    box = (left + 0.6 * size, middle - 0.5 * size, left + 1.6 * size, middle + 0.5 * size)
    draw.rounded_rectangle(box, radius=size // 6, fill=row.colour, outline=(255, 255, 255, 230))
    _write(draw, (left + 2.1 * size, middle), row.text, size, "lm", 255)
    _write(draw, (left + width - 0.6 * size, middle), row.share, size, "rm", 200)


def _write(
    draw: ImageDraw.ImageDraw,
    xy: tuple[float, float],
    text: str,
    size: int,
    anchor: str,
    opacity: int,
) -> None:
    """Draw one line of white text, as `ImageDraw.text` does to the pixel; on RGB the opacity is not kept."""
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
