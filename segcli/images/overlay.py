"""Overlays: the photo tinted by class, with borders and a legend, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from segcli.files.atomic import write_whole
from segcli.images import legend
from segcli.images.distinct import distinct
from segcli.images.legend import Row
from segcli.images.masks import areas, shrink_label_map
from segcli.images.overlay_style import PLAIN, OverlayStyle
from segcli.labels import BACKGROUND, LabelSet

JPEG = {"quality": 90, "subsampling": 0}
"""Pillow's settings for overlays. On 1920 x 1440 pixels: 0.39 to 0.49 MB, 47 to 48 dB; 4:2:0 saves a sixth and smears
the borders by 1 to 3 dB."""

RESAMPLING = Image.Resampling.HAMMING
"""The way in which photos are shrunk."""
_BUSY = np.uint8(10)
"""A legend over one pixel of a border hides as much as one over so many pixels inside a region."""


def overlay(rgb: np.ndarray, label_map: np.ndarray, labels: LabelSet, style: OverlayStyle = PLAIN) -> Image.Image:
    """Draw a label map over its photo.

    A class called "background" and void stay as they are; every other class is tinted and bordered in its colour. The
    legend lists the classes by area, those below one per cent in one line. In a corner it stands where it hides least
    of them, covers at most a fifth of the picture, and is left out where it could not be read. Its type has Latin
    letters only.

    Args:
        rgb: uint8 (H, W, 3).
        label_map: uint8 or uint16 (H, W).
        labels: Names and colours of the ids.
        style: How it looks; photos smaller than its size keep theirs.

    Returns:
        An RGB picture.
    """
    percent = areas(label_map, len(labels))[1]
    return drawn(*_shrunk(rgb, label_map, style), percent, labels, style)


def drawn(
    picture: Image.Image, label_map: np.ndarray, percent: np.ndarray, labels: LabelSet, style: OverlayStyle = PLAIN
) -> Image.Image:
    """The same of a photo and a label map that have the size of the result, but for a legend below.

    Args:
        picture: RGB; it may be changed.
        label_map: uint8 or uint16 (h, w).
        percent: float64 (K,), the share of each class in the photo.
        labels: Names and colours of the ids.
        style: How it looks.
    """
    labels = coloured(labels, style)
    detail = _tinted(picture, label_map, labels, style)
    rows = [row for row in _rows(percent, labels) if row.percent > 0]
    classes = [row for row in rows if row.name != BACKGROUND] or [replace(row, colour=None) for row in rows]
    listed = legend.merged(sorted(classes, key=lambda row: -row.percent))
    if style.legend == "below":
        return legend.below(picture, listed)
    if style.legend == "corner":
        legend.add(picture, listed, partial(_freest_corner, detail))
    return picture


def film_overlay(
    rgb: np.ndarray, label_map: np.ndarray, labels: LabelSet, listed: Sequence[int], style: OverlayStyle = PLAIN
) -> Image.Image:
    """Draw a label map over a frame of a film, as `overlay` does, with a legend that stays where and as it is.

    Args:
        rgb: uint8 (H, W, 3).
        label_map: uint8 or uint16 (H, W).
        labels: Names and colours of the ids.
        listed: The ids that the legend lists, in this order, at the bottom on the left.
        style: How it looks; frames smaller than its size keep theirs, and a legend is on the picture: one below it
            would grow in the middle of the film.

    Returns:
        An RGB picture.
    """
    labels = coloured(labels, style)
    rows = _rows(areas(label_map, len(labels))[1], labels)
    picture, small = _shrunk(rgb, label_map, style)
    _tinted(picture, small, labels, style)
    if style.legend != "off":
        legend.add(picture, [rows[index] for index in listed], partial(_bottom_left, picture.height))
    return picture


def coloured(labels: LabelSet, style: OverlayStyle) -> LabelSet:
    """The classes in the colours that a style gives them."""
    return distinct(labels) if style.palette == "distinct" else labels


def _rows(percent: np.ndarray, labels: LabelSet) -> list[Row]:
    """A line for each class, in the order of the ids, by their shares (K,) of the photo."""
    return [Row(*row) for row in zip(labels.names, labels.palette, percent, strict=True)]


def _tinted(picture: Image.Image, label_map: np.ndarray, labels: LabelSet, style: OverlayStyle) -> np.ndarray:
    """Tint a picture without a legend; how much there is to be seen at each pixel, uint8 (H, W)."""
    coloured = _by_id(np.array([name != BACKGROUND for name in labels.names]), label_map)
    borders = coloured & _borders(label_map)
    tint = Image.fromarray(_tint(label_map, borders, labels, style))
    picture.paste(tint, mask=tint)
    return coloured + _BUSY * borders


def write_overlay(path: Path, picture: Image.Image) -> None:
    """Write an overlay as a JPEG, whole or not at all."""
    with write_whole(path) as file:
        picture.save(file, "JPEG", **JPEG)


def _shrunk(rgb: np.ndarray, label_map: np.ndarray, style: OverlayStyle) -> tuple[Image.Image, np.ndarray]:
    small = style.shrunk(label_map.shape)
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


def _tint(label_map: np.ndarray, borders: np.ndarray, labels: LabelSet, style: OverlayStyle) -> np.ndarray:
    """uint8 (H, W, 4) red, green, blue, opacity: each pixel's class colour, paler and opaque at borders.

    Dark classes have bright outlines so, too. Outlines alone are less pale, since nothing else tells the class.
    """
    colours = np.array(labels.palette, np.uint16)
    opacity = 0 if style.outline_only else style.opacity
    opacities = [0 if name == BACKGROUND else round(255 * opacity) for name in labels.names]
    paler = 255 - (255 - colours) * (2 if style.outline_only else 1) // 3
    plain, pale = _packed(colours, opacities), _packed(paler, 255)
    # Both colours in one table, looked up once: a border has the numbers behind those of all ids.
    table = np.concatenate([_table(colour, label_map.dtype) for colour in (plain, pale)])
    numbers = borders.astype(np.uint32 if len(table) > 1 << 16 else np.uint16)
    numbers *= len(table) // 2
    numbers += label_map
    return table.take(numbers).view(np.uint8).reshape(*label_map.shape, 4)


def _packed(colours: np.ndarray, opacities: ArrayLike) -> np.ndarray:
    """uint8 (K, 3) colours and their (K,) opacities as one uint32 (K,) each, which is looked up faster."""
    columns = [*colours.astype(np.uint8).T, np.broadcast_to(np.asarray(opacities, np.uint8), len(colours))]
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


def _bottom_left(height: int, panel: tuple[int, int], margin: int) -> tuple[int, int]:
    """The top left of the panel at the bottom left of a picture of that height."""
    return margin, height - panel[1] - margin


def _freest_corner(detail: np.ndarray, panel: tuple[int, int], margin: int) -> tuple[int, int]:
    """The top left of the panel in the corner where it hides the least of what (H, W) counts."""
    height, width = detail.shape
    right, bottom = width - panel[0] - margin, height - panel[1] - margin
    corners = [(margin, bottom), (right, bottom), (margin, margin), (right, margin)]
    return min(corners, key=lambda xy: detail[xy[1] : xy[1] + panel[1], xy[0] : xy[0] + panel[0]].sum())
