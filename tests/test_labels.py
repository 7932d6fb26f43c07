import numpy as np
import pytest

from segcli import labels
from segcli.errors import UsageError


@pytest.mark.parametrize(
    ("name", "count", "ignore"),
    [
        ("voc2012", 21, 255),
        ("cityscapes", 19, 255),
        ("camvid", 11, 11),
        ("pascal-context", 60, 255),
        ("pascal-context-59", 59, 255),
        ("person-part", 7, 255),
        ("ade20k", 151, 0),
        ("ade20k-150", 150, 255),
        ("coco-stuff", 171, 255),
        ("loveda", 7, 255),
        ("isprs", 6, 255),
    ],
)
def test_published_label_sets_have_their_published_sizes_and_distinct_names(name, count, ignore):
    found = labels.get(name)
    assert (len(found), len(set(found.names)), found.ignore) == (count, count, ignore)


def test_voc_palette_is_the_devkits_colour_map():
    # The first entries of VOClabelcolormap, and the last of the 21 classes.
    assert labels.VOC.palette[:6] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128))
    assert labels.VOC.palette[20] == (0, 64, 128)
    assert labels.voc_palette(256)[255] == (224, 224, 192)  # the devkit's void
    assert tuple(labels.VOC.colours()[labels.VOID]) == (224, 224, 192)


def test_ade20k_follows_the_benchmarks_object_list_and_colours():
    # objectInfo150.txt and color150 of the scene-parsing benchmark, ids 1-based.
    ade = labels.ADE20K
    known = {1: "wall", 8: "bed", 13: "person", 45: "chest of drawers", 90: "television", 127: "animal", 150: "flag"}
    assert {index: ade.names[index] for index in known} == known
    assert ade.palette[1] == (120, 120, 120)
    assert ade.palette[100] == (255, 112, 0)
    assert ade.names[100] == "buffet"
    assert ade.palette[150] == (92, 0, 255)
    assert ade.names[0] == "void"


def test_ade20k_without_void_is_one_id_lower():
    assert (labels.ADE20K_150.names[0], labels.ADE20K_150.names[149]) == ("wall", "flag")
    assert labels.ADE20K_150.palette[149] == (92, 0, 255)


def test_coco_stuff_numbers_its_classes_as_mmsegmentations_converter_does():
    """Its clsID_to_trID maps the published ids 0, 12, 91 and 181 to 0, 11, 80 and 170, with labels.txt one lower."""
    names = labels.COCO_STUFF.names
    assert [names[index] for index in (0, 11, 79, 80, 170)] == ["person", "stop sign", "toothbrush", "banner", "wood"]


def test_pascal_context_without_background_keeps_names_and_colours_in_step():
    with_background = dict(zip(labels.PASCAL_CONTEXT.names, labels.PASCAL_CONTEXT.palette, strict=True))
    assert "background" not in labels.PASCAL_CONTEXT_59.names
    for name, colour in zip(labels.PASCAL_CONTEXT_59.names, labels.PASCAL_CONTEXT_59.palette, strict=True):
        assert with_background[name] == colour


@pytest.mark.parametrize("found", labels.LABEL_SETS.values(), ids=lambda found: found.name)
def test_a_label_set_survives_plain_json_values(found):
    import json

    assert labels.LabelSet.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"palette": [[300, 0, 0]]}, r"palette cannot be \[\[300, 0, 0\]\]"),
        ({"palette": [[0, 0, -1]]}, r"palette cannot be \[\[0, 0, -1\]\]"),
        ({"palette": [[0, float("inf"), 0]]}, r"palette cannot be \[\[0, inf, 0\]\]"),
        ({"palette": [[0, 0]]}, "It must be a list of lists of 3 whole numbers in 0..255"),
        ({"ignore": "zz"}, "ignore cannot be 'zz'"),
        ({"ignore": 256}, "ignore cannot be 256"),
        ({"names": []}, "0 names, 1 colours"),
    ],
)
def test_foreign_values_that_are_no_label_set_are_refused(change, message):
    sound = {"name": "mine", "names": ["leaf"], "palette": [[0, 0, 0]], "ignore": None}
    assert len(labels.LabelSet.from_dict(sound)) == 1
    with pytest.raises(ValueError, match=message):
        labels.LabelSet.from_dict(sound | change)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean cityscapes"):
        labels.get("cityscape")


def test_colours_of_more_classes_than_ids_leave_void_its_own():
    table = labels.from_names([f"class {index}" for index in range(255)]).colours()
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert tuple(table[254]) != tuple(table[255])


def test_many_names_are_told_by_the_first_few():
    assert labels.some_of(["leaf", "spot"]) == "leaf, spot"
    assert labels.some_of(list("abcdef"), most=4) == "a, b, c, d and 2 more"
