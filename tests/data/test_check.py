import numpy as np
import pytest
from dataset_files import write_mask, write_photo
from PIL import Image

from segcli import labels
from segcli.data import check, layouts
from segcli.data.census import Census
from segcli.data.dataset import Dataset, Sample, ids_of
from segcli.labels import VOC


@pytest.fixture
def field(tmp_path):
    """A folder dataset of VOC's 21 classes with one sound sample, and a function that lists it anew."""
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    write_photo(photos / "sound.jpg", (40, 30), grey=10)
    write_mask(masks / "sound.png", np.zeros((30, 40)))
    return photos, masks, lambda: listed(photos, masks)


def listed(photos, masks):
    """The photos with the masks of their names, which hold VOC's ids."""
    found = {path.stem: path for path in masks.iterdir()}
    photo = {path.stem: path for path in sorted(photos.iterdir())}
    samples = tuple(Sample(name, path, found.get(name, masks / f"{name}.png")) for name, path in photo.items())
    strays = set(masks.iterdir()) - {sample.label for sample in samples}
    return Dataset("folder", "all", VOC, samples, ids_of(VOC), strays=tuple(strays))


def problems(dataset, **options):
    return [problem for _, found in check.check(dataset, **options) for problem in found]


def test_a_sound_dataset_has_no_problems_and_yields_every_sample(field):
    dataset = field[2]()
    assert list(check.check(dataset)) == [(dataset.samples[0], ())]


def test_every_fault_is_named_with_its_file(field):
    photos, masks, listing = field
    for grey, name in enumerate(("label21", "colours", "jpeg", "no_mask", "small_mask", "torn"), start=20):
        write_photo(photos / f"{name}.jpg", (40, 30), grey=grey)
    label = np.zeros((30, 40))
    label[:3, :5] = 21
    write_mask(masks / "label21.png", label)
    write_photo(masks / "colours.png", (40, 30))
    write_photo(masks / "jpeg.jpg", (40, 30))
    write_mask(masks / "small_mask.png", np.zeros((29, 40)))
    write_mask(masks / "torn.png", np.zeros((30, 40)))
    torn = photos / "torn.jpg"
    torn.write_bytes(torn.read_bytes()[:-30])
    write_mask(masks / "no_photo.png", np.zeros((30, 40)))

    found = {(problem.kind, problem.file.name): problem for problem in problems(listing())}

    assert set(found) == {
        ("ids", "label21.png"),
        ("label", "colours.png"),
        ("label", "jpeg.jpg"),
        ("missing", "no_mask.png"),
        ("size", "small_mask.png"),
        ("photo", "torn.jpg"),
        ("stray", "no_photo.png"),
    }
    assert "id 21 (15 pixels)" in found["ids", "label21.png"].detail
    assert "colours, not class ids" in found["label", "colours.png"].detail
    assert "JPEG" in found["label", "jpeg.jpg"].detail
    assert "40 x 29 pixels, but its photo is 40 x 30" in found["size", "small_mask.png"].detail
    for problem in found.values():
        assert problem.file.name in problem.detail
        assert problem.hint


def test_a_listed_photo_that_is_not_there_is_missing(field):
    photos, _, listing = field
    dataset = listing()
    (photos / "sound.jpg").unlink()
    assert [(problem.kind, problem.file.name) for problem in problems(dataset)] == [("missing", "sound.jpg")]


def test_a_dataset_without_a_sample_is_a_problem(tmp_path):
    empty = Dataset("folder", "all", VOC, (), ids_of(VOC))
    ((sample, (problem,)),) = check.check(empty)
    assert (sample, problem.kind, problem.sample) == (None, "empty", "")
    assert "no photo with a label" in problem.detail
    assert problem.hint


def test_a_photo_that_exif_turns_explains_the_other_size(field):
    photos, masks, listing = field
    exif = Image.Exif()
    exif[0x0112] = 6
    write_photo(photos / "turned.jpg", (40, 30), grey=99, exif=exif)
    write_mask(masks / "turned.png", np.zeros((30, 40)))
    (problem,) = problems(listing())
    assert problem.kind == "size"
    assert "EXIF" in problem.hint


def test_the_same_photo_in_two_splits_is_a_duplicate(tmp_path):
    for split in ("train", "val"):
        write_photo(tmp_path / f"camvid/{split}/{split}_1.png", (8, 8), grey=50)
        write_photo(tmp_path / f"camvid/{split}/{split}_2.png", (8, 8), grey=60 if split == "train" else 70)
        for name in ("1", "2"):
            write_mask(tmp_path / f"camvid/{split}annot/{split}_{name}.png", np.zeros((8, 8)))
    seen = {}
    assert problems(layouts.load("camvid", tmp_path, "train"), seen=seen) == []
    (problem,) = problems(layouts.load("camvid", tmp_path, "val"), seen=seen)
    assert (problem.kind, problem.sample) == ("duplicate", "val_1")
    assert "train/train_1" in problem.detail


@pytest.mark.shared
def test_real_voc_and_camvid_files_are_sound_and_counted(shared_data):
    for name, folder, split in (("voc2012", "voc-mini", "val"), ("camvid", "camvid", "val")):
        dataset = layouts.load(name, shared_data / folder, split)
        census = Census(len(dataset.labels))
        assert problems(dataset, census=census) == []
        assert census.labels == len(dataset)
        pixels = sum(Image.open(sample.label).width * Image.open(sample.label).height for sample in dataset.samples)
        assert census.pixels.sum() == pixels


def test_a_split_without_labels_has_its_photos_checked(tmp_path):
    write_photo(tmp_path / "leftImg8bit/test/ulm/ulm_000000_000019_leftImg8bit.png")
    write_photo(tmp_path / "leftImg8bit/test/ulm/ulm_000001_000019_leftImg8bit.png").write_bytes(b"")
    census = Census(len(labels.CITYSCAPES))
    found = problems(layouts.load("cityscapes", tmp_path, "test"), census=census)
    assert [(problem.kind, problem.sample) for problem in found] == [("photo", "ulm_000001_000019")]
    assert census.labels == 0


def test_pixels_without_data_count_as_void(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.float32([[1, 2, np.nan, 4]])).save(tmp_path / "photos/a.tif")
    write_mask(tmp_path / "masks/a.png", [[0, 1, 1, 0]])
    census = Census(len(VOC))
    assert problems(listed(tmp_path / "photos", tmp_path / "masks"), census=census) == []
    assert (census.pixels[:2].tolist(), census.pixels[-1]) == ([2, 1], 1)
