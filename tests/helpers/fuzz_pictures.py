"""Readers of pictures and films, for tests/fuzz.py: every decoder, masks, places on earth, pictures in parts, films."""

import io
import random
import struct
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

import deep_pictures
import films
import geotiffs
import numpy as np
import tifffile
import tiffs
from extras import installed
from fuzz_engine import Reader, Seed, each
from PIL import Image
from small_runs import smooth

from segcli.data.pictures import matlab
from segcli.evaluation.predictions import read_classes
from segcli.files.sources import Source
from segcli.films.opening import open_film
from segcli.films.options import FilmOptions
from segcli.images import masks, pages
from segcli.images.geo import geotiff
from segcli.images.read import read_placed, read_raster, read_valid, upright_size
from segcli.images.reading import PhotoReading
from segcli.images.strips.source import opened_strips
from segcli.labels import VOC

PLAIN = PhotoReading(max_pixels=10**5)
MASKED = PhotoReading(max_pixels=10**5, alpha="mask")
WIDTH, HEIGHT = 24, 16
_RGB, _GREY, _PALETTE = 2, 1, 3


def read_picture(folder: Path, seed: Seed) -> None:
    """Read a photo as `predict` does, and its size, its pages and where it has data."""
    path = folder / seed.path
    each(
        lambda: read_placed(path, PLAIN),
        lambda: upright_size(path, PLAIN.max_pixels),
        lambda: read_valid(path, MASKED),
        lambda: read_raster(path, PLAIN),
        lambda: _pages(path),
    )


def _pages(path: Path) -> None:
    for page in islice(pages.expand([Source(path, PurePosixPath("a"))], PLAIN.max_pixels), 1, 3):
        read_placed(path, PLAIN, page.page)


def read_parts(folder: Path, seed: Seed) -> None:
    """Read a picture in parts, as those are that memory does not hold."""
    with opened_strips(folder / seed.path, PLAIN) as strips:
        for top in range(0, min(strips.size[0], 64), 16):
            strips.raster(top, min(top + 16, strips.size[0]))


def read_mask(folder: Path, seed: Seed) -> None:
    """Read a mask as `eval`, `crf --labels` and `compare` do."""
    path = folder / seed.path
    each(
        lambda: masks.read_label_map(path, VOC),
        lambda: masks.labels_of(path),
        lambda: geotiff.texts_of(path, np.zeros((HEIGHT, WIDTH), np.uint8)),
        lambda: read_classes(path, VOC),
    )


def read_film(folder: Path, seed: Seed) -> None:
    """Read the first frames of a film."""
    film = open_film(folder / seed.path)
    for frame in islice(film.frames(FilmOptions()), 6):
        frame.draw()


