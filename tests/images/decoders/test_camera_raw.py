import os
import sys
from collections import namedtuple
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from extras import extra
from PIL import Image

from segcli.errors import InputError
from segcli.images.decoders.camera_raw import decode, upright_size
from segcli.images.decoders.tiff import reader as tiff

Sizes = namedtuple("Sizes", "raw_width raw_height iwidth iheight flip")
PIXELS = np.full((40, 30, 3), 7, np.uint8)


class Refused(Exception):  # noqa: N818
    """As rawpy's errors are: LibRaw's words, in bytes."""


@pytest.fixture
def rawpy(monkeypatch):
    """rawpy's place taken by something that develops every file into the same pixels, and tells what it was asked."""
    asked = {}
    raw = SimpleNamespace(sizes=Sizes(44, 34, 40, 30, 5), postprocess=lambda **options: asked.update(options) or PIXELS)
    stand_in = SimpleNamespace(LibRawError=Refused, imread=lambda source: nullcontext(raw), asked=asked, raw=raw)
    monkeypatch.setitem(sys.modules, "rawpy", stand_in)
    return stand_in


def test_the_photo_is_developed_alike_each_time(rawpy, tmp_path):
    raster = decode(tmp_path / "x.cr2", 1200)
    assert raster.values is PIXELS
    assert rawpy.asked == {"use_camera_wb": True, "no_auto_bright": True, "output_bps": 8}


def test_the_size_is_that_of_the_upright_photo(rawpy, tmp_path):
    assert upright_size(tmp_path / "x.cr2", 1200) == (40, 30)
    rawpy.raw.sizes = rawpy.raw.sizes._replace(flip=3)
    assert upright_size(tmp_path / "x.cr2", 1200) == (30, 40)


@pytest.mark.parametrize("sizes", [Sizes(44, 34, 40, 31, 0), Sizes(4000, 3000, 40, 30, 0)])
def test_too_many_pixels_are_refused_before_they_are_developed(rawpy, tmp_path, sizes):
    rawpy.raw.sizes = sizes
    with pytest.raises(InputError, match="more than the limit"):
        decode(tmp_path / "x.cr2", 1200)
    assert not rawpy.asked


def test_what_libraw_says_is_told(rawpy, tmp_path):
    def imread(source):
        raise Refused(b"Unsupported file format or not RAW file")

    rawpy.imread = imread
    with pytest.raises(InputError, match="cannot be decoded as camera raw: Unsupported file format or not RAW file"):
        decode(tmp_path / "x.cr2", 1200)


def test_without_its_package_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(InputError, match=r'a camera raw file, .*extra "raw": pip install rawpy'):
        decode(tmp_path / "x.cr2", 1200)


def test_a_raw_file_in_a_tiff_is_told_by_its_tags(rawpy, tmp_path):
    path = tmp_path / "x.nef"
    Image.new("RGB", (8, 8)).save(path, "TIFF", tiffinfo={254: 1, 330: 8})
    assert tiff.decode(path, 1200).values is PIXELS
    assert tiff.upright_size(path, 1200) == (40, 30)


class TestWithRawpy:
    """A DNG of 12 bits that gets brighter to the right, written by tifffile."""

    @pytest.fixture(autouse=True)
    def installed(self):
        extra("rawpy")

    def dng(self, path, orientation: int = 1):
        columns = np.broadcast_to(np.arange(120, dtype=np.uint16) * 30 + 200, (80, 120))
        tags = [
            (50706, "B", 4, bytes([1, 4, 0, 0])),
            (50708, "s", 0, "A camera"),
            (33421, "H", 2, (2, 2)),
            (33422, "B", 4, bytes([0, 1, 1, 2])),
            (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)),
            (50728, "2I", 3, (1, 1, 1, 1, 1, 1)),
            (50717, "I", 1, 4095),
            (274, "H", 1, orientation),
        ]
        tifffile.imwrite(path, columns, photometric=32803, extratags=[(*tag, True) for tag in tags], metadata=None)
        return path

    def test_a_dng_is_read_upright(self, tmp_path):
        path = self.dng(tmp_path / "x.dng", orientation=6)
        raster = decode(path, 9600)
        assert (raster.values.shape, raster.values.dtype) == ((120, 80, 3), np.uint8)
        assert upright_size(path, 9600) == (120, 80)
        rows = raster.values[..., 1].mean(axis=1)  # what was to the right is below
        assert (np.diff(rows[5:-5]) >= 0).all()
        assert rows[-5] - rows[5] > 100

    def test_names_that_are_no_text_are_read(self, tmp_path):
        path = self.dng(tmp_path / "x.dng")
        try:
            path = path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.dng"))
        except OSError:
            return  # a file system that takes text only cannot ask the question
        assert decode(path, 9600).values.shape == (80, 120, 3)

    def test_a_file_cut_short_is_refused(self, tmp_path):
        path = self.dng(tmp_path / "x.dng")
        path.write_bytes(path.read_bytes()[:9000])
        with pytest.raises(InputError, match="Input/output error"):
            decode(path, 9600)
