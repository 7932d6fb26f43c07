"""Plots of evaluations and training runs: a confusion matrix, and curves. Drawn with Pillow alone."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segcli.files.paths import shown
from segcli.labels import Colour, LabelSet

INK = (38, 42, 48)
"""The colour of text in pictures of evaluations."""
PALE = (140, 146, 154)
GRID = (226, 229, 233)
SHADES = ((255, 255, 255), (120, 177, 218), (8, 48, 107))
"""A cell's colour at none, a quarter and all of its row: the shades follow the square root, so that little shows."""

CURVES = ((31, 98, 163), (214, 92, 30), (48, 138, 76), (140, 76, 168), (190, 50, 70), (120, 100, 40))
GRAPH_SIZE = (960, 600)
"""The width and height of a graph in pixels."""
MOST_CLASSES = 12
"""So many classes at most are told apart in one graph, or in a short table."""
LEGEND = 520
"""The width of a legend beside a graph, in half pixels."""

_CORNER = ("rows: true class", "columns: predicted as", "in % of the row")


def confusion_matrix(counts: np.ndarray, labels: LabelSet) -> Image.Image:
    """Draw which classes are taken for which.

    Each row is a class of the truth, each cell the share of its pixels that were predicted as the column's class.
    Columns are the classes that occur at all, and void where something was predicted as void.

    Args:
        counts: int64 (K, K + 1), true class by predicted class; the last column is "predicted as void".
        labels: Names and colours of the K classes.

    Returns:
        An RGB picture; cells hold numbers where there are at most some 60 columns.
    """
    rows = np.flatnonzero(counts.sum(axis=1))
    columns = np.flatnonzero(np.append(counts.sum(axis=1), 0) + counts.sum(axis=0))
    shares = counts[np.ix_(rows, columns)] / counts[rows].sum(axis=1, keepdims=True)
    titles = [*zip(labels.names, labels.palette, strict=True), ("void", PALE)]
    cell = int(np.clip(1400 / max(1, len(columns)), 14, 44))
    font = ImageFont.load_default(min(15, cell - 2))
    margin = 50 + round(max(font.getlength(name) for name in (_CORNER[1], *labels.names)))
    picture = Image.new("RGB", (margin + len(columns) * cell + 20, margin + len(rows) * cell + 20), "white")
    draw = ImageDraw.Draw(picture)
    draw.multiline_text((margin - 30, 20), "\n".join(_CORNER), PALE, font, anchor="ra", align="right")
    for x, column in enumerate(columns):
        upright = _title(*titles[column], font, (margin, cell), swatch_first=True).transpose(Image.Transpose.ROTATE_90)
        picture.paste(upright, (margin + x * cell, 0))
    for y, row in enumerate(rows):
        picture.paste(_title(*titles[row], font, (margin, cell), swatch_first=False), (0, margin + y * cell))
        for x, column in enumerate(columns):
            _draw_cell(draw, (margin + x * cell, margin + y * cell), cell, shares[y, x], hit=row == column)
    return picture


def _title(name: str, colour: Colour, font, size: tuple[int, int], swatch_first: bool) -> Image.Image:
    """A class's name and swatch, the swatch at the left end or at the right one."""
    width, height = size
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    side = min(height - 4, 14)
    left, top = (7 if swatch_first else width - side - 8), (height - side) // 2
    draw.rectangle((left, top, left + side, top + side), fill=colour, outline=PALE)
    x, anchor = (left + side + 7, "lm") if swatch_first else (left - 7, "rm")
    draw.text((x, height / 2), name, INK, font, anchor=anchor)
    return picture


def _draw_cell(draw: ImageDraw.ImageDraw, corner: tuple[int, int], size: int, share: float, hit: bool) -> None:
    x, y = corner
    outline, width = (PALE, 1 + (size >= 22)) if hit else (GRID, 1)
    draw.rectangle((x, y, x + size - 1, y + size - 1), fill=_shade(share), outline=outline, width=width)
    text = f"{100 * share:.0f}"
    if size >= 22 and text != "0":
        ink = "white" if share > 0.3 else INK
        draw.text((x + size / 2, y + size / 2), text, ink, ImageFont.load_default(size * 0.4), anchor="mm")