def _coded(kind: str, image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _photo(seed: int = 1) -> Image.Image:
    return Image.fromarray(smooth(seed, WIDTH, HEIGHT))


def _values(kind: str, bands: int) -> np.ndarray:
    return np.random.default_rng(bands).integers(0, 250, (HEIGHT, WIDTH, bands)).astype(kind)


def _ordinary(kind: str, suffix: str) -> Sequence[Seed]:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = [_coded(kind, _photo()), _coded(kind, _photo().convert("L"))]
    plain += [_coded(kind, _photo(), exif=exif)] if kind in ("JPEG", "PNG", "WEBP") else []
    plain += [_coded(kind, _photo().convert("CMYK"))] if kind == "JPEG" else []
    plain += [_coded(kind, _photo().convert("RGBA"))] if kind in ("PNG", "WEBP", "BMP") else []
    plain += [_coded(kind, _photo(), save_all=True, append_images=[_photo(2)])] if kind in ("GIF", "WEBP") else []
    plain += [_coded(kind, _photo().quantize(16)), _coded(kind, _photo(), progressive=True)] if kind == "PNG" else []
    return [Seed(f"a.{suffix}", content) for content in plain]


def _png_16(folder: Path) -> Sequence[Seed]:
    pictures = [deep_pictures.png(_values("uint16", bands), interlaced=bands == 2) for bands in (1, 2, 3, 4)]
    return [*_ordinary("PNG", "png"), *(Seed("a.png", content) for content in pictures)]


def _pnm(folder: Path) -> Sequence[Seed]:
    pam = b"P7\nWIDTH 4\nHEIGHT 3\nDEPTH 4\nMAXVAL 65535\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + bytes(range(96))
    texts = (b"P1\n4 2\n0 1 0 1 1 0 1 0\n", b"P2\n4 2\n255\n1 2 3 4 5 6 7 8\n", b"P3\n2 1\n255\n1 2 3 4 5 6\n", pam)
    deep = b"P6\n# made by hand\n4 3\n65535\n" + bytes(range(72))
    real = b"PF\n4 3\n-1.0\n" + np.arange(36, dtype="<f4").tobytes()
    return [Seed("a.pnm", content) for content in (*texts, deep, real, _coded("PPM", _photo()))]


def _tiff(folder: Path) -> Sequence[Seed]:
    def written(name: str, *all_pages: tiffs.Page, **options: object) -> Seed:
        return Seed("a.tif", tiffs.write(folder / "x", *all_pages, **options).read_bytes(), form=name)

    mask = tiffs.page(_values("uint8", 1) % 2, 4, compression=tiffs.DEFLATE, bits=1, tags={254: (tiffs.LONG, [4])})
    names = tiffs.gdal({"DESCRIPTION": ["B01", "B02", "B03", "B04", "B8A"]})
    indices = {320: (tiffs.SHORT, list(range(768))), 42113: tiffs.text("0")}
    real = tiffs.page(_values("float32", 1), _GREY, tiffs.DEFLATE, 3, tile=(16, 16), tags={42113: tiffs.text("1")})
    return [
        written("16 bits", tiffs.page(_values("uint16", 3), _RGB, tiffs.LZW, 2, rows=4)),
        written("real", real),
        written("packed", tiffs.page(_values("uint16", 2), _GREY, tiffs.PACKBITS, bits=12)),
        written("planes", tiffs.page(_values("uint8", 5), _GREY, tiffs.DEFLATE, separate=True, tags=names), mask),
        written("indices", tiffs.page(_values("uint8", 1), _PALETTE, tags=indices)),
        written("alpha", tiffs.page(_values("uint8", 4), _RGB, extra=[2]), order=">"),
        written("big", tiffs.page(_values("uint16", 1), _GREY, tiffs.DEFLATE), big=True),
        Seed("a.tif", _coded("TIFF", _photo(), save_all=True, append_images=[_photo(2)]), form="pages"),
        *(Seed("a.tif", _coded("TIFF", _photo(), compression=kind), form=kind) for kind in ("jpeg", "tiff_lzw")),
    ]


def _stacks(folder: Path) -> Sequence[Seed]:
    planes = np.random.default_rng(0).integers(0, 250, (2, 3, 9, 11)).astype(np.uint16)
    for name, how in (("a.ome.tif", {"photometric": "minisblack"}), ("a.tif", {"imagej": True})):
        size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5} if name == "a.ome.tif" else {"spacing": 2.0, "unit": "um"}
        tifffile.imwrite(folder / name, planes, metadata={"axes": "ZCYX", **size}, **how)
    return [Seed(name, (folder / name).read_bytes()) for name in ("a.ome.tif", "a.tif")]


def _placed(folder: Path) -> Sequence[Seed]:
    seeds = [
        Seed("a.tif", geotiffs.write(folder / "x.tif", tags, 6, 8, smooth(3, 8, 6)).read_bytes(), form=name)
        for name, tags in geotiffs.PLACES.items()
    ]
    photo = _coded("JPEG", _photo())
    world = b"0.5\n0.0\n0.0\n-0.5\n500000.25\n5299999.75\n"
    wkt = (
        b'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
        b'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
    )
    aux = (
        b"<PAMDataset><SRS>%b</SRS><GeoTransform>5e5, 0.5, 0, 5.3e6, 0, -0.5</GeoTransform></PAMDataset>"
        % wkt.replace(b'"', b"&quot;")
    )
    beside = {"a.jpg": photo, "a.jgw": world, "a.prj": wkt}
    seeds += [Seed(name, data, {**beside, name: b""}, name) for name, data in (("a.jgw", world), ("a.prj", wkt))]
    return [*seeds, Seed("a.jpg.aux.xml", aux, {"a.jpg": photo}, "aux")]


def read_place_of(folder: Path, seed: Seed) -> None:
    """Read a photo with its place on earth, also where a file beside it tells it."""
    read_placed(folder / ("a.jpg" if seed.beside else seed.path), PLAIN)


