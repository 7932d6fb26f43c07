"""Label maps: as PNGs that hold ids and show colours, read from masks of any origin, measured and shrunk."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from segcli import __version__
from segcli.errors import InputError
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.images.opening import opened
from segcli.labels import VOID, Colour, LabelSet

PALETTE_STRATEGY = Image.RLE
"""The strategy of zlib for palette masks, which are runs of equal bytes. On 500 x 333 and 4000 x 3000 masks it gives
the size of level 6 (2.0 and 23 kB against 2.0 and 24) in half its time (0.2 and 34 ms against 0.5 and 68)."""


def write_label_map(path: Path, label_map: np.ndarray, labels: LabelSet, info: Mapping[str, str] | None = None) -> None:
    """Write a label map as a PNG that programs read as ids and people see in colours.

    uint8 becomes a palette PNG, so that `numpy.array(PIL.Image.open(path))` is the label map again. uint16, for label
    sets of more than 256 classes, becomes a grey PNG of 16 bits, since PNG has no larger palette. Text chunks hold
    the label set (`segcli:labels`, as JSON) and whatever else explains the file.

    Args:
        path: Replaced as a whole, or untouched if anything fails.
        label_map: uint8 or uint16 (H, W) of class ids; in uint8 ones 255 is void.
        labels: Names and colours of the ids.
        info: More text chunks, keyword to text; each keyword gets the prefix "segcli:".
    """
    if label_map.ndim != 2 or label_map.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a label map is uint8 or uint16 (H, W), not {label_map.dtype} {label_map.shape}")
    image = Image.fromarray(label_map)
    strategy = Image.DEFAULT_STRATEGY
    if label_map.dtype == np.uint8:
        image.putpalette(labels.colours().tobytes())
        strategy = PALETTE_STRATEGY
    with write_whole(path) as file:
        image.save(file, "PNG", compress_type=strategy, pnginfo=_text_chunks(labels, tuple((info or {}).items())))


@lru_cache(8)
def _text_chunks(labels: LabelSet, info: tuple[tuple[str, str], ...]) -> PngImagePlugin.PngInfo:
    """The text chunks of a mask, which are the same for all masks of a run."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Software", f"segcli {__version__}")
    for keyword, text in {"labels": to_json(labels.to_dict(), separators=(",", ":")), **dict(info)}.items():
        # Names of files may hold bytes that are no text.
        printable = text.encode(errors="backslashreplace").decode()
        chunks.add_text(f"segcli:{keyword}", printable, zip=len(text) > 1000)
    return chunks


def labels_of(path: Path) -> LabelSet | None:
    """The label set that a mask written by segcli names, in a PNG or a TIFF; None for masks of another origin."""
    with opened(path) as (image, _):
        texts = _tiff_texts(path) if image.format == "TIFF" else image.info
        return parsed_labels(texts.get("segcli:labels"))


def _tiff_texts(path: Path) -> Mapping[str, str]:
    from segcli.images.geo import geotiff

    return geotiff.texts_of(path)


def parsed_labels(text: str | None) -> LabelSet | None:
    """The label set that a text chunk holds; None where it holds none."""
    try:
        return LabelSet.from_dict(json.loads(text)) if text else None
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def read_label_map(path: str | Path, labels: LabelSet | None = None) -> np.ndarray:
    """Read the class ids of a mask, whoever wrote it.

    Palette and grey pictures, of 1 to 16 bits a pixel, hold ids as they are. In colour pictures each pixel must have
    exactly the colour of a class; VOC's cream and, where no class has it, black are void. Alpha is dropped.

    Args:
        path: A mask in a format that keeps ids, such as PNG, TIFF or BMP.
        labels: The palette for colour pictures.

    Returns:
        uint8 (H, W), or uint16 where the file has 16 bits a pixel.

    Raises:
        InputError: The file is missing or damaged, is in a format that does not keep ids, or has colours of no class.
    """
    from segcli.images.stored import read_stored

    path = Path(path)
    stored = read_stored(path)
    if not stored.keeps_ids:
        message = f"{shown(path)} is a {stored.format} file whose encoding may have changed the class ids"
        raise InputError(message, "Export the mask again as PNG; a converted copy stays wrong.")
    if stored.pixels.ndim == 2:
        return stored.pixels if stored.pixels.dtype == np.uint8 else _narrowed(path, stored.pixels)
    if labels is None:
        message = f"{shown(path)} holds colours, not class ids"
        raise InputError(message, "Name the label set whose palette it uses, or save it as palette PNG.")
    return _ids_of(path, stored.pixels, labels)


