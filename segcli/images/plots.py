"""Plots of evaluations and training runs: a confusion matrix, and curves. Drawn with Pillow alone."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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
    curves = {name: _in_per_cent(points) for name, points in series.items()}
    return _lines(curves, ("width of the band around void, in pixels", "mIOU in %"), size)


def training(
    loss: Mapping[int, float], miou: Mapping[int, float | None], size: tuple[int, int] = GRAPH_SIZE
) -> Image.Image:
    """Draw how a training run went: the loss, and below it the mIOU of the validations.

    Args:
        loss: The loss by iteration.
        miou: The mIOU by iteration, 0..1; None where no pixel was labelled.
        size: The width and height of each of the two graphs in pixels.

    Returns:
        An RGB picture.
    """
    graphs = (
        _lines({"training": dict(loss)}, ("iteration", "loss"), size),
        _lines({"validation": _in_per_cent(miou)}, ("iteration", "mIOU in %"), size),
    )
    picture = Image.new("RGB", (size[0], 2 * size[1]), "white")
    for row, graph in enumerate(graphs):
        picture.paste(graph, (0, row * size[1]))
    return picture


def _in_per_cent(points: Mapping[int, float | None]) -> dict[int, float]:
    return {x: 100 * score for x, score in points.items() if score is not None}


def _lines(curves: Mapping[str, Mapping[int, float]], titles: tuple[str, str], size: tuple[int, int]) -> Image.Image:
    """A graph of curves by name; `titles` stand below and above it."""
    every = [point for points in curves.values() for point in points.items()] or [(1, 0.0)]
    across = _ticks(0, max(x for x, _ in every))
    up = _ticks(min(y for _, y in every), max(y for _, y in every))
    # Drawn at twice its size and shrunk, since Pillow's lines have no soft edges of their own.
    picture = Image.new("RGB", (2 * size[0], 2 * size[1]), "white")
    draw = ImageDraw.Draw(picture)
    place = _draw_axes(draw, picture.size, across, up, titles)
    colours = {name: CURVES[i % len(CURVES)] for i, name in enumerate(curves)}
    for name, points in curves.items():
        spots = [place(*point) for point in points.items()]
        if len(spots) > 1:
            draw.line(spots, colours[name], width=6, joint="curve")
        for spot in spots if len(spots) <= 15 else ():
            draw.circle(spot, 8, colours[name])
    _draw_legend(draw, (picture.width - 70, picture.height - 170), colours)
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


def _draw_legend(draw: ImageDraw.ImageDraw, corner: tuple[int, int], colours: Mapping[str, Colour]) -> None:
    """The names, ending at the bottom right `corner`."""
    font = ImageFont.load_default(32)
    for row, (name, colour) in enumerate(reversed(colours.items())):
        middle = corner[1] - 25 - 50 * row
        draw.text((corner[0], middle), name, INK, font, anchor="rm")
        end = corner[0] - font.getlength(name) - 18
        draw.line((end - 60, middle, end, middle), colour, width=8)


def _ticks(low: float, high: float) -> list[float]:
    """Three to eight round numbers, evenly spaced, that enclose low..high."""
    span = max(high - low, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / 3))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, max(last, first + 1) + 1)]
