import numpy as np
import pytest
import rois
from PIL import Image
from rois import ROIS

from segcli.data.forms import imagej
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (20, 30)


@pytest.fixture
def load(tmp_path):
    """Loads a zip of {entry: region}, by default called plant_RoiSet.zip."""

    def read(entries, name="plant_RoiSet.zip"):
        path = tmp_path / name
        path.write_bytes(rois.zipped(entries))
        return imagej.load([path])

    return read


def test_the_last_region_of_a_zip_lies_on_top(load):
    entries = {"b.roi": ROIS["composite"], "a.roi": rois.named(ROIS["polygon"], "spot")}
    annotations = load(entries)
    (record,) = annotations.records
    assert (record.photo, record.size, record.drawn, record.boxes) == ("plant", None, 2, 0)
    assert annotations.names == ("leaf", "spot")
    labels = draw(record.shapes(SIZE), SIZE, {"leaf": 1, "spot": 2}, annotations.order)
    expected = np.zeros(SIZE, int)
    expected[1:11, 1:13] = 1
    expected[4:8, 4:9] = 0
    expected[1:3, 2:9], expected[3:6, 5:9] = 2, 2
    assert np.array_equal(labels, expected)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("leaf", "leaf"),
        ("leaf-1", "leaf"),
        ("leaf_0001-0001", "leaf"),
        ("leaf 3", "leaf"),
        ("leaf (2)", "leaf"),
        ("leaf #2", "leaf"),
        ("young leaf-12", "young leaf"),
        ("leaf3", "leaf3"),
        ("T-cell", "T-cell"),
    ],
)
def test_counters_of_names_are_no_part_of_the_class(load, given, name):
    annotations = load({"x.roi": rois.named(ROIS["polygon"], given)})
    assert annotations.names == (name,)
    assert (given == name) == (not annotations.notes)


def test_many_numbers_after_one_word_count_objects(load):
    annotations = load({f"{i}.roi": rois.named(ROIS["polygon"], f"cell{i}") for i in range(12)})
    assert annotations.names == ("cell",)
    (note,) = annotations.notes
    assert note.startswith("numbers at the end of ROI names count objects ('cell0', 'cell1', 'cell10', ...)")
    assert load({f"{i}.roi": rois.named(ROIS["polygon"], f"cell{i}") for i in range(3)}).names == (
        "cell0",
        "cell1",
        "cell2",
    )


def test_the_property_class_goes_before_the_name_and_groups_after(load):
    annotations = load({"0002-0002.roi": ROIS["property"], "1.roi": ROIS["nameless"], "2.roi": ROIS["large group"]})
    assert annotations.names == ("spot", "group 7", "group 300")
    assert "the files do not hold the names of groups" in annotations.notes[0]


@pytest.mark.parametrize("name", ["0002-0002", "17", "F00-C3", "f9e0a1b2-3c4d-11ee-8f00-0123456789ab"])
def test_regions_without_any_name_are_all_of_one_class(load, name):
    annotations = load({"a.roi": rois.named(ROIS["rectangle"], name), "b.roi": ROIS["point"]})
    assert annotations.names == ("object",)
    assert annotations.notes == ("no ROI has a name or group, so all are of one class, 'object'",)
    assert annotations.records[0].skipped == {"point": 1}
    assert annotations.records[0].boxes == 1


def test_regions_without_a_name_beside_named_ones_are_skipped(load):
    annotations = load({"a.roi": ROIS["polygon"], "0002-0002.roi": rois.named(ROIS["rectangle"], "")})
    assert annotations.names == ("leaf",)
    assert annotations.records[0].skipped == {"without a class": 1}
    assert annotations.records[0].drawn == 1


def test_the_entry_names_a_region_that_has_no_name_inside(load):
    annotations = load({"0003_spot.roi": rois.named(ROIS["rectangle"], "")})
    assert annotations.names == ("spot",)


def test_splines_are_said_to_be_drawn_straight(load):
    spline = bytearray(ROIS["polygon"])
    spline[51] |= 1
    assert "1 ROIs are fitted splines" in load({"a.roi": bytes(spline)}).notes[-1]


