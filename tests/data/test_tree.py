"""Which files a dataset's folders hold."""

from pathlib import Path

import pytest
from dataset_files import write_photo

from segcli.data import tree
from segcli.errors import DatasetError

RAW = b"II*\0\x10\0\0\0CR\x02\0"
"""What a Canon's raw file begins with."""


def test_a_tree_follows_links_once_and_skips_what_is_hidden(tmp_path):
    for name in ("camera/a.png", "camera/.b.png", ".trash/c.png", "set/notes.txt"):
        write_photo(tmp_path / name) if name.endswith("png") else (tmp_path / "set").mkdir()
    (tmp_path / "set/notes.txt").write_text("none")
    (tmp_path / "set/camera").symlink_to(tmp_path / "camera")
    (tmp_path / "set/camera/again").symlink_to(tmp_path / "set")
    found = tree.walk(tmp_path / "set")
    assert [path.relative_to(tmp_path).as_posix() for path in found.pictures] == ["set/camera/a.png"]
    assert [path.name for path in found.others] == ["notes.txt"]


def test_a_picture_is_one_by_content_or_by_suffix(tmp_path):
    write_photo(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a")
    (tmp_path / "broken.jpg").write_text("no picture")
    (tmp_path / "table.csv").write_text("1,2")
    assert [path.name for path in tree.walk(tmp_path).pictures] == ["a", "broken.jpg"]


def test_photos_that_take_an_extra_are_pictures(tmp_path):
    (tmp_path / "a").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "b.cr2").write_bytes(RAW)
    (tmp_path / "c.jxl").write_bytes(b"\xff\x0a\0")
    (tmp_path / "d.pdf").write_bytes(b"%PDF-1.7")
    found = tree.walk(tmp_path)
    assert [path.name for path in found.pictures] == ["a", "b.cr2", "c.jxl"]
    assert [path.name for path in found.others] == ["d.pdf"]


def test_a_raw_file_beside_the_cameras_own_photo_of_it_is_no_photo(tmp_path):
    write_photo(tmp_path / "a.png")
    for name in ("a.cr2", "b.cr2"):
        (tmp_path / name).write_bytes(RAW)
    found = tree.walk(tmp_path)
    assert [path.name for path in found.pictures] == ["a.png", "b.cr2"]
    assert [path.name for path in found.others] == ["a.cr2"]


def test_masks_and_smaller_copies_beside_a_photo_are_no_photos(tmp_path):
    write_photo(tmp_path / "a.tif")
    for name in ("a.tif.msk", "a.tif.OVR", "b.tif.msk"):
        (tmp_path / name).write_bytes((tmp_path / "a.tif").read_bytes())
    assert [path.name for path in tree.walk(tmp_path).pictures] == ["a.tif", "b.tif.msk"]
    assert [path.name for path in tree.walk(tmp_path / "a.tif.msk").pictures] == ["a.tif.msk"]


def test_results_of_an_earlier_run_are_no_data(tmp_path):
    for name in ("photos/a.png", "photos/out/masks/a.png"):
        write_photo(tmp_path / name)
    for name in ("manifest.jsonl", "run.toml"):
        (tmp_path / "photos/out" / name).write_text("")
    assert len(tree.walk(tmp_path / "photos").pictures) == 1
    assert len(tree.walk(tmp_path / "photos/out/masks").pictures) == 1, "unless they are named"


@pytest.mark.parametrize(
    ("folders", "holds"),
    [
        ("masks", True),
        ("SegmentationClass", True),
        ("train_masks/leaf", True),
        ("annotations/training", True),
        ("ISIC_Training_GroundTruth", True),
        ("gtFine/train/aachen", True),
        ("trainannot", True),
        ("dataset_masks/images", False),
        ("images/train", False),
        ("JPEGImages", False),
        ("leftImg8bit/val", False),
        ("labeled_images", False),
        ("", False),
    ],
)
def test_folders_tell_masks_from_photos(folders, holds):
    assert bool(tree.holds_masks(tuple(part.lower() for part in Path(folders).parts))) is holds


def test_a_photo_and_its_mask_share_a_place():
    root = Path("/set")
    photo, mask = root / "images/train/a.jpg", root / "SegmentationClass/train/a.png"
    assert tree.place(photo, root) == tree.place(mask, root) == ("train",)


@pytest.mark.parametrize(
    ("name", "neither"),
    [
        ("ISIC_0000000_superpixels.png", True),
        ("SegmentationObject/a.png", True),
        ("a_gtFine_color.png", True),
        ("a_gtFine_labelIds.png", False),
        ("a.png", False),
    ],
)
def test_some_pictures_are_neither_photo_nor_mask(name, neither):
    assert tree.is_neither(Path("/set") / name, Path("/set")) is neither


def test_names_are_stems_where_these_are_unique():
    root = Path("/set")
    photos = [root / "images/train/a.jpg", root / "images/val/b.jpg"]
    assert list(tree.sample_names(photos, root, flat=True).values()) == ["a", "b"]
    assert list(tree.sample_names(photos, root, flat=False).values()) == ["images/train/a", "images/val/b"]
    twice = [root / "train/a.jpg", root / "val/A.jpg"]
    assert list(tree.sample_names(twice, root, flat=True).values()) == ["train/a", "val/A"]
    with pytest.raises(DatasetError, match="have the same name"):
        tree.sample_names([root / "a.jpg", root / "a.png"], root, flat=True)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is no folder"):
        tree.walk(tmp_path / "nowhere")
