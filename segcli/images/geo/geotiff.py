"""GeoTIFF: label maps that a map program lays where the photo was, in the classes' colours and by their names."""

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from segcli import __version__
from segcli.errors import InputError
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.images.decoders.tiff.directory import directories
from segcli.images.decoders.tiff.layout import GDAL_METADATA, NO_DATA
from segcli.images.geo import sidecars
from segcli.images.geo.geotags import KEY_TEXT, KEYS, Tags
from segcli.images.geo.place import Place
from segcli.images.opening import opened_file
from segcli.labels import LabelSet

TILE = 512
_ASCII, _SHORT, _DOUBLE = 2, 3, 12
_PREFIX, _STORED_PREFIX = "segcli:", "segcli_"
"""How texts are called here, as in PNG's chunks, and in GDAL's metadata, whose names may hold no colon."""
_PIXELS = "pixels"
_MOST_XML = 2**22
_LARGE = 2**32 - 2**26


def write_label_map(
    path: Path, label_map: np.ndarray, labels: LabelSet, place: Place, info: Mapping[str, str] | None = None
) -> Path:
    """Write a label map as a GeoTIFF, and beside it the .aux.xml that gives QGIS the classes' names.

    One band of uint8 with a colour table, or of uint16 without one from 256 classes on, since only few programs know
    larger palettes; in tiles of 512, deflated. Void (255, or 65535) is declared as no-data; background is not.

    Args:
        path: Replaced as a whole, or untouched if anything fails.
        label_map: uint8 or uint16 (H, W) of class ids.
        labels: Names and colours of the ids.
        place: Where the photo lies; its tags are written as they are where the sizes are the same.
        info: What else explains the file, as in PNG's text chunks.

    Returns:
        The path of the .aux.xml.
    """
    place = place.of_size(label_map.shape)
    return _write(path, label_map, _Map(label_map.shape, label_map.dtype, digest(label_map)), labels, place, info)


def write_label_rows(
    path: Path,
    tiles: Iterator[np.ndarray],
    shape: tuple[int, int],
    dtype: np.dtype,
    checksum: int,
    labels: LabelSet,
    place: Place | None,
    info: Mapping[str, str] | None = None,
) -> Path:
    """Write a label map that need not fit into memory, byte for byte as `write_label_map` writes it.

    Args:
        path: Replaced as a whole, or untouched if anything fails.
        tiles: The map's tiles from `tiles_of`, row after row.
        shape: The map's (height, width).
        dtype: uint8 or uint16.
        checksum: The CRC-32 of the map's bytes, row after row.
        labels: Names and colours of the ids.
        place: Where the picture lies; None where that is not known.
        info: What else explains the file.

    Returns:
        The path of the .aux.xml.
    """
    place = None if place is None else place.of_size(shape)
    return _write(path, tiles, _Map(shape, np.dtype(dtype), f"{checksum:08x}"), labels, place, info)


def write_pixel_rows(path: Path, tiles: Iterator[np.ndarray], shape: tuple[int, ...], place: Place | None) -> None:
    """Write a picture that need not fit into memory as a GeoTIFF in tiles of 512, deflated.

    Args:
        path: Replaced as a whole, or untouched if anything fails.
        tiles: Its tiles from `tiles_of`, uint8, row after row.
        shape: (height, width) of grey; (height, width, 3) of colours, or 4 with alpha.
        place: Where it lies; None where that is not known.
    """
    import tifffile

    kind = {"photometric": "minisblack" if len(shape) == 2 else "rgb"}
    kind |= {"extrasamples": ("unassalpha",)} if shape[2:] == (4,) else {}
    geotags = () if place is None else tuple(_as_written(place.of_size(shape[:2]).tags))
    layout = {"tile": (TILE, TILE), "compression": "zlib", "metadata": None, "extratags": geotags, **kind}
    with write_whole(path) as file, tifffile.TiffWriter(file, bigtiff=math.prod(shape) > _LARGE) as writer:
        writer.write(tiles, shape=shape, dtype=np.uint8, software=f"segcli {__version__}", **layout)


def tiles_of(bands: Iterable[np.ndarray], width: int) -> Iterator[np.ndarray]:
    """The tiles of a map that comes in bands of rows (rows, width) of any height: (TILE, TILE), zero beyond it.

    Those of a picture with channels last have them too.
    """
    left: list[np.ndarray] = []
    for band in bands:
        left.append(band)
        while sum(map(len, left)) >= TILE:
            rows = np.concatenate(left)
            yield from _tiles(rows[:TILE], width)
            left = [rows[TILE:]]
    if sum(map(len, left)):
        yield from _tiles(np.concatenate(left), width)


