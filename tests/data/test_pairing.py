"""Which mask belongs to which photo."""

from pathlib import Path

import pytest

from segcli.data import pairing, tree
from segcli.errors import DatasetError

ROOT = Path("/set")


def paired(photos: str, masks: str, classes=()):
    """Photo name -> the masks (class, name) it gets, and the strays."""
    found = pairing.pair([ROOT / p for p in photos.split()], [ROOT / m for m in masks.split()], ROOT, ROOT, classes)
    named = {
        photo.relative_to(ROOT).as_posix(): [(tag, mask.relative_to(ROOT).as_posix()) for tag, mask in entries]
        for photo, entries in found.masks.items()
    }
    return named, [stray.relative_to(ROOT).as_posix() for stray in found.strays], found.kind


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("images/a.jpg", "masks/a.png"),
        ("a.jpg", "a_mask.png"),
        ("a.jpg", "a-mask.png"),
        ("a.jpg", "mask_a.png"),
        ("a.jpg", "A_Segmentation.PNG"),
        ("701_StillsRaw_full/0001TP_006690.png", "LabeledApproved_full/0001TP_006690_L.png"),
        ("images/x_leftImg8bit.png", "gtFine/x_gtFine_labelIds.png"),
        ("images/21.tif", "masks/21_manual1.gif"),
        ("images/cell.png", "masks/cell_cp_masks.png"),
        ("sat/10_sat.jpg", "mask/10_mask.png"),
        ("img/a_img.png", "gt/a_gt.png"),
        ("train/a_jpg.rf.6deb1534.jpg", "train/a_jpg.rf.6deb1534_mask.png"),
        ("images/train/a.jpg", "masks/train/a.png"),
        ("photos/a.JPG", "labels/A.png"),
    ],
)
def test_affixes_and_twin_folders_are_seen_through(photo, mask):
    assert paired(photo, mask) == ({photo: [("", mask)]}, [], "one")


def test_photos_of_one_name_are_told_apart_by_their_folders():
    found, strays, _ = paired("images/train/1.jpg images/val/1.jpg", "masks/val/1.png masks/train/1.png")
    assert found == {"images/train/1.jpg": [("", "masks/train/1.png")], "images/val/1.jpg": [("", "masks/val/1.png")]}
    assert not strays


def test_a_mask_that_two_photos_could_have_is_a_stray():
    found, strays, _ = paired("images/a/1.jpg images/b/1.jpg images/a/2.jpg", "masks/1.png masks/a/2.png")
    assert strays == ["masks/1.png"]
    assert not found["images/a/1.jpg"]


def test_a_mask_among_the_photos_takes_no_mask_from_a_photo():
    """A command that reads a folder of photos has read the masks in it as photos too."""
    found, strays, _ = paired("a.jpg b.jpg masks/a.png masks/b.png", "labels/a.png labels/b.png")
    assert found == {
        "a.jpg": [("", "labels/a.png")],
        "b.jpg": [("", "labels/b.png")],
        "masks/a.png": [],
        "masks/b.png": [],
    }
    assert not strays


def test_the_exact_name_wins_over_one_without_affixes():
    found, _, _ = paired("images/a.jpg images/a_mask.jpg", "masks/a.png masks/a_mask.png")
    assert found == {"images/a.jpg": [("", "masks/a.png")], "images/a_mask.jpg": [("", "masks/a_mask.png")]}


def test_a_mask_for_each_class_by_folder_or_by_ending():
    names = ("soil", "leaf", "spot")
    wanted = {"images/a.jpg": [("leaf", "masks/leaf/a.png"), ("spot", "masks/spot/a.png")]}
    assert paired("images/a.jpg", "masks/leaf/a.png masks/spot/a.png", ("soil", "leaf", "spot")) == (
        wanted,
        [],
        "class",
    )
    assert paired("images/a.jpg", "masks/leaf/a.png masks/spot/a.png")[2] == "class", "and nobody named the classes"
    ending = paired("images/a.jpg", "masks/a_class_leaf.png masks/a_spot.png", names)
    assert [tag for tag, _ in ending[0]["images/a.jpg"]] == ["leaf", "spot"]
    assert ending[2] == "class"


def test_a_class_in_the_name_of_a_photo_is_no_mask_of_that_class():
    names = ("leaf", "spot")
    found, _, kind = paired("images/big_leaf.jpg images/a_spot.jpg", "masks/big_leaf.png masks/a_spot.png", names)
    assert kind == "one"
    assert found["images/big_leaf.jpg"] == [("", "masks/big_leaf.png")]
    by_class = paired("images/leaf/1.jpg images/spot/1.jpg", "masks/leaf/1.png masks/spot/1.png", names)
    assert by_class[2] == "one"


