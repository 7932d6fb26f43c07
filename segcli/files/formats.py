"""Formats: the picture files that segcli reads or knows by name, told apart by their first bytes, never a suffix."""

import re
from dataclasses import dataclass

HEAD = 160
"""The number of bytes at a file's start that tell every format below."""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: The name that people use for it.
        signature: Matches the first bytes of its files.
        pillow: Pillow's name for its decoder; empty for a format that segcli refuses.
        keeps_ids: Whether label ids survive being stored in it: nothing is lost, and no palette renumbered.
    """

    name: str
    signature: re.Pattern[bytes]
    pillow: str = ""
    keeps_ids: bool = False


def _format(name: str, signature: bytes, pillow: str = "", keeps_ids: bool = False) -> Format:
    return Format(name, re.compile(signature, re.DOTALL), pillow, keeps_ids)


# First match wins: the camera raw files stand before the TIFF and MP4 containers that they are made of.
FORMATS = (
    _format("JPEG", rb"\xff\xd8\xff", "JPEG"),
    _format("PNG", rb"\x89PNG\r\n\x1a\n", "PNG", keeps_ids=True),
    _format("camera raw", rb"II\*\0.{4}CR\x02\0|....ftypcrx |FUJIFILMCCD-RAW|II(RO|RS|U\0)|MMOR"),
    _format("TIFF", rb"II[*+]\0|MM\0[*+]", "TIFF", keeps_ids=True),
    _format("WebP", rb"RIFF....WEBP", "WEBP"),
    _format("GIF", rb"GIF8[79]a", "GIF"),
    _format("BMP", rb"BM.{12}[\x0c-\x7f]\0\0\0", "BMP", keeps_ids=True),
    _format("JPEG 2000", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG2000"),
    _format("AVIF", rb"....ftyp(avif|avis|mif1.{4}.{0,16}avif)", "AVIF"),
    _format("HEIC", rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "HEIF"),
    _format("PNM", rb"P[1-6]\s+[#\d]|P[Ff]\n\d", "PPM", keeps_ids=True),
    _format("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    _format("Photoshop", rb"8BPS\0"),
    _format("PDF", rb"%PDF-"),
    _format("PostScript", rb"%!PS|\xc5\xd0\xd3\xc6"),
    _format("Windows metafile", rb"\xd7\xcd\xc6\x9a\0\0|\x01\0\0\0.{36} EMF"),
    _format("SVG", rb"\s*(<\?xml.*)?<svg"),
    _format("OpenEXR", rb"v/1\x01"),
    _format("FITS", rb"SIMPLE  ="),
    _format("DICOM", rb".{128}DICM"),
    _format("video", rb"....ftyp(isom|iso\d|mp4\d|M4V |qt  |avc1)|\x1aE\xdf\xa3|RIFF....AVI "),
)


def sniff(head: bytes) -> Format | None:
    """The format of a file that starts with these bytes (`HEAD` of them suffice), or None for an unknown one."""
    return next((known for known in FORMATS if known.signature.match(head)), None)
