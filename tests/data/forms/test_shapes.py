import numpy as np
import pytest

from segcli.data.forms.shapes import Shape, box, draw, ellipse, foreground, is_box, turned
from segcli.errors import DatasetError
from segcli.labels import ADE20K, VOC

NUMBERS = {"leaf": 1, "spot": 2}
LEAF = Shape("leaf", (box(0, 0, 4, 4),))
SPOT = Shape("spot", (box(1, 1, 3, 3),))


def counts(label_map):
    return np.bincount(label_map.ravel(), minlength=3).tolist()


def test_the_last_of_the_list_lies_on_top():
    assert counts(draw([LEAF, SPOT], (5, 5), NUMBERS)) == [9, 12, 4]
    assert counts(draw([SPOT, LEAF], (5, 5), NUMBERS)) == [9, 16, 0]


def test_the_smaller_area_lies_on_top_whatever_the_order():
    for shapes in ([LEAF, SPOT], [SPOT, LEAF]):
        assert counts(draw(shapes, (5, 5), NUMBERS, "area")) == [9, 12, 4]


def test_of_equal_areas_the_last_lies_on_top():
    twins = [Shape("leaf", (box(0, 0, 2, 2),)), Shape("spot", (box(1, 0, 3, 2),))]
    assert draw(twins, (2, 3), NUMBERS, "area").tolist() == [[1, 2, 2]] * 2
    assert draw(twins[::-1], (2, 3), NUMBERS, "area").tolist() == [[1, 1, 2]] * 2


def test_only_pixels_within_the_photo_count_as_area():
    wide = Shape("leaf", (box(-1000, 0, 2, 2),))  # 4 pixels of the photo
    assert draw([wide, Shape("spot", (box(0, 0, 3, 2),))], (2, 3), NUMBERS, "area").tolist() == [[1, 1, 2]] * 2


@pytest.mark.parametrize("order", ["list", "area"])
def test_a_higher_layer_lies_on_top_in_any_order(order):
    high = Shape("leaf", LEAF.rings, z=3)
    assert counts(draw([high, SPOT], (5, 5), NUMBERS, order)) == [9, 16, 0]
    low = Shape("spot", SPOT.rings, z=-1)
    assert counts(draw([LEAF, low], (5, 5), NUMBERS, order)) == [9, 16, 0]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ((0, 0), [[1, 0, 0], [1, 1, 0]]),
        ((1, 1), [[0, 0, 0], [0, 1, 0]]),
        ((-1, 0), [[1, 1, 0], [0, 0, 0]]),
        ((0, -1), [[0, 0, 0], [1, 0, 0]]),
        ((-5, 9), [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_a_bitmap_is_cut_at_the_photo(origin, expected):
    bitmap = np.array([[True, False], [True, True]])
    assert draw([Shape("leaf", bitmap=bitmap, origin=origin)], (2, 3), NUMBERS).tolist() == expected


def test_an_unknown_class_is_refused():
    with pytest.raises(DatasetError, match="the class 'stem', which the file does not list"):
        draw([LEAF, Shape("stem")], (5, 5), NUMBERS)


def test_nothing_is_drawn_of_shapes_without_area():
    assert not draw([Shape("leaf"), Shape("leaf", bitmap=np.zeros((2, 2), bool))], (3, 3), NUMBERS, "area").any()


def test_an_ellipse_has_its_pixels_and_its_axes():
    x, y = np.arange(100) + 0.5, np.arange(80)[:, np.newaxis] + 0.5
    inside = ((x - 50.2) / 30) ** 2 + ((y - 40.3) / 12) ** 2 < 1
    assert np.array_equal(draw([Shape("leaf", (ellipse(50.2, 40.3, 30, 12),))], (80, 100), NUMBERS), inside)
    ring = ellipse(50, 40, 30, 12, degrees=90)
    assert np.allclose([ring.min(0), ring.max(0)], [[38, 10], [62, 70]], atol=1e-3)


def test_points_turn_clockwise_on_the_screen():
    assert np.allclose(turned(np.array([(3.0, 1.0)]), (1, 1), 90), [(1, 3)])  # from the right end to the bottom
    assert np.allclose(turned(np.array([(3.0, 1.0)]), (1, 1), -90), [(1, -1)])


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(1, 1), (4, 1), (4, 3), (1, 3)], True),
        ([(4, 3), (4, 1), (1, 1), (1, 3)], True),
        ([(1, 1), (4, 1), (4, 3), (1, 3), (1, 1)], True),
        ([(1, 1), (4, 1), (4, 3), (1, 3.5)], False),
        ([(1, 1), (4, 1), (1, 1), (4, 1)], False),
        ([(1, 1), (4, 1), (4, 3)], False),
        ([], False),
    ],
)
def test_boxes_are_told_from_other_outlines(points, expected):
    assert is_box(np.array(points, float).reshape(-1, 2)) is expected


def test_background_and_void_are_no_shapes():
    assert foreground(VOC) == dict(enumerate(VOC.names[1:], 1))
    assert foreground(ADE20K) == dict(enumerate(ADE20K.names[1:], 1))
