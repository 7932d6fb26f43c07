"""Which photos a recipe learns from and chooses by."""

from pathlib import Path

import numpy as np
import pytest
from blobs import write_blobs
from dataset_files import write_mask, write_photo

from segcli.data.folder import open_folder
from segcli.data.names import parse
from segcli.errors import DatasetError, SegcliError, UsageError
from segcli.labels import CAMVID
from segcli.training import split
from segcli.training.recipe import Data


@pytest.fixture
def folder(tmp_path):
    write_blobs(tmp_path / "own", 10)
    return {"images": str(tmp_path / "own/images"), "masks": str(tmp_path / "own/masks"), "labels": ("field", "blob")}


def names(dataset):
    return [sample.name for sample in dataset.samples]


def test_every_fifth_photo_is_held_out(folder):
    train, val = split.choose(Data(**folder))
    assert (len(train), len(val)) == (8, 2)
    assert sorted(names(train) + names(val)) == [str(i) for i in range(10)]
    assert split.choose(Data(**folder)) == (train, val)
    assert len(split.choose(Data(**folder, holdout=0.01))[1]) == 1


def test_only_photos_with_masks_are_held_out(folder):
    for name in "012346789":
        (Path(folder["masks"]) / f"{name}.png").unlink()
    write_mask(Path(folder["masks"]) / "8.png", [[0, 1] * 40] * 64)
    train, val = split.choose(Data(**folder, holdout=0.5))
    assert (len(train), names(val)) == (9, ["8"])


def test_photos_to_validate_on_can_be_named(folder):
    train, val = split.choose(Data(**folder, val_images=folder["images"], val_masks=folder["masks"]))
    assert (len(train), len(val), train.split, val.split) == (10, 10, "train", "val")


def test_a_published_dataset_has_its_own_splits(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for index in range(count):
            write_photo(tmp_path / "camvid" / part / f"{index}.png")
            write_mask(tmp_path / "camvid" / f"{part}annot" / f"{index}.png", [[0, 1, 2, 11]] * 3)
    train, val = split.choose(Data(dataset="camvid", data_dir=str(tmp_path)))
    assert (len(train), len(val), train.labels) == (3, 2, CAMVID)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": ""}, "data.images is missing"),
        ({"val_images": "x"}, "go together"),
        ({"fold": (4, 3)}, "no fold 4 of 3"),
        ({"fold": (1, 2), "val_images": "x", "val_masks": "y"}, "exclude each other"),
        ({"fold": (1, 20)}, "10 photos with labels cannot be shared out to 20 folds"),
        ({"dataset": "camvid"}, "data.images goes with"),
        ({"images": "nowhere"}, "nowhere is no folder"),
        ({"labels": "camvd"}, "no label set is called 'camvd'"),
    ],
)
def test_what_contradicts_itself_is_refused(folder, changes, said):
    with pytest.raises(SegcliError, match=said):
        split.choose(Data(**{**folder, **changes}))


def test_one_photo_is_too_few(tmp_path):
    write_blobs(tmp_path, 1)
    with pytest.raises(DatasetError, match="too few"):
        split.choose(Data(images=str(tmp_path / "images"), masks=str(tmp_path / "masks"), labels=("a", "b")))


def test_photos_with_a_rare_class_are_repeated(tmp_path):
    for index, ids in enumerate(([0, 0], [0, 1], [0, 2], [1, 2])):
        write_photo(tmp_path / "images" / f"{index}.png", (2, 1))
        write_mask(tmp_path / "masks" / f"{index}.png", np.array([ids]))
    dataset = open_folder(tmp_path / "images", tmp_path / "masks", parse(["ground", "bike", "sofa"]))
    assert names(split.repeated(dataset, ("bike",), 3)) == ["0", "1", "1", "1", "2", "3", "3", "3"]
    assert split.repeated(dataset, (), 3) == dataset
    with pytest.raises(UsageError) as caught:
        split.repeated(dataset, ("bikes",), 2)
    assert caught.value.hint == "Did you mean bike?"
