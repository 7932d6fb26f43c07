import pytest
from deep_pictures import box
from jpeg_xl_bits import ALPHA, AS_USUAL, BIT_DEPTH, LINEAR, SMALL, TURNED, codestream

from segcli.images.decoders.jpeg_xl_header import Header, read_header

USUAL = codestream(*SMALL, *AS_USUAL)
PLAIN = ((0, 1), (0, 1), *BIT_DEPTH, (0, 2), (1, 1))
"""Nothing special up to the colours."""


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        (SMALL, (48, 40)),
        (((0, 1), (0, 2), (499, 9), (0, 3), (1, 2), (1000, 13)), (1001, 500)),
        (((0, 1), (2, 2), (200_000, 18), (7, 3)), (400_002, 200_001)),
        (((0, 1), (1, 2), (1079, 13), (5, 3)), (1920, 1080)),
        (((0, 1), (3, 2), (2**30 - 1, 30), (1, 3)), (2**30, 2**30)),
    ],
)
def test_the_size_is_told_in_each_way(fields, size):
    header = read_header(codestream(*fields, *AS_USUAL))
    assert (header.width, header.height) == size


@pytest.mark.parametrize(
    "data",
    [
        box(b"JXL ", b"\r\n\x87\n") + box(b"jxlc", USUAL),
        box(b"JXL ", b"")
        + box(b"Exif", USUAL)
        + box(b"jxlp", bytes(4) + USUAL[:3])
        + box(b"jxlp", bytes(4) + USUAL[3:]),
    ],
)
def test_the_codestream_is_found_in_its_boxes(data):
    assert read_header(data) == Header(48, 40)


def test_the_turn_is_told():
    assert read_header(codestream(*SMALL, *TURNED)) == Header(48, 40, orientation=6)


def test_what_may_stand_between_is_passed_over():
    intended, preview = ((1, 1), *SMALL), ((1, 1), (1, 1), (2, 2), (4, 5), (1, 3))
    animation = ((1, 1), (2, 2), (23, 10), (0, 2), (1, 2), (0, 3), (0, 1))
    depth = ((1, 1), (0, 2), (7, 4), (1, 1))
    fields = ((0, 1), (1, 1), (2, 3), *intended, *preview, *animation, *depth, (0, 2), (1, 1), (1, 1))
    assert read_header(codestream(*SMALL, *fields)) == Header(48, 40, orientation=3)


def test_premultiplied_alpha_is_told():
    spot = ((0, 1), (2, 2), (0, 4), (0, 1), (0, 2), (0, 2), (0, 2), (0, 64))
    usual = ((1, 1),)
    fields = ((0, 1), (0, 1), *BIT_DEPTH, (2, 2), (1, 4), *spot, *usual, *ALPHA, (1, 1), (1, 1))
    assert read_header(codestream(*SMALL, *fields)) == Header(48, 40, premultiplied=True)


@pytest.mark.parametrize(
    ("colours", "srgb"),
    [
        (((1, 1),), True),
        (LINEAR, False),
        (((0, 1), (0, 1), (0, 2), (1, 2), (1, 2), (0, 1), (2, 2), (11, 4)), True),  # sRGB, said in full
        (((0, 1), (0, 1), (1, 2), (1, 2), (0, 1), (2, 2), (11, 4)), True),  # grey
        (((0, 1), (0, 1), (0, 2), (1, 2), (2, 2), (9, 4), (0, 1), (2, 2), (11, 4)), False),  # Display P3
        (((0, 1), (1, 1), (0, 2)), False),  # a profile
        (((0, 1), (0, 1), (1, 2), (1, 2), (1, 1), (4_545_450, 24)), False),  # a gamma
    ],
)
def test_colours_are_told_from_srgb(colours, srgb):
    assert read_header(codestream(*SMALL, *PLAIN, *colours)).srgb is srgb


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\x0a", USUAL[:3], box(b"JXL ", b""), box(b"jxlp", b"")])
def test_a_header_that_is_not_there_is_an_error(data):
    with pytest.raises(ValueError, match=r"no codestream|ends within its header"):
        read_header(data)


def test_names_without_end_are_an_error():
    named = ((0, 1), (0, 2), (0, 1), (0, 2), (0, 2), (3, 2), (1023, 10), (0, 8 * 1071), (0, 1))
    with pytest.raises(ValueError, match="ends within its header"):
        read_header(codestream(*SMALL, (0, 1), (0, 1), *BIT_DEPTH, (3, 2), (4095, 12), *(200 * named)))