def _narrowed(path: Path, ids: np.ndarray) -> np.ndarray:
    """Ids of 16 or 32 bits as uint16; InputError where one does not fit."""
    if ids.dtype.kind == "f":
        raise InputError(f"{shown(path)} is a picture of mode F, not a mask", "Save it as palette PNG.")
    if ids.size and (ids.min() < 0 or ids.max() > 65535):
        raise InputError(f"{shown(path)} has values from {ids.min()} to {ids.max()}, which are no class ids")
    return ids.astype(np.uint16)


def ids_by_colour(labels: LabelSet) -> dict[Colour, int]:
    """The id that each colour of a label set means.

    Of two classes of one colour the first counts. VOC's cream and black are void where no class has them; where 255 is
    a class of its own, no colour is void.
    """
    void = {(0, 0, 0): VOID, tuple(labels.colours()[VOID].tolist()): VOID} if len(labels) <= VOID else {}
    return void | {colour: index for index, colour in reversed([*enumerate(labels.palette)])}


def _ids_of(path: Path, rgb: np.ndarray, labels: LabelSet) -> np.ndarray:
    """The ids (H, W) of exact colours (H, W, 3): uint8, or uint16 for more than 256 classes."""
    colours = {_code(*colour): index for colour, index in ids_by_colour(labels).items()}
    codes = np.array(sorted(colours), np.uint32)
    ids = np.array([colours[code] for code in codes.tolist()], np.uint8 if len(labels) <= 256 else np.uint16)
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), 2, 0)
    pixels = _code(red, green, blue)
    nearest = np.searchsorted(codes, pixels).clip(max=len(codes) - 1)
    unknown = pixels[codes[nearest] != pixels]
    if unknown.size:
        values, counts = np.unique(unknown, return_counts=True)
        red, green, blue = int(values[counts.argmax()]).to_bytes(3, "big")
        message = (
            f"{shown(path)} has {unknown.size} pixels in {values.size} colours that no class of {labels.name} has, "
            f"most of them ({red}, {green}, {blue})"
        )
        raise InputError(message, "Name the label set whose palette it uses, or map the colours before.")
    return ids[nearest]


def _code(red, green, blue):
    """One number for a colour; ints give an int, arrays an array."""
    return (red << 16) | (green << 8) | blue


def areas(label_map: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of each class in a label map, and their share of the picture.

    Args:
        label_map: uint8 or uint16 (H, W); ids from `classes` on, void for one, count for no class.
        classes: The number of classes, K.

    Returns:
        int64 (K,) pixels, and float64 (K,) per cent of all pixels of the picture, void included.
    """
    pixels = np.zeros(classes, np.int64)
    if label_map.dtype == np.uint8:
        counts = np.array(Image.fromarray(label_map).histogram())[:classes]  # a quarter of bincount's time
        pixels[: len(counts)] = counts
        return pixels, 100 * pixels / max(1, label_map.size)
    for strip in np.array_split(label_map, max(1, label_map.size // 4_000_000)):  # bincount takes 8 bytes a pixel
        pixels += np.bincount(strip.ravel(), minlength=classes)[:classes]
    return pixels, 100 * pixels / max(1, label_map.size)


def shrink_label_map(label_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map (H, W) at another (height, width): each pixel takes the id at its centre, none is mixed."""
    rows, columns = (nearest_indices(before, after) for before, after in zip(label_map.shape, size, strict=True))
    return label_map.take(rows, 0).take(columns, 1)


def nearest_indices(before: int, after: int, align_corners: bool = False) -> np.ndarray:
    """The nearest of `before` pixels along one axis for each of `after` ones: int64 (after,), ascending.

    Args:
        before: Pixels of the side that is there.
        after: Pixels of the side that is wanted.
        align_corners: Put the centres of the outermost pixels upon each other, so that a side of 8 n + 1 becomes
            n + 1 by keeping every eighth pixel. Otherwise the pixels' outer edges meet, and each pixel takes the one
            that its centre lies in.
    """
    if align_corners:
        return np.rint(np.arange(after) * ((before - 1) / max(after - 1, 1))).astype(np.int64)
    return (2 * np.arange(after, dtype=np.int64) + 1) * before // (2 * after)
