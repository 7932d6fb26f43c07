import io

import numpy as np
import pytest
from PIL import Image

from segcli.files.formats import FORMATS, HEAD, sniff


@pytest.mark.parametrize(
    ("pillow", "options", "name"),
    [
        ("JPEG", {}, "JPEG"),
        ("PNG", {}, "PNG"),
        ("TIFF", {}, "TIFF"),
        ("TIFF", {"big_tiff": True}, "TIFF"),
        ("WEBP", {}, "WebP"),
        ("GIF", {}, "GIF"),
        ("BMP", {}, "BMP"),
        ("JPEG2000", {}, "JPEG 2000"),
        ("JPEG2000", {"no_jp2": True}, "JPEG 2000"),
        ("AVIF", {}, "AVIF"),
        ("PPM", {}, "PNM"),
        ("PDF", {}, "PDF"),
        ("EPS", {}, "PostScript"),
    ],
)
def test_what_pillow_writes_is_told_by_its_head(pillow, options, name):
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)).save(data, pillow, **options)
    assert sniff(data.getvalue()[:HEAD]).name == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"P6\n# Created by a program\n4 4\n255\n", "PNM"),
        (b"P5 4 4 65535\n", "PNM"),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "camera raw"),
        (b"RIFF\x10\0\0\0AVI LIST", "video"),
        (b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns=', "SVG"),
        (bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_neighbours_are_told_apart(head, name):
    assert sniff(head).name == name


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"BM is how this letter starts, and it goes on",
        b"P5 is a paper size?",
        b"GIF98a",
        b"RIFF\x10\0\0\0WAVEfmt ",
    ],
)
def test_other_content_is_unknown(head):
    assert sniff(head) is None


def test_pillow_knows_every_decoder_by_its_name():
    Image.init()
    assert {known.pillow for known in FORMATS} - {"", "HEIF"} <= set(Image.OPEN)
