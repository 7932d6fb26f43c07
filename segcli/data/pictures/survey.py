"""Survey: a look at all masks of a dataset, of which only small facts are kept."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from segcli.data.pictures.pixels import as_grey, padded, read_pixels
from segcli.errors import InputError
from segcli.images import masks
from segcli.images.stored import Stored
from segcli.labels import LabelSet

MOST = 1024
"""The most values or colours of one mask that are kept; of more, the commonest."""
SAMPLED = 1 << 20
"""The pixels of a picture of very many colours that are counted, evenly chosen."""
RINGING = 24
"""How far the pixels of one region may differ where the format, such as JPEG, rings."""
_GREY = 0x010101

Kind = Literal["values", "palette", "colours"]
"""What the pixels of a mask are: values, indices of a palette, or colours."""


@dataclass(frozen=True)
class Facts:
    """What one mask holds.

    Attributes:
        path: The mask.
        kind: What its pixels are.
        codes: int64 (n,), ascending: its values, indices, or colours as 0xRRGGBB.
        counts: int64 (n,), the pixels of each.
        solid: bool (n,), whether somewhere 3 x 3 pixels have this value; edges that were smoothed have no such place.
            In lossy formats they nearly have it.
        shown: int64 (n,), the colours 0xRRGGBB that a viewer shows for the codes; None where values have none.
        clear: (pixels more transparent than opaque, pixels between the two) where some are transparent and some opaque;
            else (0, 0). The codes are then those of the opaque pixels; where they are colours the others are black.
        pixels: All pixels.
        complete: Whether `codes` lists all there are.
        keeps_ids: Whether the file's format keeps values exactly.
        deep: Whether the file has more than 8 bits a pixel.
    """

    path: Path
    kind: Kind
    codes: np.ndarray
    counts: np.ndarray
    solid: np.ndarray
    shown: np.ndarray | None
    clear: tuple[int, int]
    pixels: int
    complete: bool = True
    keeps_ids: bool = True
    deep: bool = False

    @cached_property
    def grey(self) -> "Facts | None":
        """The same mask by the greys, 0..255, that it shows; None where it shows other colours."""
        if self.shown is None or np.any(self.shown % _GREY):
            return None
        codes, place = np.unique(self.shown // _GREY, return_inverse=True)
        counts, solid = np.zeros(len(codes), np.int64), np.zeros(len(codes), bool)
        np.add.at(counts, place, self.counts)
        np.logical_or.at(solid, place, self.solid)
        return replace(self, kind="values", codes=codes, counts=counts, solid=solid, shown=codes * _GREY)

    def by_code(self) -> dict[int, int]:
        """Code -> pixels."""
        return dict(zip(self.codes.tolist(), self.counts.tolist(), strict=True))


@dataclass(frozen=True)
class Survey:
    """The masks of a dataset.

    Attributes:
        files: What each mask holds, of those that can be read.
        broken: Masks that cannot be read -> why.
        predictions: Masks that a model made and nobody is known to have corrected.
        labels: The label set that every mask of segcli's among them names; None where they differ or there is none.
    """

    files: tuple[Facts, ...]
    broken: Mapping[Path, InputError] = field(default_factory=dict)
    predictions: tuple[Path, ...] = ()
    labels: LabelSet | None = None


def survey(paths: Iterable[Path], tick: Callable[[], None] | None = None) -> Survey:
    """Look at all masks of a dataset, each once.

    Args:
        paths: The masks.
        tick: Called for each of them.
    """
    files, broken, predictions, texts = [], {}, [], set()
    for path in paths:
        try:
            stored = read_pixels(path)
        except InputError as error:
            broken[path] = error
        else:
            files.append(facts(path, stored))
            texts.add(stored.text.get("segcli:labels"))
            if "segcli:model" in stored.text:
                predictions.append(path)
        if tick is not None:
            tick()
    labels = masks.parsed_labels(texts.pop()) if len(texts) == 1 else None
    return Survey(tuple(files), broken, tuple(predictions), labels)


def facts(path: Path, stored: Stored) -> Facts:
    """What a mask holds.

    Args:
        path: The mask.
        stored: Its pixels, as `read_pixels` gives them.
    """
    transparent, clear = _clear(stored)
    if stored.pixels.ndim == 3:
        codes, counts, solid, complete = _colours(stored.pixels, transparent)
        kind, shown = "colours", codes
    else:
        values = stored.pixels if transparent is None else stored.pixels[~transparent].reshape(1, -1)
        codes, counts, solid, complete = _values(values, 0 if stored.keeps_ids else RINGING)
        kind, shown = "values" if stored.palette is None else "palette", _shown(codes, stored)
    deep = stored.pixels.dtype.itemsize > 1 and stored.format != "MATLAB"
    return Facts(
        *(path, kind, codes, counts, solid, shown, clear),
        *(stored.pixels.shape[0] * stored.pixels.shape[1], complete, stored.keeps_ids, deep),
    )


def _clear(stored: Stored) -> tuple[np.ndarray | None, tuple[int, int]]:
    """Where a mask is transparent, bool (H, W), if it is opaque elsewhere; and `Facts.clear`."""
    if stored.alpha is None:
        return None, (0, 0)
    histogram = np.array(Image.fromarray(stored.alpha).histogram())
    if not histogram[:128].sum() or not histogram[128:].sum():
        return None, (0, 0)
    return stored.alpha < 128, (int(histogram[:128].sum()), int(histogram[8:248].sum()))


def _values(values: np.ndarray, tolerance: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """The values of a mask, their pixels, whether they are solid within a tolerance, and whether these are all."""
    if values.dtype == np.uint16:
        counts = np.bincount(values.ravel())  # a third of np.unique's time
        codes = np.flatnonzero(counts)
        return _commonest(codes, counts[codes])
    if values.dtype != np.uint8:
        return _commonest(*np.unique(values, return_counts=True))
    histogram = np.array(Image.fromarray(values).histogram())
    codes = np.flatnonzero(histogram)
    solid = np.ones(len(codes), bool)
    if len(codes) > 2:
        inside = values[1:-1, 1:-1][_flat(values, tolerance) if tolerance else _uniform(values)]
        solid = np.array(Image.fromarray(inside.reshape(1, -1)).histogram() if inside.size else [0] * 256)[codes] > 0
    return codes, histogram[codes], solid, True


def _commonest(codes: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    kept = np.sort(np.argsort(counts, kind="stable")[-MOST:])
    return codes[kept].astype(np.int64), counts[kept], np.ones(len(kept), bool), len(kept) == len(codes)


def _uniform(codes: np.ndarray) -> np.ndarray:
    """Whether the 3 x 3 pixels around each inner pixel are all alike: bool (H - 2, W - 2)."""
    if min(codes.shape) < 3:
        return np.zeros((max(0, codes.shape[0] - 2), max(0, codes.shape[1] - 2)), bool)
    beside, below = codes[:, 1:] == codes[:, :-1], codes[1:] == codes[:-1]
    rows, columns = beside[:, 1:] & beside[:, :-1], below[1:] & below[:-1]
    return rows[1:-1] & rows[:-2] & rows[2:] & columns[:, 1:-1]


def _flat(values: np.ndarray, tolerance: int) -> np.ndarray:
    """Whether the 3 x 3 pixels around each inner pixel differ by no more than a tolerance: bool (H - 2, W - 2)."""
    if min(values.shape) < 3:
        return _uniform(values)
    windows = np.lib.stride_tricks.sliding_window_view(values, (3, 3))
    return windows.max((2, 3)) - windows.min((2, 3)) <= tolerance


def _colours(rgb: np.ndarray, transparent: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """As `_values`, of colours (H, W, 3); transparent pixels count as black ones."""
    if transparent is not None:
        rgb = np.where(transparent[..., None], np.uint8(0), rgb)
    listed = Image.fromarray(rgb).getcolors(MOST)
    if listed is None:
        sample = packed(rgb.reshape(-1, 3)[:: max(1, rgb.shape[0] * rgb.shape[1] // SAMPLED)])
        codes, counts = np.unique(sample, return_counts=True)
        codes, counts, _, _ = _commonest(codes, counts * (rgb.shape[0] * rgb.shape[1]) // sample.size)
        return codes, counts, np.zeros(len(codes), bool), False
    codes = packed(np.array([colour for _, colour in listed], np.uint8)).astype(np.int64)
    counts = np.array([count for count, _ in listed], np.int64)
    order = np.argsort(codes)
    codes, counts = codes[order], counts[order]
    return codes, counts, np.isin(codes, _solid_colours(rgb) if len(codes) > 2 else codes), True


def _solid_colours(rgb: np.ndarray) -> list[int]:
    """The colours 0xRRGGBB of pixels whose neighbours are all like them."""
    codes = packed(rgb)
    inside = np.ascontiguousarray(codes[1:-1, 1:-1][_uniform(codes)], "<u4").view(np.uint8)
    listed = Image.frombuffer("RGBA", (inside.size // 4, 1), inside).getcolors(MOST) if inside.size else []
    return [blue | green << 8 | red << 16 for _, (blue, green, red, _) in listed]


def packed(rgb: np.ndarray) -> np.ndarray:
    """Colours uint8 (..., 3) as uint32 (...) of 0xRRGGBB."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    return (red.astype(np.uint32) << 16) | (green.astype(np.uint32) << 8) | blue


def _shown(codes: np.ndarray, stored: Stored) -> np.ndarray | None:
    """The colours 0xRRGGBB that a viewer shows for values or indices; None where values are not to be shown."""
    if stored.palette is not None:
        return packed(padded(stored.palette)).astype(np.int64)[codes]
    greys = as_grey(codes, stored.white)
    return None if greys is None else greys * _GREY
