"""Formats: the picture files that segcli reads or knows by name, told apart by their first bytes, never a suffix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from segcli.errors import InputError
from segcli.files.paths import shown

HEAD = 200
"""The number of bytes at a file's start that tell every format below."""


@dataclass(frozen=True)
class Extra:
    """An extra of segcli: a package that people install on top of it to read more formats.

    Attributes:
        name: Its name, as in `pip install segcli[name]`.
        package: The package that it brings, by pip's name.
        module: The module of that package.
    """

    name: str
    package: str
    module: str

    @property
    def installed(self) -> bool:
        """Whether its module is there to be imported; it is not imported."""
        try:
            return find_spec(self.module) is not None
        except ValueError:  # a module that something else put in its place has no spec
            return True

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {self.package}"

    def missing(self, path: Path, kind: str) -> InputError:
        """The error for a file that takes this extra; `kind` names its format."""
        message = f"{shown(path)} is a {kind} file, which needs an extra package to read"
        return InputError(message, f'Install segcli\'s extra "{self.name}": {self.install}')


HEIC = Extra("heic", "pillow-heif", "pillow_heif")
VIDEO = Extra("video", "av", "av")
RAW = Extra("raw", "rawpy", "rawpy")
JXL = Extra("jxl", "imagecodecs", "imagecodecs")
MICRO = Extra("micro", "imagecodecs", "imagecodecs")
RASTER = Extra("raster", "rasterio", "rasterio")


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: The name that people use for it.
        signature: Matches the first bytes of its files.
        pillow: Pillow's name for its decoder; empty for a format that Pillow does not read.
        keeps_ids: Whether label ids survive being stored in it: nothing is lost, and no palette renumbered.
        extra: The extra that reads it; None where none is needed, or none helps.
    """

    name: str
    signature: re.Pattern[bytes]
    pillow: str = ""
    keeps_ids: bool = False
    extra: Extra | None = None

    @property
    def is_read(self) -> bool:
        """Whether segcli reads such files, with an extra if need be."""
        return bool(self.pillow or self.extra)

    @property
    def is_read_here(self) -> bool:
        """Whether segcli reads such files as it is installed; imports nothing."""
        return self.extra.installed if self.extra else bool(self.pillow)


def _format(
    name: str, signature: bytes, pillow: str = "", keeps_ids: bool = False, extra: Extra | None = None
) -> Format:
    return Format(name, re.compile(signature, re.DOTALL), pillow, keeps_ids, extra)


CONTAINERS = {
    "mov": rb"....ftyp(isom|iso\d|mp4\d|M4V |qt  |avc1|3g[p2]\w|MSNV|XAVC|dash|hvc1|f4v )"
    rb"|[\0-\x08\x0e-\x1f]...(moov|wide|mdat)",
    "matroska": rb"\x1aE\xdf\xa3",
    "avi": rb"RIFF....AVI ",
    "asf": rb"0&\xb2u\x8ef\xcf\x11",
    "flv": rb"FLV\x01",
    "mpeg": rb"\0\0\x01\xba",
    "mpegts": rb"(....)?G@[\0\x11][\x10-\x1f].{184,188}G",
    "ogg": rb"OggS\0\x02.{22}\x80theora",
}
"""FFmpeg's name of a container of videos -> what its first bytes match."""

# First match wins: the camera raw files stand before the TIFF and MP4 containers that they are made of.
FORMATS = (
    _format("JPEG", rb"\xff\xd8\xff", "JPEG"),
    _format("PNG", rb"\x89PNG\r\n\x1a\n", "PNG", keeps_ids=True),
    _format(
        "camera raw",
        rb"II\*\0.{4}CR\x02\0|....ftypcrx |FUJIFILMCCD-RAW|II(RO|RS|U\0)|MMOR|II\x1a\0\0\0HEAPCCDR|\0MRM|FOVb",
        extra=RAW,
    ),
    _format("TIFF", rb"II[*+]\0|MM\0[*+]", "TIFF", keeps_ids=True),
    _format("WebP", rb"RIFF....WEBP", "WEBP"),
    _format("GIF", rb"GIF8[79]a", "GIF"),
    _format("BMP", rb"BM.{12}[\x0c-\x7f]\0\0\0", "BMP", keeps_ids=True),
    _format("JPEG 2000", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG2000"),
    _format("AVIF", rb"....ftyp(avif|avis|mif1.{4}.{0,16}avif)", "AVIF"),
    _format("HEIC", rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "HEIF", extra=HEIC),
    _format("PNM", rb"P[1-6]\s+[#\d]|P[Ff]\n\d", "PPM", keeps_ids=True),
    _format("PAM", rb"P7\n"),
    _format("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", extra=JXL),
    _format("Photoshop", rb"8BPS\0"),
    _format("PDF", rb"%PDF-"),
    _format("PostScript", rb"%!PS|\xc5\xd0\xd3\xc6"),
    _format("Windows metafile", rb"\xd7\xcd\xc6\x9a\0\0|\x01\0\0\0.{36} EMF"),
    _format("SVG", rb"\s*(<\?xml.*)?<svg"),
    _format("OpenEXR", rb"v/1\x01"),
    _format("FITS", rb"SIMPLE  ="),
    _format("DICOM", rb".{128}DICM"),
    _format("video", b"|".join(CONTAINERS.values())),
)
FILM = _format("film", b"|".join(CONTAINERS.values()), extra=VIDEO)
"""A video where it is read a frame at a time, which `segcli predict` does."""


def sniff(head: bytes) -> Format | None:
    """The format of a file that starts with these bytes (`HEAD` of them suffice), or None for an unknown one."""
    return next((known for known in FORMATS if known.signature.match(head)), None)


MOVING = ("GIF", "WebP")
"""The formats of pictures that may move."""


def is_film(known: Format) -> bool:
    """Whether a format is one of videos."""
    return known.name == "video"


def container(head: bytes) -> str | None:
    """FFmpeg's name of the container whose first bytes these are; None where it is none of `CONTAINERS`."""
    return next((name for name, first in CONTAINERS.items() if re.match(first, head, re.DOTALL)), None)


def counted(counts: Mapping[str, int]) -> str:
    """How many files of which formats, in words: "12 HEIC, 1 PDF"; `counts` maps names of formats to numbers."""
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def unread(counts: Mapping[str, int]) -> str:
    """The same for files that are not read: "12 HEIC (pip install pillow-heif), 1 PDF"."""
    installs = {known.name: f" ({known.extra.install})" for known in (*FORMATS, FILM) if known.extra}
    return ", ".join(f"{count} {name}{installs.get(name, '')}" for name, count in counts.items())


def extras(counts: Mapping[str, int]) -> tuple[Extra, ...]:
    """The extras that would read some of such files."""
    read = (*FORMATS, FILM)
    return tuple(dict.fromkeys(known.extra for known in read if known.extra and counts.get(known.name)))
