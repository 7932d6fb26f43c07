"""Classes: aliases, and what a table of a file says of masks."""

import pytest

from segcli import labels
from segcli.data.classes import Classes, Named, from_labels, from_shapes, from_table, is_background, is_void
from segcli.errors import UsageError
from segcli.labels import VOID


@pytest.mark.parametrize("name", ["background", " Background ", "_background_", "__background__", "BG", "unlabelled"])
def test_a_background_by_any_of_its_names_is_the_sets_background(name):
    assert is_background(name)
    assert Classes(labels.from_names(["leaf", "Background"])).find(name) in (1, VOID)
    assert Classes(labels.from_names(["bg", "leaf"])).find("__background__") == 0


@pytest.mark.parametrize("name", ["void", "Ignore", "ignored", "__ignore__", "ignore_label", "dontcare", "don't care"])
def test_void_by_any_of_its_names_is_void(name):
    assert is_void(name)
    assert Classes(labels.from_names(["leaf", "void leaf"])).find(name) == VOID


def test_unlabeled_is_void_only_beside_a_background():
    assert is_void("unlabeled", ["background", "leaf"])
    assert not is_void("unlabeled", ["leaf"])
    assert Classes(labels.from_names(["background", "leaf"])).find("Unlabeled") == VOID
    assert Classes(labels.from_names(["road", "sky"])).find("unlabeled") == VOID
    assert Classes(labels.from_names(["unlabeled", "leaf"])).find("background") == 0
    assert Classes(labels.from_names(["unlabeled", "leaf"])).find("unlabeled") == 0


def test_names_are_found_whatever_their_letters_and_unknown_ones_are_not():
    classes = Classes(labels.from_names(["background", "Traffic Light", "leaf", "LEAF"]), others={"blade": 2})
    assert classes.find("traffic  light ") == 1
    assert (classes.find("leaf"), classes.find("LEAF"), classes.find("Leaf")) == (2, 3, 2)
    assert classes.find("Blade") == 2
    assert classes.find("moss") is None
    assert Classes(labels.from_names(["leaf"])).find("background") is None


def test_a_class_of_that_name_comes_before_any_alias():
    assert Classes(labels.from_names(["background", "other", "void"])).find("other") == 1
    assert Classes(labels.from_names(["background", "other", "void"])).find("void") == 2
    assert from_labels(labels.ADE20K).find("void") == VOID  # its first channel is no class


def test_colours_of_a_known_set_have_its_void_and_none_that_two_classes_share():
    camvid = from_labels(labels.CAMVID)
    assert camvid.colours[128, 64, 128] == labels.CAMVID.names.index("road")
    assert camvid.colours[0, 0, 0] == VOID
    assert from_labels(labels.VOC).colours[0, 0, 0] == 0
    assert from_labels(labels.VOC).colours[224, 224, 192] == VOID
    assert from_labels(labels.ADE20K).colours[0, 0, 0] == VOID
    twins = labels.LabelSet("twins", ("a", "b", "c"), ((1, 1, 1), (1, 1, 1), (2, 2, 2)))
    assert from_labels(twins).colours == {(2, 2, 2): 2, (224, 224, 192): VOID, (0, 0, 0): VOID}


def test_a_table_with_values_says_which_value_is_which_class():
    classes = from_table((Named("void", 0), Named("leaf", 3), Named("spot", 9), Named("leaf", 4)))
    assert classes.labels.names == ("leaf", "spot")
    assert classes.ids == {255: VOID, 0: VOID, 3: 0, 9: 1, 4: 0}
    assert classes.colours is None
    assert from_table((Named("soil", 0), Named("leaf", 255))).ids == {0: 0, 255: 1}


def test_a_table_with_colours_paints_the_classes():
    classes = from_table((Named("leaf", None, (1, 2, 3)), Named("Void", None, (0, 0, 0)), Named("soil")))
    assert classes.labels.names == ("leaf", "soil")
    assert classes.labels.palette == ((1, 2, 3), labels.voc_palette(2)[1])
    assert classes.colours == {(1, 2, 3): 0, (0, 0, 0): VOID}
    assert classes.ids is None


def test_names_of_a_plain_list_stay_as_they_are():
    assert from_table((Named("void"), Named("leaf"))).labels.names == ("void", "leaf")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((Named("a", 1), Named("b", 1)), "the value 1 stands for two classes"),
        ((Named("a", None, (1, 2, 3)), Named("b", None, (1, 2, 3))), "the colour 1,2,3 stands for two classes"),
        ((Named("a"), Named("a")), "repeats 'a'"),
        ((Named("void", 1),), "names no class"),
        (tuple(Named(str(i), i) for i in range(300)), "names 300 classes"),
    ],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(table, message):
    with pytest.raises(UsageError, match=message) as caught:
        from_table(table)
    assert caught.value.hint


def test_tools_that_draw_shapes_get_a_background_first():
    assert [entry.name for entry in from_shapes((Named("leaf"), Named("void")))] == ["background", "leaf"]
    assert [entry.name for entry in from_shapes((Named("leaf"), Named("BG")))] == ["leaf", "BG"]
    # Somebody drew what they call "other": it is a class, and what nobody drew on is another.
    drawn = from_shapes((Named("leaf"), Named("other"), Named("unlabeled")))
    assert [entry.name for entry in drawn] == ["background", "leaf", "other"]