def _shade(share: float) -> Colour:
    position = 2 * math.sqrt(share)
    low, high = SHADES[:2] if position <= 1 else SHADES[1:]
    part = position if position <= 1 else position - 1
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(low, high, strict=True))
    return red, green, blue


def trimap(series: Mapping[str, Mapping[int, float | None]], size: tuple[int, int] = GRAPH_SIZE) -> Image.Image:
    """Draw mIOU as a function of the band's width, as v3+ Fig. 5: one curve for each entry.

    Args:
        series: By name, the mIOU, 0..1, at each width in pixels; None where a band holds no labelled pixel.
        size: The picture's width and height in pixels.

    Returns:
        An RGB picture.
    """
    curves = {
        name: _Curve(_in_per_cent(points), CURVES[i % len(CURVES)]) for i, (name, points) in enumerate(series.items())
    }
    return _graph(curves, ("width of the band around void, in pixels", "mIOU in %"), size)


def training(
    loss: Mapping[int, float],
    miou: Mapping[int, float | None],
    classes: Mapping[str, tuple[Colour, Mapping[int, float | None]]] = MappingProxyType({}),
    size: tuple[int, int] = GRAPH_SIZE,
) -> Image.Image:
    """Draw how a training run went: the loss, and below it the validations' mIOU, with a thin line for each class.

    Args:
        loss: The loss by iteration.
        miou: The mIOU by iteration, 0..1; None where no pixel was labelled.
        classes: By name, a class's colour and its IOU by iteration, 0..1; None where no pixel spoke for it. More than
            MOST_CLASSES are left out, since nobody could tell them apart.
        size: The width and height of each of the two graphs in pixels.

    Returns:
        An RGB picture.
    """
    lines = {name: _Curve(_in_per_cent(points), colour, width=4) for name, (colour, points) in classes.items()}
    lines = {name: line for name, line in lines.items() if line.points}
    few = 0 < len(lines) <= MOST_CLASSES
    scores = {"mIOU": _Curve(_in_per_cent(miou), CURVES[0], width=9)} | (lines if few else {})
    graphs = (
        _graph({"loss": _Curve(dict(loss), CURVES[0])}, ("iteration", "loss"), size, few),
        _graph(scores, ("iteration", "IOU in %" if few else "mIOU in %"), size, few),
    )
    picture = Image.new("RGB", (size[0], 2 * size[1]), "white")
    for row, graph in enumerate(graphs):
        picture.paste(graph, (0, row * size[1]))
    return picture


@dataclass(frozen=True)
class _Curve:
    """One line of a graph: its points (x, y), its colour, and its width in half pixels."""

    points: Mapping[int, float]
    colour: Colour
    width: int = 6

    def draw(self, draw: ImageDraw.ImageDraw, place: Callable[[float, float], tuple[float, float]]) -> None:
        """Draw it, with dots where they are few; `place` gives the pixel of a point."""
        spots = [place(*point) for point in self.points.items()]
        if len(spots) > 1 and self.is_pale:
            draw.line(spots, PALE, width=self.width + 3, joint="curve")
        if len(spots) > 1:
            draw.line(spots, self.colour, width=self.width, joint="curve")
        for spot in spots if len(spots) <= 15 else ():
            draw.circle(spot, self.width + 2, self.colour, outline=PALE if self.is_pale else None, width=2)

    @property
    def is_pale(self) -> bool:
        """Whether it could hardly be seen on white."""
        return bool(np.dot(self.colour, (0.299, 0.587, 0.114)) > 200)


def _in_per_cent(points: Mapping[int, float | None]) -> dict[int, float]:
    return {x: 100 * score for x, score in points.items() if score is not None}


