"""Suffixes: what a file is taken for by its name.

Objects of a store are chosen by it, since opening a million of them only to look costs hours; what is fetched is then
looked at as every file is. Of files on this computer the content decides, and the name says which are damaged.
"""

from segcli.files import formats
from segcli.files.formats import Format

BY_FORMAT = {
    "JPEG": ".jpg .jpeg .jpe .jfif",
    "PNG": ".png",
    "camera raw": ".cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .raf .rw2 .orf .pef .srw .dng .x3f .3fr .iiq .erf .mrw",
    "TIFF": ".tif .tiff .btf .tf8",
    "WebP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp .dib",
    "JPEG 2000": ".jp2 .j2k .jpf .jpx .j2c .jpc",
    "AVIF": ".avif .avifs",
    "HEIC": ".heic .heif .hif",
    "PNM": ".pnm .ppm .pgm .pbm .pfm",
    "PAM": ".pam",
    "JPEG XL": ".jxl",
    "Photoshop": ".psd .psb",
    "PDF": ".pdf",
    "PostScript": ".ps .eps",
    "Windows metafile": ".wmf .emf",
    "SVG": ".svg",
    "OpenEXR": ".exr",
    "FITS": ".fits .fit",
    "DICOM": ".dcm",
    "video": ".mp4 .m4v .mov .qt .3gp .mkv .webm .avi .wmv .asf .flv .mpg .mpeg .ts .mts .m2ts .ogv",
}
"""The name of a format -> the suffixes that its files usually have."""
_FORMATS = {known.name: known for known in formats.FORMATS}
_KNOWN = {suffix: _FORMATS[name] for name, suffixes in BY_FORMAT.items() for suffix in suffixes.split()}


def taken_for(name: str) -> Format | None:
    """The format that a name speaks of; None where it speaks of none."""
    stem, dot, suffix = name.rpartition(".")
    return _KNOWN.get(f".{suffix.lower()}") if dot and stem else None


def is_beside(name: str) -> bool:
    """Whether a name may be that of a file beside a photo that says where it lies, or where it has data."""
    lower = name.lower()
    return lower.endswith((".aux.xml", ".prj", ".msk", ".wld", "w"))