def _extra(folder: Path) -> Sequence[Seed]:
    import imagecodecs

    deep = _values("uint16", 3)
    contents = [("a.jp2", _coded("JPEG2000", _photo())), ("a.jp2", imagecodecs.jpeg2k_encode(deep, level=0))]
    contents += [("a.j2k", imagecodecs.jpeg2k_encode(deep[..., 0], codecformat="j2k", level=0))]
    contents += [("a.jxl", imagecodecs.jpegxl_encode(values)) for values in (deep, deep.astype(np.uint8))]
    return [Seed(name, content) for name, content in contents]


def _masks(folder: Path) -> Sequence[Seed]:
    ids = np.random.default_rng(0).integers(0, 21, (HEIGHT, WIDTH)).astype(np.uint8)
    masks.write_label_map(folder / "a.png", ids, VOC, {"model": "x"})
    colours = VOC.colours()[ids]
    seeds = [Seed("a.png", (folder / "a.png").read_bytes()), Seed("a_labelIds.png", (folder / "a.png").read_bytes())]
    seeds += [Seed("a.png", _coded("PNG", Image.fromarray(values))) for values in (ids, colours, ids.astype(np.uint16))]
    tifffile.imwrite(folder / "a.tif", ids, photometric="minisblack", compression="deflate")
    return [*seeds, Seed("a.tif", (folder / "a.tif").read_bytes()), Seed("a.bmp", _coded("BMP", Image.fromarray(ids)))]


def _matlab(folder: Path) -> Sequence[Seed]:
    from scipy.io import savemat

    ids = np.random.default_rng(0).integers(0, 21, (HEIGHT, WIDTH)).astype(np.uint8)
    contents = []
    for content in ({"GTcls": {"Segmentation": ids}}, {"mask": ids.astype(np.float64)}):
        for compressed in (False, True):
            savemat(folder / "a.mat", content, do_compression=compressed)
            contents.append((folder / "a.mat").read_bytes())
    return [Seed("a.mat", content) for content in contents]


def _films(folder: Path) -> Sequence[Seed]:
    made = [films.write(folder / f"a.{form}", films.cards(6, 32, 24), form=form) for form in ("mp4", "matroska", "avi")]
    made += [films.write_gif(folder / f"a.{form}", films.cards(4, 32, 24), [100] * 4) for form in ("gif", "webp")]
    return [Seed(path.name, path.read_bytes()) for path in made]


def png_mended(data: bytes, chance: random.Random) -> bytes:
    """A PNG whose chunks are damaged, with checksums that fit, so that the damage is met behind them."""
    parts, place = [], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        parts.append([data[place + 4 : place + 8], data[place + 8 : place + 8 + length]])
        place += 12 + length
    if not parts:
        return data
    part = chance.choice(parts)
    changed = bytearray(part[1] or b"\0")
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    part[1] = bytes(changed)
    if chance.random() < 0.2:
        parts.insert(chance.randrange(len(parts)), chance.choice(parts))
    return data[:8] + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def tiff_tag(data: bytes, chance: random.Random) -> bytes:
    """`tiffs.absurd_tag`, where there is still a directory to damage."""
    try:
        return tiffs.absurd_tag(data, chance)
    except (struct.error, ValueError, IndexError):
        return data[::-1]


_TIFF = (tiff_tag, tiff_tag, tiff_tag)
PICTURES = (
    Reader("JPEG", lambda folder: _ordinary("JPEG", "jpg"), read_picture),
    Reader("PNG", _png_16, read_picture, (png_mended,)),
    Reader("WebP", lambda folder: _ordinary("WEBP", "webp"), read_picture),
    Reader("GIF", lambda folder: _ordinary("GIF", "gif"), read_picture),
    Reader("BMP", lambda folder: _ordinary("BMP", "bmp"), read_picture),
    Reader("PNM", _pnm, read_picture),
    Reader("TIFF", _tiff, read_picture, _TIFF, 3),
    Reader("stack", _stacks, read_picture, _TIFF),
    Reader("place", _placed, read_place_of, _TIFF, 2),
    Reader("mask", _masks, read_mask, (png_mended,), 2),
    Reader("in parts", lambda folder: [*_tiff(folder), *_png_16(folder), *_ordinary("JPEG", "jpg")], read_parts, _TIFF),
    *([Reader("JPEG 2000, XL", _extra, read_picture)] if installed("imagecodecs") else []),
    *(
        [Reader("MATLAB", _matlab, lambda folder, seed: matlab.read_matlab(folder / seed.path))]
        if installed("scipy")
        else []
    ),
    *([Reader("film", _films, read_film, share=0.3)] if installed("av") else []),
)
"""The readers of pictures that can be tried here."""
