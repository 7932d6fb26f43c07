import fnmatch
from pathlib import Path

import numpy as np
import pytest
from dataset_files import write_mask, write_photo
from PIL import Image

from segcli import labels
from segcli.data import dataset
from segcli.data.dataset import Dataset, Sample
from segcli.errors import InputError
from segcli.evaluation import predictions
from segcli.evaluation.predictions import Predictions
from segcli.files.sources import RESULT_FILES
from segcli.labels import VOID


def stored(folder, name, split, classes, sample, run="abc"):
    entry = Sample(sample, Path(f"{sample}.jpg"), None)
    return Predictions(folder, Dataset(name, split, classes, (entry,), dataset.ids_of(classes)), run), entry


@pytest.fixture
def voc(tmp_path):
    return stored(tmp_path, "voc2012", "val", labels.VOC, "2007_000033")


def test_vocs_submission_has_the_devkits_place_ids_and_colours(tmp_path, voc):
    answers, sample = voc
    classes = np.random.default_rng(0).integers(0, 21, (30, 40), np.uint8)
    answers.write(sample, classes)
    path = tmp_path / "results/VOC2012/Segmentation/comp6_val_cls/2007_000033.png"
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (40, 30))
        np.testing.assert_array_equal(np.array(image), classes)
        assert image.getpalette()[: 3 * 3] == [0, 0, 0, 128, 0, 0, 0, 128, 0]


def test_cityscapes_submission_holds_the_servers_ids_under_a_name_it_finds(tmp_path):
    answers, sample = stored(tmp_path, "cityscapes", "val", labels.CITYSCAPES, "frankfurt_000000_000294")
    classes = np.arange(19, dtype=np.uint8).reshape(1, 19)
    answers.write(sample, classes)
    (path,) = tmp_path.iterdir()
    # The evaluation script's own pattern: "{city}_{sequence}_{frame}*.png".
    assert fnmatch.fnmatch(path.name, "frankfurt_000000_000294*.png")
    with Image.open(path) as image:
        assert image.mode == "L"
        assert np.array(image).tolist() == [[7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33]]
    np.testing.assert_array_equal(answers.read(sample), classes)


def test_other_datasets_keep_the_samples_folders(tmp_path):
    answers, sample = stored(tmp_path, "folder", "x", labels.from_names(["a", "b"]), "sub/one")
    answers.write(sample, np.ones((2, 3), np.uint8))
    assert answers.path(sample) == tmp_path / "sub/one.png"
    assert answers.read(sample).tolist() == [[1, 1, 1]] * 2


def test_void_is_unlabeled_for_cityscapes_server(tmp_path):
    answers, sample = stored(tmp_path, "cityscapes", "val", labels.CITYSCAPES, "frankfurt_000000_000294")
    answers.write(sample, np.array([[0, VOID]], np.uint8))
    assert np.array(Image.open(answers.path(sample))).tolist() == [[7, 0]]
    assert answers.read(sample).tolist() == [[0, VOID]]


@pytest.mark.parametrize("name", ["voc2012", "cityscapes"])
def test_only_whole_maps_of_the_same_run_count_as_there(tmp_path, name):
    classes = {"voc2012": labels.VOC, "cityscapes": labels.CITYSCAPES}[name]
    answers, sample = stored(tmp_path, name, "val", classes, "a_1_2", run="abc")
    assert not answers.has(sample)
    answers.write(sample, np.random.default_rng(0).integers(0, 19, (40, 40), np.uint8))
    assert answers.has(sample)
    assert not stored(tmp_path, name, "val", classes, "a_1_2", run="abd")[0].has(sample)
    whole = answers.path(sample).read_bytes()
    for size in (20, len(whole) - 100):  # of the latter the header is there, not all the pixels
        answers.path(sample).write_bytes(whole[:size])
        assert not answers.has(sample)


def test_a_map_of_another_origin_does_not_count_as_there(voc):
    answers, sample = voc
    write_mask(answers.path(sample), [[1]])
    assert not answers.has(sample)
    assert answers.read(sample).tolist() == [[1]]


@pytest.mark.parametrize(
    ("classes", "ids", "wrong"), [(labels.VOC, [[0, 21]], 21), (labels.CITYSCAPES, [[7, 34]], 256)]
)
def test_ids_that_are_no_classes_are_refused(tmp_path, classes, ids, wrong):
    path = write_mask(tmp_path / "x_labelIds.png", ids)
    with pytest.raises(InputError, match=r"x_labelIds\.png holds id"):
        predictions.read_classes(path, classes)


def test_void_in_a_prediction_is_void(tmp_path):
    assert predictions.read_classes(write_mask(tmp_path / "x.png", [[0, 255]]), labels.VOC).tolist() == [[0, VOID]]
    city = write_mask(tmp_path / "x_labelIds.png", [[0, 7]])  # 0 is "unlabeled" on the server
    assert predictions.read_classes(city, labels.CITYSCAPES).tolist() == [[VOID, 0]]


def test_maps_are_found_by_name_in_any_layout(tmp_path):
    write_mask(tmp_path / "a/results/VOC2012/Segmentation/comp6_val_cls/2007_000033.png", [[0]])
    write_mask(tmp_path / "b/masks/2007_000033.png", [[0]])
    write_photo(tmp_path / "b/cutouts/2007_000033.png")
    for name in RESULT_FILES:
        (tmp_path / "b" / name).touch()
    write_mask(tmp_path / "c/ulm_000000_000019_labelIds.png", [[0]])
    for folder in "ab":
        assert list(predictions.find(tmp_path / folder)) == ["2007_000033"]
    assert list(predictions.find(tmp_path / "c")) == ["ulm_000000_000019"]


def test_a_folder_that_is_called_masks_hides_no_others(tmp_path):
    for name in ("one", "masks/two"):
        write_mask(tmp_path / f"{name}.png", [[0]])
    assert set(predictions.find(tmp_path)) == {"one", "two"}


def test_maps_of_one_file_name_are_told_apart_by_their_folders(tmp_path):
    for folder in ("x", "y"):
        write_mask(tmp_path / folder / "0001.png", [[0]])
    assert set(predictions.find(tmp_path)) == {"x/0001", "y/0001"}
