"""Datasets of shapes: which photos they have, what is drawn, and what is said."""

from pathlib import Path

import numpy as np
import pytest
from dataset_files import write_photo

from segcli.data.forms import drawn
from segcli.data.forms.annotations import Annotations, Record
from segcli.data.forms.shapes import Shape, box
from segcli.data.names import parse
from segcli.data.reading import Choice
from segcli.errors import DatasetError

VOID = 255


@pytest.fixture
def root(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        write_photo(tmp_path / name, (6, 4))
    return tmp_path


def record(photo: str, *shapes: Shape, **facts) -> Record:
    facts = {"drawn": len(shapes), "size": (4, 6), **facts}
    return Record(photo, Path("labels.json"), lambda size: shapes, **facts)


def square(name: str, column: int = 0, z: int = 0) -> Shape:
    return Shape(name, (box(column, 0, column + 2, 2),), z=z)


def dataset(root, *records, names=("leaf", "spot"), classes=None, order="list", **choice):
    photos = sorted(root.glob("*.png"))
    chosen = None if classes is None else parse(classes)
    return drawn.dataset(Annotations(names, records, order), "a tool", "tool", photos, root, chosen, Choice(**choice))


def maps(data) -> dict[str, list]:
    return {sample.name: data.read_label(sample)[0].tolist() for sample in data.samples}


def test_classes_are_matched_by_name_and_what_nobody_drew_on_is_background(root):
    one = record("a.png", square("Leaf "), square("spot", 3))
    data = dataset(root, one, names=("spot", "Leaf "), classes="spot,background,leaf")
    assert maps(data) == {"a": [2, 2, 1, 0, 0, 1]}
    assert data.labels.names == ("spot", "background", "leaf")


def test_without_names_the_files_classes_follow_a_background(root):
    data = dataset(root, record("a.png", square("spot")))
    assert data.labels.names == ("background", "leaf", "spot")
    assert maps(data) == {"a": [2, 2, 0, 0, 0, 0]}
    listed = dataset(root, record("a.png", square("spot")), names=("spot", "_background_", "__ignore__"))
    assert listed.labels.names == ("spot", "background")
    assert maps(listed) == {"a": [0, 0, 1, 1, 1, 1]}


def test_void_and_background_are_known_by_their_names(root):
    shapes = (square("leaf"), square("_background_", 1), square("__ignore__", 4))
    data = dataset(root, record("a.png", *shapes), names=("leaf", "_background_", "__ignore__"))
    assert data.labels.names == ("leaf", "background")
    assert maps(data) == {"a": [0, 1, 1, 1, VOID, VOID]}


def test_where_no_class_is_background_the_rest_is_void_and_that_is_said(root):
    data = dataset(root, record("a.png", square("leaf")), classes="leaf,spot")
    assert maps(data) == {"a": [0, 0, VOID, VOID, VOID, VOID]}
    assert "pixels without a shape are void" in data.reading.notes[1]


def test_a_class_without_a_name_is_a_problem_of_its_photo(root):
    data = dataset(root, record("a.png", square("stem")), names=("stem",), classes="background,leaf")
    with pytest.raises(DatasetError, match=r"the class 'stem' \(4 pixels\)"):
        data.read_label(data.samples[0])


def test_the_last_shape_or_the_smaller_one_lies_on_top(root):
    small, large = Shape("spot", (box(0, 0, 1, 1),)), Shape("leaf", (box(0, 0, 3, 3),))
    assert maps(dataset(root, record("a.png", small, large)))["a"][:2] == [1, 1]
    assert maps(dataset(root, record("a.png", small, large), order="area"))["a"][:2] == [2, 1]


def test_photos_without_labels_are_left_out_and_labels_without_photos_are_missing(root):
    data = dataset(root, record("b.jpg", square("leaf")), record("../x/gone.jpg", square("leaf")))
    assert [sample.name for sample in data.samples] == ["b", "gone.jpg"]
    assert data.samples[1].image == root / "gone.jpg", "a name, never a path of a foreign file"
    assert data.reading.notes == ("2 of 3 photos have no labels and are left out",)


def test_several_files_may_describe_a_photo(root):
    data = dataset(root, record("a.png", square("leaf")), record("a.png", square("spot", 3)))
    assert maps(data) == {"a": [1, 1, 0, 2, 2, 0]}
    with pytest.raises(DatasetError, match="labels for several sizes"):
        dataset(root, record("a.png", square("leaf")), record("a.png", square("spot"), size=(8, 12)))


def test_a_size_that_no_file_states_is_the_photos(root):
    data = dataset(root, record("a.png", square("leaf"), size=None))
    assert data.read_label(data.samples[0]).shape == (4, 6)


def test_boxes_alone_are_refused_with_the_reason(root):
    boxes = record("a.png", square("leaf"), boxes=1)
    with pytest.raises(DatasetError, match="are 1 boxes") as caught:
        dataset(root, boxes)
    assert "--fill-boxes" in caught.value.hint
    assert maps(dataset(root, boxes, fill_boxes=True)) == {"a": [1, 1, 0, 0, 0, 0]}
    with pytest.raises(DatasetError, match="are 3 boxes") as caught:
        dataset(root, record("a.png", skipped={"box": 3}), fill_boxes=True)
    assert "--fill-boxes" not in caught.value.hint


def test_boxes_among_shapes_are_filled_and_points_left_out_with_a_word(root):
    one = record("a.png", square("leaf"), square("spot", 3), boxes=1, skipped={"point": 2, "line": 1})
    assert dataset(root, one).reading.notes[:2] == (
        "1 of 2 shapes are rectangles; they are filled",
        "2 points, 1 line left out: they give no pixels of a class",
    )


def test_a_photo_with_nothing_but_points_is_not_taken_for_an_empty_one(root):
    data = dataset(root, record("a.png", square("leaf")), record("b.png", skipped={"point": 1}))
    assert [sample.name for sample in data.samples] == ["a"]
    assert "1 of 2 photos have no shape that encloses pixels" in " ".join(data.reading.notes)


def test_a_label_without_shapes_says_that_nothing_is_there(root):
    records = (record("a.png", square("leaf")), record("b.png"))
    data = dataset(root, *records)
    assert maps(data)["b"] == [0] * 6
    assert "1 of 2 labels hold no shape: their photos are background (--skip-empty" in " ".join(data.reading.notes)
    assert list(maps(dataset(root, *records, skip_empty=True))) == ["a"]
    with pytest.raises(DatasetError, match="none of the 1 labels holds a shape"):
        dataset(root, record("b.png"))


def test_a_file_that_cannot_be_read_is_no_empty_one(root):
    def fail(size):
        raise DatasetError("it ends too early")

    data = dataset(root, record("a.png", square("leaf")), Record("b.png", Path("b.json"), fail))
    with pytest.raises(DatasetError, match=r"b\.json: it ends too early"):
        data.read_label(data.samples[1])


def test_predictions_that_nobody_corrected_are_left_out(root):
    guessed = record("a.png", square("leaf"), corrected=False)
    data = dataset(root, guessed, record("b.png", square("leaf")))
    assert list(maps(data)) == ["b"]
    assert "1 of 2 labels are predictions that nobody has corrected" in data.reading.notes[0]
    assert list(maps(dataset(root, guessed, record("b.png", square("leaf")), with_predictions=True))) == ["a", "b"]
    with pytest.raises(DatasetError, match="all 1 labels are predictions") as caught:
        dataset(root, guessed)
    assert "--with-predictions" in caught.value.hint


def test_labels_of_other_photos_are_refused(root):
    with pytest.raises(DatasetError, match="none of the 1 photos that the labels name"):
        dataset(root, record("x.png", square("leaf")))


def test_the_photos_upright_size_counts(tmp_path):
    from PIL import Image

    turned = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "a.jpg", exif=exif)
    data = drawn.dataset(
        Annotations(("leaf",), (record("a.jpg", square("leaf"), size=None),)),
        *("a tool", "tool", [tmp_path / "a.jpg"], tmp_path, None, Choice()),
    )
    assert data.read_label(data.samples[0]).shape == (6, 4)