def _graph(
    curves: Mapping[str, _Curve], titles: tuple[str, str], size: tuple[int, int], legend_beside: bool = False
) -> Image.Image:
    """A graph of curves by name, the first above the others; `titles` stand below and above it."""
    every = [point for curve in curves.values() for point in curve.points.items()] or [(1, 0.0)]
    across = _ticks(0, max(x for x, _ in every))
    up = _ticks(min(y for _, y in every), max(y for _, y in every))
    # Drawn at twice its size and shrunk, since Pillow's lines have no soft edges of their own.
    picture = Image.new("RGB", (2 * size[0], 2 * size[1]), "white")
    draw = ImageDraw.Draw(picture)
    place = _draw_axes(draw, (picture.width - LEGEND * legend_beside, picture.height), across, up, titles)
    for curve in reversed(curves.values()):
        curve.draw(draw, place)
    if legend_beside and len(curves) > 1:
        _draw_legend_beside(draw, (picture.width - LEGEND, 110), curves)
    elif not legend_beside:
        _draw_legend(draw, (picture.width - 70, picture.height - 170), curves)
    return picture.resize(size, Image.Resampling.LANCZOS)


def _draw_axes(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], across: list[float], up: list[float], titles: tuple[str, str]
) -> Callable[[float, float], tuple[float, float]]:
    """Draw the grid with its numbers and titles; returns a function from values (x, y) to the pixel where they lie."""
    font = ImageFont.load_default(30)
    left, top, right, bottom = 130, 110, size[0] - 50, size[1] - 140

    def place(x: float, y: float) -> tuple[float, float]:
        share_x = (x - across[0]) / (across[-1] - across[0])
        share_y = (y - up[0]) / (up[-1] - up[0])
        return left + share_x * (right - left), bottom - share_y * (bottom - top)

    for y in up:
        draw.line((place(across[0], y), place(across[-1], y)), GRID, width=2)
        draw.text((left - 16, place(0, y)[1]), f"{y:g}", INK, font, anchor="rm")
    for x in across:
        draw.line((place(x, up[0]), place(x, up[-1])), GRID, width=2)
        draw.text((place(x, up[0])[0], bottom + 18), f"{x:g}", INK, font, anchor="ma")
    draw.text((left, top - 40), titles[1], PALE, font, anchor="lb")
    draw.text(((left + right) / 2, size[1] - 30), titles[0], PALE, font, anchor="ms")
    return place


def _draw_legend(draw: ImageDraw.ImageDraw, corner: tuple[int, int], curves: Mapping[str, _Curve]) -> None:
    """The names, ending at the bottom right `corner`."""
    font = ImageFont.load_default(32)
    for row, (name, curve) in enumerate(reversed(curves.items())):
        middle = corner[1] - 25 - 50 * row
        draw.text((corner[0], middle), name, INK, font, anchor="rm")
        end = corner[0] - font.getlength(name) - 18
        draw.line((end - 60, middle, end, middle), curve.colour, width=8)


def _draw_legend_beside(draw: ImageDraw.ImageDraw, corner: tuple[int, int], curves: Mapping[str, _Curve]) -> None:
    """The names from the top left `corner` down, each with its last value: the first, then the others as they end."""
    font = ImageFont.load_default(30)
    ends = {name: list(curve.points.values())[-1:] for name, curve in curves.items()}
    first, *others = curves
    for row, name in enumerate((first, *sorted(others, key=ends.get, reverse=True))):
        middle, left = corner[1] + 25 + 60 * row, corner[0]
        for colour, width in ((PALE, 3), (curves[name].colour, 0)):
            draw.line((left, middle, left + 50, middle), colour, width=curves[name].width + 3 + width)
        draw.text((left + 66, middle), _fitting(name, font, LEGEND - 190), INK, font, anchor="lm")
        for end in ends[name]:
            draw.text((left + LEGEND - 40, middle), f"{end:.1f}", PALE, font, anchor="rm")


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """The text on one line, cut where it is wider than that many pixels."""
    text = shown(text)
    if font.getlength(text) <= width:
        return text
    return next((part for end in range(len(text), 0, -1) if font.getlength(part := f"{text[:end]}…") <= width), "…")


def _ticks(low: float, high: float) -> list[float]:
    """Three to eight round numbers, evenly spaced, that enclose low..high."""
    span = max(high - low, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / 3))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, max(last, first + 1) + 1)]