@pytest.mark.parametrize(
    ("zip_name", "photo"),
    [
        ("plant_01_RoiSet.zip", "plant_01"),
        ("RoiSet_plant_01.zip", "plant_01"),
        ("RoiSet-plant.zip", "plant"),
        ("plant.zip", "plant"),
        ("plant_rois.zip", "plant"),
        ("heroisland.zip", "heroisland"),
    ],
)
def test_a_zip_is_named_like_its_photo(load, zip_name, photo):
    assert load({"a.roi": ROIS["polygon"]}, zip_name).records[0].photo == photo


def test_a_zip_without_the_name_of_a_photo_belongs_to_the_only_one_beside_it(load, tmp_path):
    assert load({"a.roi": ROIS["polygon"]}, "RoiSet.zip").records[0].photo == tmp_path.name
    Image.new("L", (4, 4)).save(tmp_path / "plant.png")
    assert load({"a.roi": ROIS["polygon"]}, "RoiSet.zip").records[0].photo == "plant"


def test_single_files_belong_to_the_photo_they_are_named_like_or_to_their_folder(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("plant_1", "plant_12"):
        Image.new("L", (4, 4)).save(tmp_path / "images" / f"{name}.png")
    files = []
    for name in (
        "rois/plant_12.roi",
        "rois/plant_1_leaf.roi",
        "rois/plant_1_spot.roi",
        "flower/0001.roi",
        "flower/0002.roi",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(rois.named(ROIS["oval"], path.stem))  # as ImageJ does
        files.append(path)
    annotations = imagej.load(files)
    assert {record.photo: record.drawn for record in annotations.records} == {"plant_12": 0, "plant_1": 2, "flower": 0}
    assert annotations.names == ("leaf", "spot")


def test_a_broken_zip_hides_no_other(tmp_path):
    good, cut, empty = (tmp_path / f"{name}_RoiSet.zip" for name in ("good", "cut", "empty"))
    good.write_bytes(rois.zipped({"a.roi": ROIS["polygon"]}))
    cut.write_bytes(good.read_bytes()[:-30])
    empty.write_bytes(rois.zipped({"a.txt": b"", "__MACOSX/._a.roi": b"\0\5\x16\7"}))
    annotations = imagej.load([good, cut, empty])
    assert [record.photo for record in annotations.records] == ["good", "cut", "empty"]
    assert len(annotations.records[0].shapes(SIZE)) == 1
    with pytest.raises(DatasetError, match=r"cut_RoiSet.zip: the zip is damaged"):
        annotations.records[1].shapes(SIZE)
    with pytest.raises(DatasetError, match=r"empty_RoiSet.zip: it holds no ROI"):
        annotations.records[2].shapes(SIZE)


def test_a_region_that_is_cut_is_named(load):
    record = load({"leaf.roi": ROIS["polygon"][:100]}).records[0]
    with pytest.raises(DatasetError, match=r"plant_RoiSet.zip: 'leaf': the ROI ends too early"):
        record.shapes(SIZE)


def test_regions_of_several_slices_are_refused(load):
    other = bytearray(ROIS["slice"])
    other[59] = 4
    record = load({"a.roi": ROIS["slice"], "b.roi": bytes(other)}).records[0]
    with pytest.raises(DatasetError, match="belong to 2 slices of a stack"):
        record.shapes(SIZE)
    assert load({"a.roi": ROIS["slice"], "b.roi": ROIS["polygon"]}).records[0].drawn == 2


def test_a_zip_that_unpacks_to_too_much_is_refused(load, monkeypatch):
    monkeypatch.setattr(imagej, "MAX_ROI_BYTES", 1 << 16)
    record = load({"a.roi": ROIS["polygon"].ljust(1 << 20, b"\0")}).records[0]
    with pytest.raises(DatasetError, match="holds more than"):
        record.shapes(SIZE)
    monkeypatch.setattr(imagej, "MAX_ROIS", 2)
    record = load({f"{i}.roi": ROIS["polygon"] for i in range(3)}).records[0]
    with pytest.raises(DatasetError, match="more than 2 entries"):
        record.shapes(SIZE)