def _tiles(rows: np.ndarray, width: int) -> Iterator[np.ndarray]:
    for start in range(0, width, TILE):
        tile = np.zeros((TILE, TILE, *rows.shape[2:]), rows.dtype)
        part = rows[:, start : start + TILE]
        tile[: part.shape[0], : part.shape[1]] = part
        yield tile


@dataclass(frozen=True)
class _Map:
    """What is known of a label map before its pixels are written."""

    shape: tuple[int, int]
    dtype: np.dtype
    digest: str


def _write(
    path: Path,
    data: np.ndarray | Iterator[np.ndarray],
    facts: _Map,
    labels: LabelSet,
    place: Place | None,
    info: Mapping[str, str] | None,
) -> Path:
    """Write a map and the .aux.xml beside it; the path of the latter."""
    import tifffile

    palette = facts.dtype == np.uint8
    options = (
        {"photometric": "palette", "colormap": _colour_table(labels)} if palette else {"photometric": "minisblack"}
    )
    texts = [
        (GDAL_METADATA, _metadata(labels, {**(info or {}), _PIXELS: facts.digest})),
        (NO_DATA, str(np.iinfo(facts.dtype).max)),
    ]
    geotags = () if place is None else _as_written(place.tags)
    tags = [*geotags, *((tag, _ASCII, None, text, True) for tag, text in texts)]
    size = facts.shape[0] * facts.shape[1] * facts.dtype.itemsize
    with write_whole(path) as file, tifffile.TiffWriter(file, bigtiff=size > _LARGE) as writer:
        writer.write(
            data,
            shape=facts.shape,
            dtype=facts.dtype,
            tile=(TILE, TILE),
            compression="zlib",
            metadata=None,
            software=f"segcli {__version__}",
            extratags=tags,
            **options,
        )
    beside = sidecars.aux_path(path)
    with write_whole(beside) as file:
        file.write(sidecars.pam(labels.names, labels.palette, place.crs.wkt if place else ""))
    return beside


def _colour_table(labels: LabelSet) -> np.ndarray:
    """Red, green and blue of all 256 values, uint16 (3, 256)."""
    return labels.colours().T.astype(np.uint16) * 257


def _as_written(tags: Tags) -> Iterator[tuple]:
    """Geotags as tifffile takes them."""
    for tag, values in sorted(tags.items()):
        if tag == KEY_TEXT:
            yield tag, _ASCII, len(values), bytes(values), True
        else:
            kind = _SHORT if tag == KEYS else _DOUBLE
            yield tag, kind, len(values), tuple(values.tolist()), True


def _metadata(labels: LabelSet, info: Mapping[str, str]) -> str:
    """GDAL's metadata: the name of each class, and segcli's own texts."""
    root = ElementTree.Element("GDALMetadata")
    items = {f"CLASS_{index}": name for index, name in enumerate(labels.names)}
    texts = {"labels": to_json(labels.to_dict(), separators=(",", ":")), **info}
    items |= {_STORED_PREFIX + keyword: text for keyword, text in texts.items()}
    for name, text in items.items():
        ElementTree.SubElement(root, "Item", name=sidecars.xml_text(name)).text = sidecars.xml_text(text)
    return ElementTree.tostring(root).decode()  # other letters than ASCII's as references


def digest(label_map: np.ndarray) -> str:
    """What tells whether somebody has changed the pixels since; programs for maps edit files in place."""
    return f"{zlib.crc32(np.ascontiguousarray(label_map)):08x}"


def texts_of(path: Path, pixels: np.ndarray | None = None) -> dict[str, str]:
    """What segcli wrote about a TIFF, by keyword with the prefix "segcli:"; empty for files of another origin.

    Args:
        path: The file.
        pixels: What it holds, (H, W), where it matters: somebody who changed them made the labels, and no model is
            named any more.
    """
    try:
        with opened_file(path) as (file, known):
            text = next(directories(file)).text(GDAL_METADATA) if known.name == "TIFF" else ""
        if _STORED_PREFIX not in text or len(text) > _MOST_XML or "<!" in text:
            return {}
        items = [(item.get("name", ""), item.text or "") for item in ElementTree.fromstring(text).iter("Item")]
    except (InputError, OSError, ValueError, ElementTree.ParseError):
        return {}
    texts = {
        _PREFIX + name.removeprefix(_STORED_PREFIX): text for name, text in items if name.startswith(_STORED_PREFIX)
    }
    if pixels is not None and texts.pop(_PREFIX + _PIXELS, "") != digest(pixels):
        texts.pop(_PREFIX + "model", None)
    return texts
