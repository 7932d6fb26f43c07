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


@pytest.mark.parametrize(
    "walked",
    [
        [("p", PHOTOS), ("p/day", ["a.jpg"])],
        [("p/masks", PHOTOS)],
        [("labels/p", PHOTOS), ("labels", ["a.jpg"])],
        [("p", PHOTOS), ("p/masks", ["carnival 1.jpg", "carnival 2.jpg", "a.jpg"])],
        [("p", ["old_mask.jpg", "b_seg.jpg", "mask.jpg"])],
    ],
)
def test_photos_that_only_sound_like_labels_are_not(walked):
    assert told(*walked) == []
