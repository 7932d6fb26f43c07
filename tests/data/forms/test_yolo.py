import hashlib

import numpy as np
import pytest

from segcli.data.forms import yolo
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError
from segcli.labels import ADE20K, from_names

SIZE = (20, 40)
LABELS = from_names(["leaf", "background", "spot"])
SQUARE = "0.25 0.1 0.5 0.1 0.5 0.3 0.25 0.3"  # rows 2 to 6, columns 10 to 20
YAML = "names: [leaf, spot]\n"


@pytest.fixture
def load(tmp_path):
    """Loads files of these paths and contents."""

    def read(contents):
        files = [tmp_path / name for name in contents]
        for file, content in zip(files, contents.values(), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode())
        return yolo.load([file for file in files if file.name not in ("classes.txt", "obj.names")])

    return read


def label_map(annotations, size=SIZE, index=0):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[index].shapes(size), size, numbers, annotations.order)


def test_fractions_are_those_of_the_photo_s_own_size(load):
    found = load({"data.yaml": YAML, "labels/a.txt": f"1 {SQUARE}\n"})
    for height, width in ((20, 40), (200, 40), (20, 400)):
        expected = np.zeros((height, width))
        expected[height // 10 : 3 * height // 10, width // 4 : width // 2] = 2
        assert np.array_equal(label_map(found, (height, width)), expected)
    assert found.names == ("leaf", "spot")


def test_the_smaller_outline_lies_on_top(load):
    spot = "1 0.3 0.15 0.4 0.15 0.4 0.25 0.3 0.25\n"
    for text in (f"0 {SQUARE}\n{spot}", f"{spot}0 {SQUARE}\n"):
        assert np.bincount(label_map(load({"data.yaml": YAML, "labels/a.txt": text})).ravel()).tolist() == [760, 32, 8]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [leaf, spot]\nnc: 2", ("leaf", "spot")),
        ("names: {1: spot, 0: leaf}", ("leaf", "spot")),
        ("names:\n  3: no\n  0: '7'\n", ("7", "no")),
        ("nc: 2", ("class_0", "class_1")),
        ("path: /gone\ntrain: ../train/images\nnames: ['leaf ', spot]\nkpt: 3", ("leaf", "spot")),
    ],
)
def test_names_are_a_list_or_a_table(load, text, names):
    assert load({"data.yaml": text, "labels/a.txt": ""}).names == names


@pytest.mark.parametrize("name", ["classes.txt", "labels/classes.txt", "labels/train/classes.txt", "labels/obj.names"])
def test_a_list_of_names_beside_or_above_counts(load, name):
    found = load({name: "leaf\n\nspot\n", "labels/train/a.txt": f"2 {SQUARE}\n"})
    assert found.names == ("leaf", "spot")
    assert found.records[0].shapes(SIZE)[0].name == "spot"


def test_each_folder_goes_by_its_own_names(load):
    found = load(
        {
            "one/data.yaml": YAML,
            "two/data.yaml": "names: [spot, leaf]",
            "one/labels/a.txt": f"0 {SQUARE}",
            "two/labels/a.txt": f"0 {SQUARE}",
        }
    )
    assert [record.shapes(SIZE)[0].name for record in found.records] == ["leaf", "spot"]
    assert found.names == ("leaf", "spot")


def test_names_elsewhere_count_where_there_are_no_nearer_ones(load):
    files = {"config/data.yaml": YAML, "other/labels/a.txt": f"1 {SQUARE}"}
    assert load(files).records[0].shapes(SIZE)[0].name == "spot"
    with pytest.raises(DatasetError, match="have different names for the same class numbers"):
        load(files | {"more/dataset.yaml": "names: [spot, leaf]"})


def test_without_names_classes_are_called_by_their_numbers(load):
    found = load({"labels/a.txt": f"10 {SQUARE}\n2 {SQUARE}\n"})
    assert found.names == ("2", "10")
    assert "their names are their numbers" in found.notes[0]


def test_the_photo_lies_where_labels_are_replaced_by_images(load, tmp_path):
    found = load({"labels/x/labels/train/a.v2.txt": "", "flat/b.txt": ""})
    base = tmp_path.as_posix()
    assert [record.photo for record in found.records] == [f"{base}/labels/x/images/train/a.v2", f"{base}/flat/b"]
    assert [(record.drawn, record.size, record.skipped) for record in found.records] == [(0, None, {})] * 2


def test_boxes_are_told_from_outlines(load):
    text = f"0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2 0.9\n\n0 {SQUARE}\n0 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5\n"
    record = load({"data.yaml": YAML, "labels/a.txt": text}).records[0]
    assert (record.drawn, record.boxes, record.skipped) == (2, 1, {"box": 2})


