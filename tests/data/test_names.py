"""Names: what `--names` takes."""

import json

import pytest

from segcli import labels
from segcli.data import names
from segcli.data.names import Named
from segcli.errors import UsageError
from segcli.labels import VOID


def test_a_list_is_named_with_commas_or_as_a_sequence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names.parse("background, leaf").labels == labels.from_names(["background", "leaf"])
    assert names.parse(["_background_", "leaf"]).labels.names == ("background", "leaf")
    assert names.parse("void,leaf").labels.names == ("void", "leaf")  # as it was typed
    (tmp_path / "a,b.txt").write_text("leaf\nspot\n")
    assert names.parse("a,b.txt").labels.names == ("leaf", "spot")


def test_a_known_set_brings_its_colours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voc2012").write_text("leaf\n")  # a set's name stays one, whatever files are there
    assert names.parse("voc2012").labels is labels.VOC
    assert names.parse(labels.CAMVID).colours[0, 0, 0] == VOID
    classes = names.parse("leaf,spot")
    assert names.parse(classes) is classes
    with pytest.raises(UsageError, match="Did you mean cityscapes"):
        names.parse("cityscape")
    with pytest.raises(UsageError, match="no label set"):
        names.parse("a" * 5000)


def test_a_names_list_gives_one_class_a_line(tmp_path):
    path = tmp_path / "leaf.txt"
    path.write_bytes("\ufeffsoil\r\nleaf, healthy\r\nBlütenstand\r\n".encode())
    found = names.parse(str(path)).labels
    assert (found.name, found.names, found.ignore) == ("leaf", ("soil", "leaf, healthy", "Blütenstand"), 255)
    assert found.palette == labels.voc_palette(3)
    (tmp_path / "labels").write_text("soil\nleaf\n")
    assert names.parse(tmp_path / "labels").labels.names == names.parse(str(tmp_path / "labels")).labels.names


def test_labelmes_ignore_takes_no_place(tmp_path):
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nsquare\ndisc\n")
    found = names.read(tmp_path / "labels.txt")
    assert found.labels.names == ("background", "square", "disc")
    assert found.find("__ignore__") == VOID
    assert names.read_table(tmp_path / "labels.txt") == tuple(map(Named, found.labels.names))


def test_files_of_every_kind_are_told_by_suffix_and_content(tmp_path):
    files = {
        "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\nleaf:1,2,3::\n",
        "label_colors.txt": "0 0 0 background\n1 2 3\tleaf\n",
        "class_dict.csv": "name,r,g,b\nbackground,0,0,0\nleaf,1,2,3\n",
        "_classes.csv": "Pixel Value, Class\n0, background\n1, leaf\n",
        "id2label.json": json.dumps({"0": "background", "1": "leaf"}),
        "data.yaml": "names: [leaf]\n",
        "config.xml": '<View><BrushLabels><Label value="leaf"/></BrushLabels></View>',
        "names.toml": 'names = ["background", "leaf"]\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        assert names.parse(str(tmp_path / name)).labels.names == ("background", "leaf"), name


def test_a_label_set_as_a_table_means_the_same(tmp_path):
    path = tmp_path / "set.toml"
    path.write_text(
        'names = ["soil", "leaf"]\nids = {soil = 0, leaf = [1, 4], void = 9}\npalette = {leaf = [1, 2, 3]}\n'
    )
    table = names.from_table(names.read_table(path))
    assert (table.labels.names, table.ids) == (("soil", "leaf"), names.read(path).ids)
    assert table.colours == {(1, 2, 3): 1}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "names no class"),
        ("a.txt", "# nothing\n\n", "names no class"),
        ("a.txt", "sky\nroad\nsky\n", "name 2 repeats 'sky'"),
        ("a.txt", "\n".join(f"c{i}" for i in range(256)), "names 256 classes"),
        ("a.toml", "sky\nroad\n", "is no TOML"),
        ("a.toml", 'names = ["a"]\nids = {b = 1}\n', "which is no class"),
        ("a.csv", "name,r,g,b\nsky,1,2\n", "too few cells"),
        ("a.json", "{}", "names no class"),
        ("a.json", "{", "cannot be read"),
        ("a.yaml", "names: &a [b]\nother: *a\n", "uses references"),
        ("a.xml", "<!DOCTYPE a><a/>", "DOCTYPE"),
    ],
)
def test_a_file_that_names_no_classes_is_refused_by_name(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    for read in (names.read, names.read_table)[: 2 if "repeats" not in message and "256" not in message else 1]:
        with pytest.raises(UsageError, match=message) as caught:
            read(path)
        assert name in str(caught.value)
        assert caught.value.hint
        assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read the label set"):
        names.parse(str(tmp_path / "absent.txt"))
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UsageError, match="cannot read the label set"):
        names.parse(str(tmp_path / "binary.txt"))
    for suffix in ("json", "xml", "yaml"):
        with pytest.raises(UsageError, match="is not a file"):
            names.parse(str(tmp_path / f"absent.{suffix}"))


def test_files_beside_masks_are_found_by_their_names(tmp_path):
    for name in ("classes.txt", "Labelmap.txt", "notes.txt", "data.yaml"):
        (tmp_path / name).write_text("a\n")
    (tmp_path / "names.txt").mkdir()
    assert [path.name for path in names.beside(tmp_path)] == ["Labelmap.txt", "data.yaml", "classes.txt"]
    assert names.beside(tmp_path / "absent") == ()
