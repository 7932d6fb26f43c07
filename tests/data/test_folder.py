"""Photos and labels of one's own, in any form, read as one dataset."""

import json
import pickle

import numpy as np
import pytest
from dataset_files import write_list, write_mask, write_photo
from PIL import Image

from segcli import labels
from segcli.data.folder import open_folder
from segcli.data.names import parse
from segcli.data.reading import Choice, read_void, void_text
from segcli.errors import DatasetError, UsageError
from segcli.images.masks import write_label_map

VOID = 255
TWO = parse(["soil", "leaf"])


def names(dataset) -> list[str]:
    return [sample.name for sample in dataset.samples]


def read(dataset, index=0) -> list:
    return dataset.read_label(dataset.samples[index]).tolist()


def labelme(path, *shapes, photo="a.png", **more):
    """A LabelMe file of (class, left, right) rectangles over the whole height of a photo of 4 x 3 pixels."""
    entries = [
        {"label": name, "points": [[x, 0], [y, 0], [y, 3], [x, 3]], "shape_type": "polygon"} for name, x, y in shapes
    ]
    content = {"version": "5", "flags": {}, "shapes": entries, "imagePath": photo, "imageData": None}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, "imageHeight": 3, "imageWidth": 4, **more}))


@pytest.mark.parametrize("form", ["segments", "coco"])
def test_pictures_of_objects_called_like_photos_are_no_masks(tmp_path, form):
    write_photo(tmp_path / "images/a.png", (2, 1))
    (tmp_path / "labels").mkdir()
    Image.fromarray(np.array([[[1, 0, 0], [0, 0, 0]]], np.uint8)).save(tmp_path / "labels/a.png")
    objects = [{"id": 1, "category_id": 1}]
    bitmap = {"annotations": objects, "segmentation_bitmap": {"url": "labels/a.png"}}
    sample = {"name": "a.png", "labels": {"ground-truth": {"label_status": "LABELED", "attributes": bitmap}}}
    categories = [{"id": 1, "name": "leaf"}]
    release = {"name": "v1", "dataset": {"samples": [sample], "task_attributes": {"categories": categories}}}
    photos = [{"id": 1, "file_name": "a.png", "width": 2, "height": 1}]
    segments = [{"image_id": 1, "file_name": "a.png", "segments_info": objects}]
    panoptic = {"images": photos, "annotations": segments, "categories": categories}
    path = tmp_path / ("release.json" if form == "segments" else "labels.json")
    path.write_text(json.dumps(release if form == "segments" else panoptic))
    dataset = open_folder(tmp_path)
    assert dataset.reading.as_ == form
    assert read(dataset)[0][0] == dataset.labels.names.index("leaf")


