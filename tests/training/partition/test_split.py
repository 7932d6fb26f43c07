"""Which photos a recipe learns from and chooses by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blobs import write_blobs
from dataset_files import write_mask, write_photo
from miniatures import write_all

from segcli.data.counting import uncounted
from segcli.data.folder import open_folder
from segcli.data.names import parse
from segcli.data.parts import Parts
from segcli.errors import DatasetError, SegcliError, UsageError
from segcli.labels import CAMVID
from segcli.training.partition import holdout, split
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


def test_of_a_published_dataset_all_may_be_learned_and_nothing_or_another_dataset_validated(tmp_path):
    write_all(tmp_path)
    streets = Data(dataset="cityscapes", data_dir=str(tmp_path), train="train+val", val="")
    train, none = split.choose(streets)
    assert (len(train), len(none), none.split) == (4, 0, "val")
    train, val = split.choose(replace(streets, dataset="cityscapes-coarse", train="train_extra", val="cityscapes:val"))
    assert (train.name, len(train), val.name, names(val)[0]) == (
        *("cityscapes-coarse", 2, "cityscapes"),
        "bonn_000000_000019",
    )
    with pytest.raises(UsageError, match=r"data.val = 'voc2012:val' has other classes than cityscapes"):
        split.choose(replace(streets, val="voc2012:val"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": ""}, "data.images is missing"),
        ({"val_images": "x"}, "go together"),
        ({"fold": (1, 2), "val_images": "x", "val_masks": "y"}, "cannot be used together"),
        ({"fold": (1, 20)}, "10 photos with labels cannot be divided into 20 folds"),
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


def scene_folder(folder, shown):
    """Photos by name with the ids that the mask of each shows; no two have the same content."""
    for index, (name, ids) in enumerate(shown.items()):
        write_photo(folder / "images" / f"{name}.png", (4, 2), grey=index)
        write_mask(folder / "masks" / f"{name}.png", [(list(ids) * 4)[:4]] * 2)
    return {"images": str(folder / "images"), "masks": str(folder / "masks"), "labels": ("ground", "car", "tree")}


def test_neighbours_are_held_out_together_with_every_class_on_both_sides(tmp_path):
    """Tiles of ten pictures, of which b and g alone show a tree."""
    shown = {f"{name}_{tile}": (0, 1, 2) if name in "bg" else (0, 1) for name in "abcdefghij" for tile in range(3)}
    data = Data(**scene_folder(tmp_path, shown), holdout_by="group")
    told = []
    train, val = split.choose(data, tell=told.append)
    assert len(val) == 6
    assert not {name[0] for name in names(train)} & {name[0] for name in names(val)}
    assert len({name[0] for name in names(val)} & {"b", "g"}) == 1
    assert told == [
        "held out: 6 of 30 photos; photos with the same start of the name may look alike and are kept together"
    ]
    assert split.choose(data) == (train, val)


def test_what_the_first_weights_learned_from_is_learned_from_again(tmp_path):
    """A second run, on ten more pictures: the first run's learned photos would be scored too well."""
    ids = (0, 1, 2)
    one = Data(**scene_folder(tmp_path / "one", {f"{name}_{n}": ids for name in "abcde" for n in range(2)}))
    begun = Parts.of(*split.choose(replace(one, holdout_by="group")), "")
    more = {f"{name}_{n}": ids for name in "abcdefghij" for n in range(2)}
    two, told = Data(**scene_folder(tmp_path / "two", more), holdout_by="group"), []
    for name in begun.train | begun.held_out:
        assert (tmp_path / f"two/images/{name}.png").read_bytes() == (tmp_path / f"one/images/{name}.png").read_bytes()
    train, val = split.choose(two, tell=told.append, first=begun)
    assert Parts.of(train, val, "", begun).seen_before == []
    assert len(val) == 4
    assert told[0].endswith("kept together; the first weights have learned from none of them")
    alone = split.choose(replace(one, holdout_by="group"), first=Parts(begun.train | begun.held_out, {}))
    assert len(alone[1]) == 2  # nothing else is there; the run then warns


def test_a_class_that_one_picture_shows_is_learned_and_said(tmp_path):
    shown = {f"{name}_{tile}": (0, 2) if name == "c" else (0, 1) for name in "abcdef" for tile in range(2)}
    told = []
    train, _ = split.choose(Data(**scene_folder(tmp_path, shown), holdout_by="group"), tell=told.append)
    assert {"c_0", "c_1"} <= set(names(train))
    assert told[0].endswith("; only the photos to learn from show tree")


def test_folds_hold_out_each_photo_once(tmp_path):
    scenes = scene_folder(tmp_path, {f"{name}_{tile}": (0, 1, 2) for name in "abcde" for tile in range(2)})
    told = []
    parted = [split.choose(Data(**scenes, fold=(fold, 3)), tell=told.append) for fold in (1, 2, 3)]
    assert sorted(name for _, val in parted for name in names(val)) == sorted(names(parted[0][0]) + names(parted[0][1]))
    for train, val in parted:
        assert not {name[0] for name in names(train)} & {name[0] for name in names(val)}
    assert told[0].startswith("held out, fold 1 of 3: 4 of 10 photos")


def test_photos_that_cannot_be_parted_are_refused(tmp_path):
    scenes = scene_folder(tmp_path, dict.fromkeys(("a", "b", "c"), (0, 1)))
    for name in "bc":
        (tmp_path / "images" / f"{name}.png").write_bytes((tmp_path / "images" / "a.png").read_bytes())
    with pytest.raises(DatasetError, match="cannot be divided: they are 1 group of"):
        split.choose(Data(**scenes, holdout_by="group"))


@pytest.mark.parametrize("by", ["every", "group"])
def test_nothing_is_validated_where_nothing_is_held_out(folder, by):
    told = []
    train, val = split.choose(Data(**folder, holdout=0.0, holdout_by=by), tell=told.append)
    assert (len(train), len(val), val.split) == (10, 0, "val")
    assert told == ["not validated: no photo is held out"]


def test_a_resumed_run_keeps_its_split_whatever_the_labels_say_now(folder):
    begun = Parts({str(i): "0" * 64 for i in range(8)}, {"8": "0" * 64, "9": "0" * 64}, "as before")
    told = []
    train, val = split.choose(Data(**folder, holdout_by="group"), tell=told.append, begun=begun)
    assert (names(val), len(train), told) == (["8", "9"], 8, ["as before"])


def test_a_label_that_cannot_be_read_shows_no_class(folder):
    (Path(folder["masks"]) / "3.png").write_bytes(b"no picture")
    data = open_folder(folder["images"] and Path(folder["images"]), Path(folder["masks"]), parse(["field", "blob"]))
    assert len(holdout.of_share(data, 0.2, uncounted).samples) == 2
