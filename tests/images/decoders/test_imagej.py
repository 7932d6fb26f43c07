import io
import struct

import numpy as np
import pytest
import tifffile

from segcli.images.decoders.imagej import display_ranges, parsed, parts, stack_of
from segcli.images.decoders.tiff.directory import directories


def directory(order: str = "<", **metadata):
    file = io.BytesIO()
    planes = np.zeros((3, 2, 5, 4), np.uint16)
    tifffile.imwrite(file, planes, imagej=True, byteorder=order, metadata={"axes": "ZCYX", **metadata})
    return next(directories(file))


@pytest.mark.parametrize("order", "<>")
def test_labels_ranges_and_tables_are_told_apart(order):
    luts = [np.full((3, 256), value, np.uint8) for value in (1, 2)]
    found = parts(directory(order, Labels=[f"plane {n}" for n in range(6)], Ranges=(0, 10, 5, 20), LUTs=luts))
    coding = {"<": "utf-16-le", ">": "utf-16-be"}[order]
    assert [label.decode(coding) for label in found[b"labl"]] == [f"plane {number}" for number in range(6)]
    assert [lut[:1] for lut in found[b"luts"]] == [b"\1", b"\2"]
    assert struct.unpack(order + "4d", found[b"rang"][0]) == (0, 10, 5, 20)


def test_ranges():
    assert display_ranges(directory(Ranges=(0, 10, 5, 20))) == [(0, 10), (5, 20)]
    assert display_ranges(directory(Ranges=(0, 10, 20, 5))) == []
    assert display_ranges(directory()) == []


def test_channels_are_named_by_the_labels_of_the_middle_plane():
    labels = ["a", "b", "DAPI", "GFP", "c", "d"]
    place = directory(Labels=labels)
    stack = stack_of(parsed("ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\n"), place)
    assert [channel.name for channel in stack.channels] == ["DAPI", "GFP"]


def test_labels_that_do_not_tell_channels_apart_are_no_names():
    stack = stack_of(parsed("ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\n"), directory(Labels=["x"] * 6))
    assert [channel.name for channel in stack.channels] == ["", ""]


def test_images_alone_are_depths_as_imagej_opens_them():
    stack = stack_of(parsed("ImageJ=1.53t\nimages=6\nloop=false\n"), directory())
    assert (stack.depth, stack.times, stack.shown) == (6, 1, 3)


def test_names_hold_nothing_that_a_terminal_would_obey():
    labels = ["a", "b", "\x1b[31mred\x07", "x" * 5000, "c", "d"]
    stack = stack_of(parsed("ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\n"), directory(Labels=labels))
    assert [channel.name for channel in stack.channels] == ["[31mred", "x" * 100]


@pytest.mark.parametrize(
    "items",
    ["images=6\nchannels=4", "images=6\nslices=-6", "images=x", "images=0", "images=99999999\nframes=99999999"],
)
def test_numbers_that_do_not_fit_are_refused(items):
    with pytest.raises(ValueError, match=r"they (state|hold)"):
        stack_of(parsed(f"ImageJ=1.53t\n{items}\n"), directory())


def test_damaged_private_tags_are_passed_over():
    whole = directory(Ranges=(0, 10, 5, 20))
    content = bytearray(whole.file.getvalue())
    place = whole.entries[50838].place
    for value in (0, 1, 5, 13, 2**31 - 1, 2**32 - 1):
        for number in range(2):
            damaged = bytearray(content)
            damaged[place + 4 * number : place + 4 * number + 4] = struct.pack("<I", value)
            assert display_ranges(next(directories(io.BytesIO(damaged)))) in ([], [(0, 10)])
