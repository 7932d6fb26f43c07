import numpy as np
import pytest

from segcli.images import plots
from segcli.labels import ADE20K, VOC, from_names

SOFT = 25  # curves are drawn with soft edges


def coloured(picture, colour, tolerance=0):
    """Where the picture has that colour: bool (H, W)."""
    return (abs(np.asarray(picture).astype(int) - colour) <= tolerance).all(axis=2)


def has_colour(picture, colour, tolerance=0):
    return bool(coloured(picture, colour, tolerance).any())


def test_a_perfect_matrix_has_only_full_and_empty_cells():
    picture = plots.confusion_matrix(np.array([[5, 0, 0], [0, 7, 0]]), from_names(["a", "b"]))
    assert has_colour(picture, plots.SHADES[2])
    assert not has_colour(picture, plots.SHADES[1])
    quarter = plots.confusion_matrix(np.array([[3, 1, 0], [0, 7, 0]]), from_names(["a", "b"]))
    assert has_colour(quarter, plots.SHADES[1])


@pytest.mark.parametrize(("absent", "cells"), [((), 21), ((3, 8), 19)])
def test_classes_that_do_not_occur_are_left_out(absent, cells):
    counts = np.eye(21, 22, dtype=np.int64) * 100
    counts[list(absent), list(absent)] = 0
    picture = plots.confusion_matrix(counts, VOC)
    full = coloured(picture, plots.SHADES[2]).any(axis=0)
    assert np.diff(full.astype(int)).clip(0).sum() >= cells  # at least one run of full columns a cell
    whole = plots.confusion_matrix(np.eye(21, 22, dtype=np.int64), VOC)
    assert whole.width - picture.width == 44 * len(absent)


def test_a_class_that_is_only_predicted_has_a_column_and_no_row():
    picture = plots.confusion_matrix(np.array([[2, 2, 0], [0, 0, 0]]), from_names(["a", "b"]))
    assert picture.width - picture.height == 44


def test_void_has_a_column_only_where_something_was_predicted_as_void():
    without = plots.confusion_matrix(np.array([[2, 0, 0], [0, 3, 0]]), from_names(["a", "b"]))
    with_void = plots.confusion_matrix(np.array([[2, 0, 1], [0, 3, 0]]), from_names(["a", "b"]))
    assert with_void.width - without.width == 44


def test_many_classes_and_none_at_all_are_drawn_too():
    counts = np.eye(151, 152, dtype=np.int64)
    assert max(plots.confusion_matrix(counts, ADE20K).size) < 2500
    assert plots.confusion_matrix(np.zeros_like(counts), ADE20K).width > 0


def test_each_trimap_curve_has_its_own_colour():
    series = {name: {width: 0.5 + width / 100 + i / 10 for width in range(1, 20)} for i, name in enumerate("ab")}
    picture = plots.trimap(series)
    assert picture.size == (960, 600)
    assert has_colour(picture, plots.CURVES[0], SOFT)
    assert has_colour(picture, plots.CURVES[1], SOFT)
    assert not has_colour(picture, plots.CURVES[2], SOFT)


def test_a_rising_curve_rises():
    picture = plots.trimap({"a": {1: 0.2, 40: 0.9}})
    rows, columns = np.nonzero(coloured(picture, plots.CURVES[0], SOFT))
    inside = rows < 480  # above the legend
    assert np.corrcoef(columns[inside], -rows[inside])[0, 1] > 0.99


@pytest.mark.parametrize("series", [{}, {"a": {}}, {"a": {1: None, 2: None}}, {"a": {5: 0.5}}, {"a": {1: 0.0, 2: 0.0}}])
def test_curves_without_points_or_without_span_are_drawn_too(series):
    assert plots.trimap(series).size == (960, 600)


def course(*labels):
    """A run of three validations, in which every class rises."""
    classes = {name: (colour, {10: 0.2, 20: 0.4, 30: 0.6 + i / 100}) for i, (name, colour) in enumerate(labels)}
    return plots.training({1: 2.0, 30: 0.5}, {10: 0.3, 20: 0.5, 30: 0.7}, classes)


def test_each_of_a_few_classes_has_a_line_in_its_colour():
    picture = course(("soil", (200, 0, 0)), ("leaf", (0, 180, 0)), ("a name\nof two lines", (250, 250, 200)))
    assert picture.size == (960, 1200)
    for colour in ((200, 0, 0), (0, 180, 0), (250, 250, 200)):
        found = coloured(picture, colour, SOFT)
        assert found[600:, :690].any()  # its line
        assert found[600:, 690:].any()  # and its name's mark


def test_many_classes_would_hide_each_other_and_are_left_out():
    few = [(f"class {i}", (200, 0, 0)) for i in range(plots.MOST_CLASSES)]
    assert has_colour(course(*few), (200, 0, 0), SOFT)
    assert not has_colour(course(*few, ("one more", (0, 0, 0))), (200, 0, 0), SOFT)
    empty = (("absent", (9, 9, 9)),)
    classes = {name: (colour, {10: None}) for name, colour in empty} | {name: (c, {10: 0.5}) for name, c in few}
    assert has_colour(plots.training({}, {10: 0.5}, classes), (200, 0, 0), SOFT)


@pytest.mark.parametrize(("low", "high"), [(0, 40), (53.2, 79.9), (0, 0), (0, 1), (99.97, 100), (0, 7)])
def test_ticks_are_few_round_and_enclose_the_values(low, high):
    ticks = plots._ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])
