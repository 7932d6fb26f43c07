import io
import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from segcli.files.formats import FORMATS, HEAD, HEIC, JXL, RAW, counted, extras, sniff, unread


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
        (b"P7\nWIDTH 4\nHEIGHT 4\n", "PAM"),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "camera raw"),
        (b"II\x1a\0\0\0HEAPCCDR\2\0", "camera raw"),
        (b"\0MRM\0\0\xf5\x7c", "camera raw"),
        (b"FOVb\0\0\2\0", "camera raw"),
        (b"\xff\x0a\x7f\x02", "JPEG XL"),
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


def test_what_an_extra_reads_is_told_apart_from_what_nothing_reads(monkeypatch):
    for module in ("pillow_heif", "rawpy", "imagecodecs"):
        monkeypatch.setitem(sys.modules, module, None)
    known = {known.name: (known.is_read, known.is_read_here) for known in FORMATS}
    assert known["JPEG"] == known["TIFF"] == (True, True)
    assert known["HEIC"] == known["camera raw"] == known["JPEG XL"] == (True, False)
    assert known["PDF"] == known["video"] == known["Photoshop"] == (False, False)


def test_an_extra_is_installed_where_its_module_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert not RAW.installed
    monkeypatch.setitem(sys.modules, "rawpy", ModuleType("rawpy"))
    assert RAW.installed


def test_what_is_not_read_is_told_with_the_way_to_read_it():
    counts = {"HEIC": 12, "camera raw": 3, "PDF": 1}
    assert counted(counts) == "12 HEIC, 3 camera raw, 1 PDF"
    assert unread(counts) == "12 HEIC (pip install pillow-heif), 3 camera raw (pip install rawpy), 1 PDF"
    assert set(extras(counts)) == {HEIC, RAW}
    assert extras({"JPEG XL": 1}) == (JXL,)
    assert extras({"PDF": 1, "video": 2}) == ()
