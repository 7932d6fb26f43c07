import struct

import pytest
from deep_pictures import box

from segcli.images.decoders.boxes import boxes


def test_boxes_of_every_length_are_listed():
    long = struct.pack(">I4sQ", 1, b"long", 16 + 3) + b"abc"
    last = struct.pack(">I4s", 0, b"last") + b"to the end"
    assert list(boxes(box(b"ftyp", b"jp2 ") + long + last)) == [
        (b"ftyp", b"jp2 "),
        (b"long", b"abc"),
        (b"last", b"to the end"),
    ]


def test_a_box_that_goes_on_is_given_as_far_as_it_is_there():
    assert list(boxes(struct.pack(">I4s", 1000, b"jp2c") + b"abc")) == [(b"jp2c", b"abc")]


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0", struct.pack(">I4s", 7, b"jp2c") * 3, b"\0\0\0\1jp2c" + bytes(7) + b"\1"]
)
def test_a_size_that_leads_nowhere_ends_the_list(data):
    assert list(boxes(data)) == []