def test_a_mask_for_each_object():
    found, strays, kind = paired(
        "train/7/images/7.png train/8/images/8.png", "train/7/masks/x.png train/7/masks/y.png train/8/masks/z.png"
    )
    assert kind == "object"
    assert [len(entries) for entries in found.values()] == [2, 1]
    assert not strays


def test_what_all_names_have_in_common_is_taken_off_where_no_name_fits():
    found, strays, kind = paired("p/21_training.tif p/22_training.tif", "masks/21_drawn.gif masks/22_drawn.gif")
    assert list(found.values()) == [[("", "masks/21_drawn.gif")], [("", "masks/22_drawn.gif")]]
    assert (strays, kind) == ([], "one")
    found, strays, _ = paired("p/img1.tif p/img12.tif", "masks/gold1.gif masks/gold12.gif")
    assert list(found.values()) == [[("", "masks/gold1.gif")], [("", "masks/gold12.gif")]]


def test_names_that_have_nothing_to_do_with_each_other_are_not_paired():
    found, strays, kind = paired("p/x.tif p/y.tif", "masks/a.gif masks/b.gif")
    assert (list(found.values()), len(strays), kind) == ([[], []], 2, "one")


def test_two_masks_of_a_photo_are_refused():
    with pytest.raises(DatasetError, match=r"a\.jpg has 2 masks \(a\.png, a_mask\.png\)"):
        paired("images/a.jpg", "masks/a.png masks/a_mask.png")


def test_cityscapes_published_ids_count():
    masks = "gtFine/x_gtFine_labelIds.png gtFine/x_gtFine_labelTrainIds.png"
    assert paired("leftImg8bit/x_leftImg8bit.png", masks)[0] == {
        "leftImg8bit/x_leftImg8bit.png": [("", "gtFine/x_gtFine_labelIds.png")]
    }


def divided(names: str, classes=()):
    """The names of the photos and of the masks among pictures of one tree."""
    pictures = tuple(ROOT / name for name in names.split() if not name.endswith("mat"))
    others = tuple(ROOT / name for name in names.split() if name.endswith("mat"))
    sides = pairing.split(tree.Tree(ROOT, pictures, others), classes)
    return tuple([path.relative_to(ROOT).as_posix() for path in side] for side in sides)


def test_photos_and_masks_of_one_folder_are_told_apart():
    assert divided("a.jpg a_mask.png b.jpg b_mask.png x_superpixels.png cls/d.mat") == (
        ["a.jpg", "b.jpg"],
        ["a_mask.png", "b_mask.png", "cls/d.mat"],
    )
    assert divided("images/c.jpg leaf/c.png", ["Leaf"]) == (["images/c.jpg"], ["leaf/c.png"])


def test_a_folder_of_photos_may_be_called_like_a_class_and_a_photo_like_a_mask():
    photos = ["images/leaf/a.jpg", "images/01.jpg", "images/01_L.jpg", "leaf/images/b.jpg"]
    masks = ["leaf/masks/b.png", "masks/01.png", "masks/01_L.png", "masks/leaf/a.png"]
    assert divided(" ".join((*photos, *masks)), ["leaf"]) == (photos, masks)
    assert divided("leaf/a.jpg masks/leaf/a.png", ["leaf"]) == (["leaf/a.jpg"], ["masks/leaf/a.png"])


@pytest.mark.parametrize(
    ("name", "photo"),
    [
        ("a.jpg", "images/a.jpg"),
        ("C:\\photos\\a.jpg", "images/a.jpg"),
        ("a", "images/a.jpg"),
        ("a.png", "images/a.jpg"),
        ("1f2e3d4c-a.jpg", "images/a.jpg"),
        ("val/1.jpg", "images/val/1.jpg"),
        ("1.jpg", None),
        ("other.jpg", None),
        ("../../etc/passwd", None),
        ("", None),
    ],
)
def test_a_photo_is_found_by_the_name_a_label_file_gives(name, photo):
    known = pairing.Photos([ROOT / p for p in ("images/a.jpg", "images/train/1.jpg", "images/val/1.jpg")], ROOT)
    assert known.recorded(name, ROOT / "labels.json") == (None if photo is None else ROOT / photo)


def test_the_folder_of_a_label_file_tells_photos_of_one_name_apart():
    known = pairing.Photos([ROOT / "train/1.jpg", ROOT / "val/1.jpg"], ROOT)
    assert known.recorded("1.jpg", ROOT / "val/1.json") == ROOT / "val/1.jpg"


def test_two_photos_that_differ_in_their_suffix_only_are_refused():
    with pytest.raises(DatasetError, match="have the same name"):
        paired("images/a.jpg images/a.png", "masks/a.png")
