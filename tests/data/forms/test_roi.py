import struct

import numpy as np
import pytest
import rois
from rois import ROIS

from segcli.data.forms import roi
from segcli.data.forms.roi import decode
from segcli.data.forms.shapes import Shape, draw
from segcli.errors import DatasetError


def drawn(data, size=(20, 30)):
    """bool (H, W) of the pixels that a region encloses."""
    return draw([Shape("a", decode(data).rings)], size, {"a": 1}) == 1


def filled(*boxes, size=(20, 30)):
    """bool (H, W), True in boxes of (x0, y0, x1, y1)."""
    canvas = np.zeros(size, bool)
    for x0, y0, x1, y1 in boxes:
        canvas[y0:y1, x0:x1] = True
    return canvas


@pytest.mark.parametrize(
    ("name", "boxes"),
    [
        ("polygon", [(2, 1, 9, 3), (5, 3, 9, 6)]),
        ("fractions", [(1, 1, 8, 5)]),  # the centres from 1.5 (on the edge, which counts in) to below 8.5
        ("nameless", [(1, 1, 4, 4)]),
        ("rectangle", [(3, 2, 11, 7)]),
        ("subrect", [(4, 2, 11, 7)]),  # 3.6 to 10.8, 2.4 to 6.6
        ("composite", [(1, 1, 13, 4), (1, 4, 4, 8), (9, 4, 13, 8), (1, 8, 13, 11)]),
    ],
)
def test_pixels_with_centres_inside_are_drawn(name, boxes):
    assert np.array_equal(drawn(ROIS[name]), filled(*boxes))


def test_ovals_and_ellipses_hold_the_points_of_their_equations():
    y, x = np.mgrid[0.5:20, 0.5:30]
    assert np.array_equal(drawn(ROIS["oval"]), ((x - 13) / 10) ** 2 + ((y - 7) / 5) ** 2 < 1)
    along = ((x - 12) * 16 + (y - 10) * 12) / 20
    across = ((y - 10) * 16 - (x - 12) * 12) / 20
    assert np.array_equal(drawn(ROIS["ellipse"]), (along / 10) ** 2 + (across / 5) ** 2 < 1)
    assert np.array_equal(drawn(ROIS["turned"]), (np.abs(along) < 10) & (np.abs(across) < 3))


def test_rounded_corners_are_left_out():
    y, x = np.mgrid[0.5:20, 0.5:30]
    beyond_x, beyond_y = np.maximum(np.abs(x - 15) - 9, 0), np.maximum(np.abs(y - 10) - 4, 0)
    assert np.array_equal(drawn(ROIS["rounded"]), np.hypot(beyond_x, beyond_y) < 6)


def test_curves_of_a_path_are_followed():
    handle = 8 * 4 / 3 * (np.sqrt(2) - 1)  # cubic quarters of a circle of radius 8 around (10, 10)
    quarters = []
    for x, y, to_x, to_y in ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)):
        start, end = np.array([x, y]), np.array([to_x, to_y])
        quarters += [3, *(10 + 8 * start + handle * end), *(10 + 8 * end + handle * start), *(10 + 8 * end)]
    y, x = np.mgrid[0.5:20, 0.5:20]
    circle = drawn(rois.path(0, 18, 10, *quarters, 4), (20, 20))
    assert np.array_equal(circle, np.hypot(x - 10, y - 10) < 8)
    parabola = drawn(rois.path(0, 0, 0, 2, 10, 20, 20, 0, 4), (20, 20))  # y = x (20 - x) / 10
    assert np.array_equal(parabola, y < x * (20 - x) / 10)


def test_names_groups_properties_and_slices():
    assert decode(ROIS["polygon"]).name == "leaf-1"
    assert decode(ROIS["polygon"]).group == 1
    assert decode(ROIS["large group"]).group == 300
    assert decode(ROIS["property"]).properties == {"class": "spot", "note": "a: b"}
    assert decode(ROIS["slice"]).plane == (3,)
    assert decode(ROIS["polygon"]).plane == ()
    assert decode(rois.named(ROIS["polygon"], "blüte")).name == "blüte"


def test_only_plain_rectangles_may_be_boxes_and_points_and_lines_hold_no_pixels():
    boxes = {name for name, data in ROIS.items() if decode(data).is_box}
    assert boxes == {"rectangle", "subrect"}
    assert {name: decode(data).nothing for name, data in ROIS.items() if decode(data).nothing} == {
        "point": "point",
        "line": "line",
    }


def test_coordinates_beyond_32767_and_below_zero():
    data = bytearray(ROIS["polygon"])
    struct.pack_into(">h", data, 10, -3)  # left
    struct.pack_into(">H", data, 8, 40000)  # top
    (ring,) = decode(bytes(data)).rings
    assert ring.min(0).tolist() == [-3, 40000]


@pytest.mark.parametrize("name", sorted(set(ROIS) - {"point", "line"}))
def test_a_region_that_ends_early_is_refused(name):
    data = ROIS[name]
    for length in range(0, len(data) - 4, 4):
        with pytest.raises(DatasetError):
            decode(data[:length])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04", "does not start like"),
        (rois.path(0, 1, 1, 7, 2, 2), "command 7"),
        (rois.path(0, 1, 1, 3, 2, 2), "ends too early"),
        (rois.path(0, float("nan"), 1), "not a number"),
        (ROIS["polygon"][:6] + b"\x63" + ROIS["polygon"][7:], "type 99"),
    ],
)
def test_what_is_no_region_is_refused_with_the_reason(data, told):
    with pytest.raises(DatasetError, match=told):
        decode(data)


def test_a_path_of_too_many_curves_is_refused(monkeypatch):
    monkeypatch.setattr(roi, "MAX_CURVES", 2)
    with pytest.raises(DatasetError, match="more than 2 curves"):
        decode(rois.path(0, 1, 1, *[2, 1, 1, 2, 2] * 3))
