"""Label folders are told of by names alone: of labels beside photos, of nothing else."""

from pathlib import Path

import pytest

from segcli.files import label_folders

PHOTOS = ["a.jpg", "b.jpg", "c.jpg"]


def told(*walked):
    return list(label_folders.remarks([(Path(folder), names) for folder, names in walked]))


@pytest.mark.parametrize(
    ("walked", "folder", "pattern"),
    [
        ([("p", PHOTOS), ("p/masks", ["a.png", "b.png"])], "p/masks: by their names, 2 pictures look like", "masks"),
        (
            [("p/images", PHOTOS), ("p/SegmentationClass", ["a.png"])],
            "p/SegmentationClass: by its name, 1 picture looks like",
            None,
        ),
        (
            [("p/images/day", PHOTOS), ("p/ground-truth/day", ["a.png"])],
            "p/ground-truth: by its name, 1 picture looks like",
            None,
        ),
        (
            [("p", PHOTOS), ("p/labels", ["a_mask.png", "x.png"])],
            "p/labels: by its name, 1 picture looks like",
            "labels",
        ),
        ([("p", [*PHOTOS, "a_mask.png", "b_mask.png"])], "p: by their names, 2 pictures look like", "'*_mask.*'"),
        ([("p", [*PHOTOS, "a-GT.png"])], "p: by its name, 1 picture looks like", "'*-GT.*'"),
        (
            [("p/train_images", PHOTOS), ("p/train_masks", ["a_mask.gif"])],
            "p/train_masks: by its name, 1 picture looks like",
            "train_masks",
        ),
        ([("p/images", PHOTOS), ("p/annotations/trimaps", ["a.png"])], "p/annotations: by its name", "annotations"),
        ([("p", PHOTOS), ("p/masks", ["a.jpg", "b.jpg"])], "p/masks: by their names, 2 pictures look like", "masks"),
        ([("p", ["a.jpg", "a_mask.jpg", "b.jpg", "b_mask.jpg"])], "p: by their names, 2 pictures", "'*_mask.*'"),
    ],
)
def test_labels_among_the_photos_are_told_of(walked, folder, pattern):
    [line] = told(*walked)
    assert line.startswith(folder)
    assert pattern is None or line.endswith(f"--exclude {pattern}")


def test_folders_inside_one_of_labels_are_told_of_once():
    days = [(f"p/images/{day}", PHOTOS) for day in range(9)] + [(f"p/masks/{day}", ["a.png"]) for day in range(9)]
    assert told(*days) == [
        "p/masks: by their names, 9 pictures look like labels of photos. To leave them out, add: --exclude masks"
    ]


def test_a_line_is_for_a_pattern_however_many_folders_it_leaves_out():
    trips = [(f"p/{trip}/{kind}", PHOTOS) for trip in range(300) for kind in ("", "masks")]
    [line] = told(*trips)
    assert line.startswith("p/0/masks and 299 other folders: by their names, 900 pictures look")


@pytest.mark.parametrize(
    "walked",
    [
        [("p", PHOTOS), ("p/day", ["a.jpg"])],
        [("p/masks", PHOTOS)],
        [("labels/p", PHOTOS), ("labels", ["a.jpg"])],
        [("p", PHOTOS), ("p/masks", ["carnival 1.jpg", "carnival 2.jpg", "a.jpg"])],
        [("p", ["old_mask.jpg", "b_seg.jpg", "mask.jpg"])],
        [("p", ["a.jpg", "a_mask.jpg", "b.jpg", "c.jpg"])],
        [("p/cat", PHOTOS), ("p/dog", PHOTOS), ("p/mask", PHOTOS)],
        [("p/mask", PHOTOS), ("p/no_mask", PHOTOS)],
    ],
)
def test_photos_that_only_sound_like_labels_are_not(walked):
    assert told(*walked) == []
