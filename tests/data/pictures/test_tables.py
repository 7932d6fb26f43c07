"""Tables beside masks, made fit for what the masks hold."""

import pytest

from segcli.data.classes import Named
from segcli.data.names import parse
from segcli.data.pictures import tables

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def test_unlabeled_is_the_background_where_nothing_else_is():
    table, notes = tables.with_background((Named("unlabeled", 0), Named("leaf", 1)))
    assert [entry.name for entry in table] == ["background", "leaf"]
    assert "if it is void, add --void 0" in notes[0]
    both = (Named("unlabeled", 0), Named("background", 1))
    assert tables.with_background(both) == (both, ())


def test_black_and_white_of_a_table_are_the_values_of_grey_masks():
    table = (Named("background", None, BLACK), Named("leaf", None, WHITE))
    assert [entry.value for entry in tables.with_greys(table, {0, 255})] == [0, 255]
    assert tables.with_greys(table, {0, 1}) == table, "which are ids"
    assert tables.with_greys(table, {0, 255, 7}) == table


@pytest.mark.parametrize("colour", [(255, 0, 0), BLACK])
def test_colours_that_are_no_different_greys_are_no_values(colour):
    table = (Named("background", None, BLACK), Named("leaf", None, colour))
    assert tables.with_greys(table, {0, 255}) == table


def test_the_users_own_greys_are_values_too(tmp_path):
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nbackground,0,0,0\nleaf,255,255,255\n")
    classes = parse(str(tmp_path / "class_dict.csv"))
    assert tables.by_greys(classes, {0, 255}).ids == {0: 0, 255: 1}
    assert tables.by_greys(classes, {0, 1}).ids is None
    plain = parse("background,leaf")
    assert tables.by_greys(plain, {0, 255}) == plain