class TestMasks:
    def test_pair_by_relative_name_whatever_the_suffix(self, tmp_path):
        write_photo(tmp_path / "photos/a.JPG", (2, 1), format="JPEG")
        write_photo(tmp_path / "photos/sub/a.b.png", (2, 1))
        write_photo(tmp_path / "photos/sub/lonely.png")
        write_list(tmp_path / "photos/notes.txt", "not a photo")
        write_mask(tmp_path / "photos/masks/a.png", [[0, 1]])
        write_mask(tmp_path / "photos/masks/sub/a.b.png", [[1, 255]])
        dataset = open_folder(tmp_path / "photos", tmp_path / "photos/masks", TWO)
        assert names(dataset) == ["a", "sub/a.b", "sub/lonely"]
        assert (read(dataset, 0), read(dataset, 1)) == ([[0, 1]], [[1, VOID]])
        assert dataset.samples[2].label == tmp_path / "photos/masks/sub/lonely.png"
        assert (dataset.strays, dataset.reading.is_plain) == ((), True)

    def test_that_lie_around_the_photos_folder_are_no_photos(self, tmp_path):
        write_photo(tmp_path / "photos/a.jpg")
        write_mask(tmp_path / "a.png", [[1]])
        stray = write_mask(tmp_path / "b.png", [[1]])
        dataset = open_folder(tmp_path / "photos", tmp_path, TWO)
        assert (read(dataset), dataset.strays) == ([[1]], (stray,))

    def test_have_the_classes_own_void_and_255_too(self, tmp_path):
        """Masks that this program writes hold 255, whatever void is in the published dataset."""
        write_photo(tmp_path / "photos/a.png")
        write_mask(tmp_path / "masks/a.png", [[10, 11, 255]])
        folders = (tmp_path / "photos", tmp_path / "masks")
        assert read(open_folder(*folders, parse(labels.CAMVID))) == [[10, VOID, VOID]]
        with pytest.raises(DatasetError, match="holds id 255"):
            read(open_folder(*folders, parse(labels.from_names(list("abcdefghijkl"), ignore=None))))

    def test_beside_their_photos_are_known_by_affixes(self, tmp_path):
        for name in "ab":
            write_photo(tmp_path / f"{name}.jpg", (2, 1))
            write_mask(tmp_path / f"{name}_mask.png", [[0, 255]])
        dataset = open_folder(tmp_path, classes=TWO)
        assert (names(dataset), read(dataset)) == (["a", "b"], [[0, 1]])
        assert dataset.reading.as_ == "binary"
        assert "if 255 is void, add --void 255" in dataset.reading.notes[0]
        assert read(open_folder(tmp_path, classes=TWO, choice=Choice(void=(255,)))) == [[0, VOID]]

    def test_are_named_by_a_file_beside_them(self, tmp_path):
        write_photo(tmp_path / "images/a.png", (3, 1))
        write_mask(tmp_path / "masks/a.png", [[0, 1, 2]])
        (tmp_path / "classes.txt").write_text("leaf\nspot\nsoil\n")
        assert open_folder(tmp_path).labels.names == ("leaf", "spot", "soil")
        given = open_folder(tmp_path / "images", tmp_path / "masks", parse("soil,leaf,spot"))
        assert read(given) == [[1, 2, 0]], "by name, never by place"

    def test_of_segcli_name_their_classes(self, tmp_path):
        write_photo(tmp_path / "images/a.png", (2, 1))
        write_label_map(tmp_path / "masks/a.png", np.array([[1, 255]], np.uint8), TWO.labels)
        assert open_folder(tmp_path).labels.names == ("soil", "leaf")

    def test_that_nobody_names_are_described(self, tmp_path):
        write_photo(tmp_path / "images/a.png", (3, 1))
        write_mask(tmp_path / "masks/a.png", [[0, 1, 2]])
        with pytest.raises(UsageError, match="values 0, 1, 2") as caught:
            open_folder(tmp_path)
        assert "--names" in caught.value.hint

    def test_that_a_network_predicted_are_left_out(self, tmp_path):
        for name, info in (("a", {"model": "street"}), ("b", {})):
            write_photo(tmp_path / f"images/{name}.png", (2, 1))
            write_label_map(tmp_path / f"masks/{name}.png", np.array([[0, 1]], np.uint8), TWO.labels, info)
        dataset = open_folder(tmp_path)
        assert names(dataset) == ["b"]
        assert "1 masks are predictions" in dataset.reading.notes[-1]
        assert names(open_folder(tmp_path, choice=Choice(with_predictions=True))) == ["a", "b"]
        (tmp_path / "masks/b.png").unlink()
        with pytest.raises(DatasetError, match="all 1 masks are predictions"):
            open_folder(tmp_path / "images", tmp_path / "masks", TWO)

    def test_of_each_class_are_drawn_over_each_other(self, tmp_path):
        write_photo(tmp_path / "images/a.png", (4, 1))
        write_mask(tmp_path / "masks/leaf/a.png", [[255, 255, 255, 0]])
        write_mask(tmp_path / "masks/spot/a.png", [[0, 255, 0, 0]])
        dataset = open_folder(tmp_path, classes=parse("soil,background,spot,leaf"))
        assert read(dataset) == [[3, 2, 3, 1]]
        assert dataset.reading.form == "a mask for each class"
        assert {file.parent.name for file in dataset.samples[0].label_files} == {"leaf", "spot"}
        assert open_folder(tmp_path).labels.names == ("background", "leaf", "spot"), "the folders name them"

    def test_of_another_size_than_the_photo_fail(self, tmp_path):
        write_photo(tmp_path / "images/a.png", (4, 2))
        write_mask(tmp_path / "masks/leaf/a.png", [[255, 255, 255, 0]])
        write_mask(tmp_path / "masks/spot/a.png", [[255, 255, 255, 0]])
        dataset = open_folder(tmp_path, classes=parse("background,leaf,spot"))
        with pytest.raises(DatasetError, match="is 4 x 1 pixels, but its photo is 4 x 2"):
            read(dataset)

    def test_can_be_read_by_the_processes_that_load_photos(self, tmp_path):
        write_photo(tmp_path / "images/a.png", (2, 1))
        write_mask(tmp_path / "masks/a.png", [[0, 255]])
        assert read(pickle.loads(pickle.dumps(open_folder(tmp_path, classes=TWO)))) == [[0, 1]]

    def test_of_each_object_are_the_one_class(self, tmp_path):
        write_photo(tmp_path / "train/7/images/7.png", (3, 1))
        write_mask(tmp_path / "train/7/masks/x.png", [[255, 0, 0]])
        write_mask(tmp_path / "train/7/masks/y.png", [[0, 255, 0]])
        assert read(open_folder(tmp_path, classes=parse("background,cell"))) == [[1, 1, 0]]
        with pytest.raises(DatasetError, match="there are 2 classes it may have"):
            open_folder(tmp_path, classes=parse("background,cell,nucleus"))

    def test_whose_names_a_metadata_file_gives(self, tmp_path):
        write_photo(tmp_path / "x/one.png", (2, 1))
        write_mask(tmp_path / "x/two.png", [[0, 1]])
        (tmp_path / "x/metadata.jsonl").write_text('{"image": "one.png", "label": "two.png"}\n')
        dataset = open_folder(tmp_path, classes=TWO)
        assert (names(dataset), read(dataset)) == (["one"], [[0, 1]])


