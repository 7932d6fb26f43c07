"""Which photos are neighbours: by folder, name, number, time and content."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcli.data.dataset import Sample
from segcli.training.partition import groups


def sought(paths, most, block=4):
    """The kinds and names of the groups."""
    samples = [Sample(Path(path).with_suffix("").as_posix(), Path(path), None) for path in paths]
    found = groups.find(samples, most, block)
    assert sorted(index for group in found for index in group.members) == list(range(len(paths)))
    return [(group.kind, [str(paths[index]) for index in group.members]) for group in found]


def test_photos_of_a_folder_are_neighbours():
    days = {day: [f"{day}/{index}.png" for index in range(3)] for day in ("mon", "sat", "tue")}
    assert sought([path for some in days.values() for path in some], 3) == [("folder", some) for some in days.values()]


def test_sequences_are_told_by_the_first_part_of_their_names():
    """As CamVid's are: each is one recording."""
    names = [f"{name}_{index:06}.png" for name in ("0001TP", "0006R0", "Seq05VD") for index in range(4)]
    assert sought(names, 4) == [("prefix", names[start : start + 4]) for start in (0, 4, 8)]


def test_tiles_of_a_picture_are_neighbours():
    names = [f"{name}_{row}_{column}.png" for name in "abc" for row in range(2) for column in range(2)]
    assert sought(names, 5) == [("prefix", names[start : start + 4]) for start in (0, 4, 8)]


def test_frames_are_cut_into_blocks_of_consecutive_numbers():
    """In the order of the numbers, not of the letters."""
    names = [f"f{index}.png" for index in range(12)]
    found = sought(names[::-1], 5)
    assert found == [("block", names[start : start + 4]) for start in (0, 4, 8)]


def test_no_block_crosses_a_gap_in_the_numbers():
    names = [f"f_{index}.png" for index in (1, 2, 3, 80, 81, 82, 83, 84)]
    assert [len(some) for _, some in sought(names, 4)] == [3, 5]


def test_only_what_is_too_large_is_cut():
    names = [f"a_{index}.png" for index in range(3)] + [f"b_{index}.png" for index in range(8)]
    assert [(kind, len(some)) for kind, some in sought(names, 4)] == [("prefix", 3), ("block", 4), ("block", 4)]


def test_altered_copies_of_one_photo_are_never_parted():
    """Roboflow exports several of each photo, and puts a hash behind its name."""
    names = [f"IMG_{index}_jpg.rf.{index * 7 + copy:032x}.jpg" for index in range(4) for copy in range(3)]
    assert [len(some) for _, some in sought(names, 2, block=1)] == [3, 3, 3, 3]


@pytest.mark.parametrize("name", ["{}", "{:032x}a", "photo of {}"])
def test_photos_without_kin_are_groups_of_their_own(name):
    names = [name.format(number * 0x9E3779B97F4A7C15 % (1 << 60)) + ".png" for number in range(1, 9)]
    assert [len(some) for _, some in sought(names, 1, block=1)] == [1] * 8


def photo(path, taken=None, value=0):
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(path, exif=exif)
    return path


def test_photos_taken_without_a_pause_are_neighbours(tmp_path):
    """Three walks of some minutes; the numbers of the photos tell nothing."""
    start, paths = datetime(2024, 5, 1, 9), []
    for walk in range(3):
        for index in range(4):
            moment = start + timedelta(days=walk, minutes=index)
            paths.append(photo(tmp_path / f"P{100 + 4 * walk + index}.jpg", moment, value=4 * walk + index))
    found = sought(paths, 5)
    assert found == [("time", [str(path) for path in paths[start : start + 4]]) for start in (0, 4, 8)]


def test_photos_are_neighbours_by_number_where_one_has_no_time(tmp_path):
    moments = [datetime(2024, 5, 1 + index) for index in range(3)] + [None]
    paths = [photo(tmp_path / f"P{index}.jpg", moment, index) for index, moment in enumerate(moments)]
    assert [kind for kind, _ in sought(paths, 2, block=2)] == ["block", "block"]


def test_the_same_photo_twice_is_in_one_group(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    paths = [photo(tmp_path / place, value=value) for place, value in (("a/1.png", 1), ("a/2.png", 2), ("b/3.png", 3))]
    paths.append(photo(tmp_path / "b" / "again.png", value=2))
    assert [[Path(path).name for path in some] for _, some in sought(paths, 2)] == [
        ["1.png", "2.png", "again.png"],
        ["3.png"],
    ]


def test_the_groups_do_not_depend_on_the_order_of_the_list():
    names = [f"{name}_{index}.png" for name in ("x", "y") for index in range(9)]
    mixed = [names[index] for index in np.random.default_rng(0).permutation(len(names))]
    assert sought(names, 4) == sought(mixed, 4)
