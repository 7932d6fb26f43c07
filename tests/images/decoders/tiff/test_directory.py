import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest
import tiffs

from segcli.images.decoders.tiff.directory import MOST_TAGS, directories

PICTURE = np.arange(6, dtype=np.uint16).reshape(2, 3, 1)


def opened(path) -> io.BytesIO:
    return io.BytesIO(path.read_bytes())


def by_hand(*records: bytes, following: int = 0) -> io.BytesIO:
    """A little-endian TIFF of these records of 12 bytes."""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(records))
    return io.BytesIO(head + b"".join(records) + struct.pack("<I", following))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_values_are_read_in_both_byte_orders_and_sizes(tmp_path, order, big):
    tags = {
        270: tiffs.text("said"),
        282: (tiffs.DOUBLE, [1.5]),
        320: (tiffs.SHORT, [1, 2, 3, 4, 5]),
        258: (tiffs.SHORT, [16]),
        285: tiffs.text("a name of many letters"),
    }
    path = tiffs.write(tmp_path / "x", tiffs.page(PICTURE, order=order, tags=tags), order=order, big=big)
    [directory] = directories(opened(path))
    assert directory.number(256, 0) == 3
    assert directory.numbers(320).tolist() == [1, 2, 3, 4, 5]
    assert directory.numbers(320, 2).tolist() == [1, 2]
    assert directory.numbers(282).tolist() == [1.5]
    assert (directory.text(270), directory.text(285)) == ("said", "a name of many letters")
    assert directory.data(285, 6) == b"a name"
    assert (directory.number(999, 7), directory.text(999), 999 in directory) == (7, "", False)
    assert directory.numbers(270).size == 0


def test_pages_come_in_the_order_of_the_file(tmp_path):
    pages = [tiffs.page(np.zeros((1, width, 1), np.uint8)) for width in (5, 3, 9)]
    path = tiffs.write(tmp_path / "x", *pages)
    assert [directory.number(256, 0) for directory in directories(opened(path))] == [5, 3, 9]


def test_a_circle_of_directories_ends(tmp_path):
    pages = [tiffs.page(PICTURE) for _ in range(120)]  # tifffile does not see circles that begin behind the hundredth
    data = bytearray(tiffs.write(tmp_path / "x", *pages).read_bytes())
    data[-4:] = struct.pack("<I", [*chain(data)][110])
    assert len(list(directories(io.BytesIO(data)))) == 120


def chain(data: bytes) -> Iterator[int]:
    """The positions of the directories of a classic TIFF."""
    (place,) = struct.unpack_from("<I", data, 4)
    while place:
        yield place
        (count,) = struct.unpack_from("<H", data, place)
        (place,) = struct.unpack_from("<I", data, place + 2 + 12 * count)


def test_tags_whose_values_lie_outside_the_file_are_left_out():
    width = struct.pack("<HHII", 256, tiffs.LONG, 1, 9)
    outside = struct.pack("<HHII", 258, tiffs.SHORT, 2**31, 8)
    unknown = struct.pack("<HHII", 262, 99, 1, 1)
    [directory] = directories(by_hand(width, outside, unknown))
    assert list(directory.entries) == [256]


def test_the_first_of_two_equal_tags_counts():
    [directory] = directories(by_hand(*(struct.pack("<HHII", 256, tiffs.LONG, 1, n) for n in (4, 5))))
    assert directory.number(256, 0) == 4


def test_numbers_that_are_none_are_not_taken():
    nan = struct.pack("<HHIf", 256, 11, 1, np.nan)
    [directory] = directories(by_hand(nan))
    assert directory.number(256, 3) == 3


def test_a_damaged_next_directory_ends_the_file():
    width = struct.pack("<HHII", 256, tiffs.LONG, 1, 9)
    assert len(list(directories(by_hand(width, following=10**9)))) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "does not start like"),
        (b"II\0*\0\0\0\x08", "does not start like"),
        (b"II*\0\x08", "header"),
        (b"II+\0\x08\0\0\0\x10\0\0\0", "header"),
        (b"II*\0" + bytes(4), "no picture"),
        (b"II*\0\x08\0\0\0", "ends before the place of its tags"),
        (b"II*\0\xff\xff\xff\xff", "ends before the place of its tags"),
        (b"II*\0\x08\0\0\0" + struct.pack("<H", MOST_TAGS + 1) + bytes(12 * MOST_TAGS + 16), "4097 tags"),
    ],
)
def test_what_is_no_tiff_says_so(data, reason):
    with pytest.raises(ValueError, match=reason):
        list(directories(io.BytesIO(data)))