class TestShapes:
    def test_in_a_file_for_each_photo(self, tmp_path):
        write_photo(tmp_path / "a.png")
        labelme(tmp_path / "a.json", ("leaf", 0, 2), ("_background_", 1, 2))
        dataset = open_folder(tmp_path, classes=parse("background,spot,leaf"))
        assert read(dataset) == [[2, 0, 0, 0]] * 3
        assert dataset.reading.to_dict() == {"form": "LabelMe JSON", "as": "labelme", "void": [], "notes": []}

    def test_take_their_classes_from_a_list_beside_them(self, tmp_path):
        write_photo(tmp_path / "a.png")
        labelme(tmp_path / "a.json", ("leaf", 0, 2))
        (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nspot\nleaf\n")
        assert open_folder(tmp_path).labels.names == ("background", "spot", "leaf")
        (tmp_path / "labels.txt").write_text("tree\n")
        assert open_folder(tmp_path).labels.names == ("background", "leaf"), "it lacks one in use"

    def test_in_one_file_apart_from_the_photos(self, tmp_path):
        write_photo(tmp_path / "photos/a.png")
        coco = {
            "images": [{"id": 1, "file_name": "a.png", "width": 4, "height": 3}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 7, "segmentation": [[0, 0, 2, 0, 2, 2, 4, 3, 0, 3]]}
            ],
            "categories": [{"id": 7, "name": "leaf"}],
        }
        (tmp_path / "labels.json").write_text(json.dumps(coco))
        dataset = open_folder(tmp_path / "photos", tmp_path / "labels.json")
        assert (read(dataset)[0], dataset.labels.names) == ([1, 1, 0, 0], ("background", "leaf"))

    def test_are_read_anew_by_the_processes_that_load_photos(self, tmp_path):
        write_photo(tmp_path / "a.png")
        labelme(tmp_path / "a.json", ("leaf", 0, 2))
        labelme(tmp_path / "b.json", ("leaf", 0, 1), photo="gone.png")
        dataset = open_folder(tmp_path)
        again = pickle.loads(pickle.dumps(dataset))
        assert read(again) == read(dataset) == [[1, 1, 0, 0]] * 3
        assert read(pickle.loads(pickle.dumps(again))) == read(dataset)

    def test_of_a_class_that_the_user_calls_void(self, tmp_path):
        write_photo(tmp_path / "a.png")
        labelme(tmp_path / "a.json", ("leaf", 0, 2), ("shadow", 2, 3))
        dataset = open_folder(tmp_path, classes=parse("background,leaf"), choice=Choice(void=("Shadow",)))
        assert read(dataset)[0] == [1, 1, VOID, 0]

    def test_and_masks_together_are_refused_unless_one_is_chosen(self, tmp_path):
        write_photo(tmp_path / "a.png")
        labelme(tmp_path / "a.json", ("leaf", 0, 2))
        write_mask(tmp_path / "masks/a.png", [[1, 1, 1, 0]] * 3)
        with pytest.raises(DatasetError, match="LabelMe JSON and masks") as caught:
            open_folder(tmp_path, classes=TWO)
        assert "--as" in caught.value.hint
        assert read(open_folder(tmp_path, classes=TWO, choice=Choice(as_="ids")))[0] == [1, 1, 1, 0]
        both = parse("background,leaf")
        assert read(open_folder(tmp_path, classes=both, choice=Choice(as_="labelme")))[0] == [1, 1, 0, 0]
        with pytest.raises(DatasetError, match="holds no COCO JSON"):
            open_folder(tmp_path, classes=both, choice=Choice(as_="coco"))

    def test_that_are_boxes_are_refused_with_the_reason(self, tmp_path):
        write_photo(tmp_path / "a.png")
        (tmp_path / "a.xml").write_text(
            "<annotation><filename>a.png</filename><size><width>4</width><height>3</height></size><object><name>leaf"
            "</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>2</ymax></bndbox></object></annotation>"
        )
        with pytest.raises(DatasetError, match="are 1 boxes, and a box does not say"):
            open_folder(tmp_path)


