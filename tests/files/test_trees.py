"""Outputs of one run never meet, whatever the files are called and whatever the disk takes for the same name."""

import os
import random
import unicodedata
from pathlib import Path, PurePosixPath

import pytest

from segcli.files.listing import Listing
from segcli.files.trees import NAME_BYTES

ROOT = os.path.abspath("photos")  # noqa: PTH100


def trees(*names: str) -> list[str]:
    return [str(tree) for tree in output_trees([Path(ROOT, name) for name in names], [ROOT])]


def output_trees(files: list[Path], roots: list[str]) -> list[PurePosixPath]:
    """The tree of each file, in the order of the files."""
    found = {source.path: source.tree for source in Listing.of([(path.parent, [path.name]) for path in files], roots)}
    return [found[path] for path in files]


def on_any_disk(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["x.jpg", "x.png", "y.png"], ["x.jpg", "x.png", "y"]),
        (["x.jpg", "x.jpg.png", "x.png"], ["x.jpg", "x.jpg.png", "x.png"]),
        (["x.jpg", "x.png/y.jpg"], ["x.jpg", "x.png/y"]),
        (["X.jpg", "x.png"], ["X.jpg", "x.png"]),
        (["a/x.jpg", "b/x.jpg", "x"], ["a/x", "b/x", "x"]),
        (["scan.2024.jpg", "scan.2025.jpg"], ["scan.2024", "scan.2025"]),
        (["line\nbreak.png", "🐈.jpg"], ["line\nbreak", "🐈"]),
        (["caf\udce9.png"], ["caf\udce9"]),
    ],
    ids=["same stem", "chain", "folder like an output", "case", "other folders", "dots", "odd characters", "no text"],
)
def test_a_name_keeps_its_suffix_only_where_two_would_meet(names, expected):
    """In a chain only the shorter spelling yields: `x.jpg.png` does, `x.jpg` needs no hash."""
    assert trees(*names) == expected


def test_names_that_differ_only_by_case_get_a_hash():
    first, second = trees("X.jpg", "x.jpg")
    assert (first[:6], second[:6]) == ("X.jpg-", "x.jpg-")
    assert first[6:] != second[6:]


def test_folders_that_differ_only_by_dots_or_spaces_at_their_ends_do_not_meet():
    """As FAT and Windows read them: "x." is "x"."""
    found = trees("x./p.jpg", "x/p.jpg", "x /p.jpg", "y./p.jpg")
    assert len({PurePosixPath(tree).name for tree in found[:3]}) == 3
    assert found[3] == "y./p"


def test_overlong_names_are_cut_and_stay_distinct():
    found = trees(*("é" * 125 + last + ".png" for last in "ab"))
    assert len(set(found)) == 2
    assert all(len(os.fsencode(name)) <= NAME_BYTES for name in found)


def test_a_tree_starts_below_the_deepest_folder_that_holds_all_roots():
    files = [Path(ROOT, "cats", "x.png"), Path(ROOT, "dogs", "x.png")]
    roots = [os.path.join(ROOT, "cats"), os.path.join(ROOT, "dogs")]  # noqa: PTH118
    assert output_trees(files, roots) == [PurePosixPath("cats/x"), PurePosixPath("dogs/x")]
    assert output_trees(files[:1], roots[:1]) == [PurePosixPath("x")]


def test_outputs_of_random_trees_are_distinct_files_on_any_disk():
    draw = random.Random(0)
    parts = ["x", "X", "x.png", "x.jpg", "x.PNG", "é.png", "e\u0301.png", "x.png.png", "y", "ß", "SS", "n" * 210]
    for _ in range(300):
        names = list({"/".join(draw.choices(parts, k=draw.randint(1, 3))): None for _ in range(12)})
        folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
        names = [name for name in names if name not in folders]
        found = trees(*names)
        outputs = [on_any_disk(f"{tree}.png") for tree in found]
        assert len(set(outputs)) == len(outputs)
        assert not {on_any_disk(folder) for folder in folders} & set(outputs)
        assert [PurePosixPath(tree).parent for tree in found] == [PurePosixPath(name).parent for name in names]