def test_lines_of_keypoints_are_boxes(load):
    text = "names: [person]\nkpt_shape: [2, 2]\n"
    record = load({"data.yaml": text, "labels/a.txt": "0 0.5 0.5 0.2 0.2 0.4 0.4 0.6 0.6\n"}).records[0]
    assert (record.drawn, record.skipped) == (0, {"box": 1})


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.9", "a.txt: line 2 has 7 numbers after its class"),
        ("0 0.1", "line 2 has 1 numbers after its class"),
        ("7 0.1 0.1 0.2 0.1 0.2 0.2", "line 2 has the class 7, which .*data.yaml does not name"),
        ("0.5 0.1 0.1 0.2 0.1 0.2 0.2", "line 2 has 0.5 as the number of a class"),
        ("-1 0.1 0.1 0.2 0.1 0.2 0.2", "line 2 has -1 as the number of a class"),
        ("1e300 0.1 0.1 0.2 0.1 0.2 0.2", "line 2 has 1e300 as the number of a class"),
        ("0 10 10 20 10 20 20", "line 2 has 10, which is not a fraction"),
        ("0 0.1 nan 0.2 0.1 0.2 0.2", "line 2 has nan, which is not a fraction"),
        ("0 0.1 1e999 0.2 0.1 0.2 0.2", "line 2 has inf, which is not a fraction"),
        ("leaf 0.1 0.1 0.2 0.1 0.2 0.2", "line 2 has something that is not a number: leaf 0.1"),
    ],
)
def test_a_broken_line_is_refused_when_it_is_drawn_and_hides_no_other_file(load, line, match):
    good = f"0 {SQUARE}\n"
    found = load({"data.yaml": YAML, "labels/a.txt": f"{good}{line}\n{good}", "labels/b.txt": good})
    with pytest.raises(DatasetError, match=match):
        found.records[0].shapes(SIZE)
    assert label_map(found, index=1).sum() == 40


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("names: [leaf]\nnc: 2", "nc says that there are 2 classes, but 1 are named"),
        ("names: leaf", "'leaf' is neither a list nor a table"),
        ("names: [leaf, [spot]]", "a name is not text"),
        ("names: {0: leaf, 00: spot}", "two names have the same number"),
        ("names: {leaf: 0}", "its names cannot be read"),
        ("names: [leaf", "data.yaml cannot be read"),
        ("nc: many", "its names cannot be read"),
    ],
)
def test_names_that_cannot_be_read_are_refused_at_once(load, text, match):
    with pytest.raises(DatasetError, match=match):
        load({"data.yaml": text, "labels/a.txt": ""})


@pytest.mark.parametrize("text", ["", "a: b", "- a", "names: []"])
def test_a_yaml_of_something_else_is_passed_over(load, text):
    found = load({"data.yaml": text, "classes.txt": "leaf", "labels/a.txt": f"0 {SQUARE}"})
    assert found.names == ("leaf",)


@pytest.mark.parametrize(("size", "cell"), [((20, 40), 1), ((7, 1), 1), ((1, 4001), 13), ((3997, 3), 7)])
@pytest.mark.parametrize("density", [0.3, 1])
def test_predictions_come_back_to_the_pixel(load, size, cell, density):
    rng = np.random.default_rng(5)
    drawn = np.where(rng.random(size) < density, rng.integers(0, 3, size), 0).astype(np.uint8)
    drawn[rng.random(size) < 0.05] = 255
    drawn = np.repeat(np.repeat(drawn, cell, 0), cell, 1)[: size[0], : size[1]]
    found = load({"data.yaml": yolo.data_yaml(LABELS, {}), "labels/a.txt": yolo.lines(drawn, LABELS)})
    assert found.names == ("leaf", "spot")
    assert np.array_equal(label_map(found, size), np.array([1, 0, 2] + [0] * 253)[drawn])


def test_classes_count_from_0_without_background_and_void(load):
    drawn = np.array([[0, 1, 150, 255]], np.uint8)
    assert [line.split()[0] for line in yolo.lines(drawn, ADE20K).splitlines()] == ["0", "149"]
    found = load({"data.yaml": yolo.data_yaml(ADE20K, {}), "labels/a.txt": ""})
    assert found.names == tuple(dict.fromkeys(ADE20K.names[1:]))


def test_a_square_is_written_as_others_write_it():
    drawn = np.full((48, 64), 1, np.uint8)
    drawn[1:7, 1:9] = 2
    expected = "1 0.015625 0.020833 0.140625 0.020833 0.140625 0.145833 0.015625 0.145833\n"
    assert yolo.lines(drawn, LABELS) == expected


def test_names_of_any_kind_come_back(load):
    names = ["no", "1", "a: b", "# c", "größe", "'", "日本", "~", "[x]", "e\u0301"]
    assert load({"data.yaml": yolo.data_yaml(from_names(names), {}), "labels/a.txt": ""}).names == tuple(names)


def test_predictions_are_uncorrected_until_their_text_is_another(load):
    text = yolo.lines(np.eye(20, 40, dtype=np.uint8) * 2, LABELS)
    marks = {"train/IMG #1": hashlib.sha256(text.encode()).hexdigest(), "b": "0"}
    files = {"data.yaml": yolo.data_yaml(LABELS, marks), "labels/train/IMG #1.txt": text, "labels/b.txt": text}
    assert [record.corrected for record in load(files).records] == [False, True]
    changed = load(files | {"labels/train/IMG #1.txt": text.replace("0.5", "0.6", 1)})
    assert changed.records[0].corrected


def test_files_of_a_run_that_has_not_ended_are_refused(tmp_path):
    path = tmp_path / "labels/a.txt"
    path.parent.mkdir()
    path.write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    (tmp_path / yolo.MARKS).mkdir()
    with pytest.raises(DatasetError, match="of a segcli run that was stopped"):
        yolo.load([path])


def test_boxes_are_drawn_where_that_is_wished(tmp_path):
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    (record,) = yolo.load([tmp_path / "a.txt"], fill_boxes=True).records
    assert (record.drawn, record.boxes, record.skipped) == (1, 1, {})
    assert np.allclose(record.shapes((10, 10))[0].rings[0], [[4, 3], [6, 3], [6, 7], [4, 7]])