def test_folders_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="is no folder"):
        open_folder(tmp_path / "photos", tmp_path, TWO)
    write_photo(tmp_path / "photos/a.jpg")
    with pytest.raises(DatasetError, match="holds no labels that segcli knows"):
        open_folder(tmp_path, classes=TWO)
    write_photo(tmp_path / "photos/a.png")
    (tmp_path / "masks").mkdir()
    with pytest.raises(DatasetError, match=r"a\.jpg and .*a\.png have the same name"):
        open_folder(tmp_path / "photos", tmp_path / "masks", TWO)
    with pytest.raises(UsageError, match="--as cocoa: not known") as caught:
        open_folder(tmp_path, choice=Choice(as_="cocoa"))
    assert caught.value.hint == "Did you mean coco?"


def test_masks_called_like_no_photo_are_shown(tmp_path):
    write_photo(tmp_path / "images/x.png")
    write_mask(tmp_path / "masks/other.png", [[0]])
    with pytest.raises(DatasetError, match="none of the 1 masks"):
        open_folder(tmp_path, classes=TWO)


@pytest.mark.parametrize(
    ("text", "void"),
    [
        ("none", ()),
        ("255", (255,)),
        ("0, 255", (0, 255)),
        ("-1", (-1,)),
        ("#e0e0c0,shadow", ((224, 224, 192), "shadow")),
    ],
)
def test_void_is_values_colours_or_names(text, void):
    assert read_void(text) == void
    assert read_void(void_text(void)) == void


def test_a_label_set_with_values_maps_them(tmp_path):
    (tmp_path / "set.toml").write_text('names = ["soil", "leaf"]\n[ids]\nsoil = [0, 3]\nleaf = 40\nvoid = 9\n')
    write_photo(tmp_path / "images/a.png", (4, 1))
    write_mask(tmp_path / "masks/a.png", [[0, 3, 40, 9]])
    dataset = open_folder(tmp_path / "images", tmp_path / "masks", parse(str(tmp_path / "set.toml")))
    assert read(dataset) == [[0, 0, 1, VOID]]


def test_a_class_called_void_is_one_with_a_word(tmp_path):
    write_photo(tmp_path / "images/a.png", (3, 1))
    write_mask(tmp_path / "masks/a.png", [[0, 1, 2]])
    dataset = open_folder(tmp_path, classes=parse("soil,leaf,void"))
    assert read(dataset) == [[0, 1, 2]]
    assert "if it is void, add --void 2" in dataset.reading.notes[0]
    assert read(open_folder(tmp_path, classes=parse("soil,leaf,void"), choice=Choice(void=(2,)))) == [[0, 1, VOID]]


def test_a_photo_is_no_folder_of_photos(tmp_path):
    write_photo(tmp_path / "a.png")
    write_mask(tmp_path / "labels" / "a.png", [[0, 1]])
    with pytest.raises(DatasetError, match=r"a\.png is a file, not a folder of photos"):
        open_folder(tmp_path / "a.png", tmp_path / "labels", TWO)
