"""Text files and tables that name classes, as tools write them."""

import pytest

from segcli.data.classes import Named, from_table
from segcli.data.name_lists import parse_csv, parse_text
from segcli.errors import UsageError

BLACK = Named("background", None, (0, 0, 0))


def plain(*names):
    return tuple(map(Named, names))


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("soil\nleaf, healthy\n\n# a remark\nBlütenstand\n", plain("soil", "leaf, healthy", "Blütenstand")),
        ("background, leaf,spot\n", plain("background", "leaf", "spot")),
        ("_background_\nsquare\n", plain("background", "square")),
        ("1st floor\n2nd floor\n", plain("1st floor", "2nd floor")),
        ("18 wheeler\n2 wheeler\n", plain("18 wheeler", "2 wheeler")),
        ("0: sky\n1: road\n255: void\n", (Named("sky", 0), Named("road", 1), Named("void", 255))),
        ("sky: 0\nroad: 1\n", (Named("sky", 0), Named("road", 1))),
        ("stage 0\nstage 1\n", plain("stage 0", "stage 1")),
        ("1 wheeler\n2 wheeler\n", plain("1 wheeler", "2 wheeler")),
        ("['sky', 'road']\n", plain("sky", "road")),
        ("item {\n  id: 1\n  name: 'sky'\n}\nitem { name: \"road\" id: 2 }", (Named("sky", 1), Named("road", 2))),
        ("1\tsky\n3\ttraffic light\n", (Named("sky", 1), Named("traffic light", 3))),
        ("64 128 64\tAnimal\n0 0 0\t\tVoid\n", (Named("Animal", None, (64, 128, 64)), Named("Void", None, (0, 0, 0)))),
        (
            "sky 70 130 180\ntraffic light,2,3,4",
            (Named("sky", None, (70, 130, 180)), Named("traffic light", None, (2, 3, 4))),
        ),
        (
            "# label:color_rgb:parts:actions\ndisc:1,2,3::\nbackground:0,0,0::\n",
            (Named("disc", None, (1, 2, 3)), BLACK),
        ),
        # CVAT paints what nobody drew on black, whether or not its map lists a background.
        ("disc:1,2,3:wheel,door:run\n", (BLACK, Named("disc", None, (1, 2, 3)))),
        ("disc:::\n", (BLACK, Named("disc"))),
        ("", ()),
    ],
)
def test_text_files(text, table):
    assert parse_text(text) == table


def test_ade20ks_object_list_counts_from_one_and_keeps_zero_for_void():
    text = (
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.16\t11664\t1172\t1\twall\n2\t0.1\t6046\t612\t1\tbuilding, edifice\n"
    )
    assert parse_text(text) == (Named("void", 0), Named("wall", 1), Named("building", 2))


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (
            "name,r,g,b\nAnimal,64,128,64\nVoid,0,0,0\n",
            (Named("Animal", None, (64, 128, 64)), Named("Void", None, (0, 0, 0))),
        ),
        (" Name , R , G , B \nsky, 1, 2, 3\n", (Named("sky", None, (1, 2, 3)),)),
        ("class;red;green;blue\nsky;1;2;3\n", (Named("sky", None, (1, 2, 3)),)),
        ("Pixel Value, Class\n1, leaf\n0, background\n", (Named("background", 0), Named("leaf", 1))),
        ("class_name,class_color\n__background__,0\nleaf,127\nspot,255\n", None),
        ("class_name,class_color\nleaf,60 130 50\n", (Named("leaf", None, (60, 130, 50)),)),
        ("class_name,class_color\nleaf,60,130,50\n", (Named("leaf", None, (60, 130, 50)),)),
        ('class_name,class_color\nleaf,"(60, 130, 50)"\n', (Named("leaf", None, (60, 130, 50)),)),
        ("name,color\nleaf,#3c8232\n", (Named("leaf", None, (60, 130, 50)),)),
        ("name\nleaf\nspot\n", plain("leaf", "spot")),
        ("0,background\n1,leaf\n", (Named("background", 0), Named("leaf", 1))),
        ("background,0\nleaf,1\n", (Named("background", 0), Named("leaf", 1))),
        ("sky,1,2,3\nroad,4,5,6\n", (Named("sky", None, (1, 2, 3)), Named("road", None, (4, 5, 6)))),
        ("leaf\nspot\n", plain("leaf", "spot")),
        ("", ()),
    ],
)
def test_tables(text, table):
    if table is None:
        table = (Named("background", 0), Named("leaf", 127), Named("spot", 255))
    assert parse_csv(text) == table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,r,g,b\nsky,1,2\n", "too few cells"),
        ("name,r,g,b\nsky,1,2,300\n", "is no colour"),
        ("name,r,g,b\nsky,1,2,-3\n", "is no colour"),
        ("Pixel Value,Class\nleaf,1\n", "'leaf' is no value"),
        ("Pixel Value,Class\n99999,leaf\n", "'99999' is no value"),
        ("name,colour\nleaf,green\n", "'' is no colour"),
        ("name,size\nleaf,4\n", "no column holds values or colours"),
        ("id,name\n1," + "x" * 300 + "\n", "no name of a class"),
        ("id,name\n1,a\u202eb\n", "no name of a class"),
        ("a,b\n" + "x" * 200_000 + ",2\n", "too long for a list of names"),
    ],
)
def test_a_broken_table_is_refused_in_one_line(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_csv(text)
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ['{"a": 1}', "\n<annotations/>", "item { id: 1 }", "item { id: 99999 name: 'a' }"])
def test_other_files_are_no_lists(text):
    with pytest.raises(UsageError) as caught:
        parse_text(text)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["," * 100_000, " x" * 60_000, "a\n" * 10**6, "a\n" + ",1" * 400, "0 " * 60_000])
@pytest.mark.parametrize("parse", [parse_text, parse_csv])
def test_long_files_are_refused(text, parse):
    with pytest.raises(UsageError):
        from_table(parse(text))


def test_a_binary_file_is_no_list():
    with pytest.raises(UsageError, match="is no text"):
        parse_text("PK\x03\x04\0\0")
