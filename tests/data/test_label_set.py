"""The TOML file of a label set."""

import pytest

from segcli import labels
from segcli.data import label_set
from segcli.errors import UsageError
from segcli.labels import VOID


def test_it_may_set_colours_and_void():
    text = 'name = "crops"\nnames = ["wheat", "maize"]\npalette = [[1, 2, 3], [4, 5, 6]]\nignore = 9\n'
    found = label_set.parse(text, "fields")
    assert found.labels == labels.LabelSet("crops", ("wheat", "maize"), ((1, 2, 3), (4, 5, 6)), 9)
    assert (found.ids, found.others) == (None, {})
    assert found.colours == {(1, 2, 3): 0, (4, 5, 6): 1, (224, 224, 192): VOID, (0, 0, 0): VOID}
    assert label_set.parse('names = ["wheat"]\nignore = false\n', "fields").labels.ignore is None
    assert label_set.parse('names = ["wheat"]\n', "fields").labels.name == "fields"


def test_it_may_say_what_masks_and_other_files_call_the_classes():
    found = label_set.parse(
        'names = ["background", "leaf"]\n'
        "ids = {background = 0, leaf = [1, 300], void = 2}\n"
        "palette = {leaf = [0, 128, 0], void = [9, 9, 9]}\n"
        'other_names = {leaf = ["Blade", "petiole "], background = ["soil"], void = ["blurred"]}\n',
        "plants",
    )
    assert found.ids == {255: VOID, 0: 0, 1: 1, 300: 1, 2: VOID}
    assert found.colours == {(0, 128, 0): 1, (9, 9, 9): VOID}
    assert found.labels.palette == ((0, 0, 0), (0, 128, 0))
    assert [found.find(name) for name in ("blade", "Petiole", "soil", "blurred")] == [1, 1, 0, VOID]


def test_a_value_of_the_void_may_be_a_classs():
    assert label_set.parse('names = ["soil", "leaf"]\nids = {soil = 0, leaf = 255}\n', "a").ids == {255: 1, 0: 0}
    assert label_set.parse('names = ["a"]\nignore = false\nids = {a = 1}\n', "a").ids == {1: 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sky\nroad\n", "is no TOML"),
        ('name = "x"\n', "not a list of names"),
        ("names = [1, 2]\n", "names cannot be"),
        ('names = ["a"]\ncolors = [[0, 0, 0]]\n', "unknown key 'colors'"),
        ('names = ["a"]\npalette = [[0, 0, 0], [1, 1, 1]]\n', "not a list of 1 colours"),
        ('names = ["a"]\npalette = [[0, 0, 256]]\n', "palette cannot be"),
        ('names = ["a"]\npalette = {b = [0, 0, 0]}\n', "palette names 'b', which is no class"),
        ('names = ["a"]\npalette = {a = [0, 0]}\n', "palette cannot be"),
        ('names = ["a", "b"]\npalette = {a = [0, 0, 1], b = [0, 0, 1]}\n', "the colour 0,0,1 stands for two classes"),
        ('names = ["a"]\nignore = 300\n', "ignore cannot be 300"),
        ('names = ["a"]\nignore = true\n', "ignore cannot be True"),
        ('names = ["a"]\nids = {a = -1}\n', "ids cannot be"),
        ('names = ["a"]\nids = {a = "1"}\n', "ids cannot be"),
        ('names = ["a"]\nids = [1]\n', "ids cannot be"),
        ('names = ["leaf"]\nids = {leav = 1}\n', "ids names 'leav', which is no class. Did you mean leaf"),
        ('names = ["a", "b"]\nids = {a = 1, b = [2, 1]}\n', "the value 1 stands for two classes"),
        ('names = ["a", "b"]\nother_names = {a = ["x"], b = ["X"]}\n', "the spelling x stands for two classes"),
        ('names = ["a"]\nother_names = {a = "x"}\n', "other_names cannot be"),
    ],
)
def test_what_is_no_label_set_is_refused(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        label_set.parse(text, "a")
    assert caught.value.hint
    assert "\n" not in str(caught.value)
