"""Patterns leave out what their last parts match, and tell which of them matched nothing."""

from pathlib import Path

import pytest

from segcli.errors import UsageError
from segcli.files.exclusion import Exclusion


@pytest.mark.parametrize(
    ("pattern", "place", "is_folder", "expected"),
    [
        ("masks", "/p/masks", True, True),
        ("masks", "/p/masks", False, True),
        ("masks/", "/p/masks", False, False),
        ("masks/**", "/p/masks", True, True),
        ("**/masks", "/p/a/masks", True, True),
        ("./masks", "/p/masks", True, True),
        ("*_mask.png", "/p/a_mask.png", False, True),
        ("*_mask.png", "/p_mask.png/a.png", False, False),
        ("train/masks", "/p/train/masks", True, True),
        ("train/masks", "/p/test/masks", True, False),
        ("p/*.png", "/p/day/a.png", False, False),
        ("/p/masks", "/p/masks", True, True),
        ("/p/masks", "/q/p/masks", True, False),
        ("/p/masks/a/b", "/p/masks", True, False),
        ("Masks", "/p/masks", True, False),
        ("[ab].png", "/p/b.png", False, True),
        ("caf\u00e9", "/p/cafe\u0301", True, True),
    ],
)
def test_a_pattern_is_compared_with_the_last_parts(pattern, place, is_folder, expected):
    exclusion = Exclusion([pattern])
    assert exclusion.leaves_out(place, is_folder) is expected
    assert exclusion.unmatched == (() if expected else (pattern,))
    assert exclusion.count == expected


def test_what_lies_in_a_folder_that_is_left_out_is_left_out():
    exclusion = Exclusion(["masks", "*.tif"])
    assert exclusion.leaves_out_below("/masks", "/masks/day/a.png") is False, "the root itself is not asked"
    assert exclusion.leaves_out_below("/p", "/p/masks/day/a.png") is True
    assert Exclusion([Path("masks")]).leaves_out("/p/masks") is True
    assert Exclusion(["/masks"]).leaves_out_below("/", "/masks/a.png") is True
    assert exclusion.leaves_out_below("s3://bucket/p", "s3://bucket/p/masks/a.png") is True
    assert exclusion.unmatched == ("*.tif",)


@pytest.mark.parametrize("pattern", ["", "/", "**", "a/**/b", "./"])
def test_a_pattern_that_would_mislead_is_refused(pattern):
    with pytest.raises(UsageError, match="--exclude"):
        Exclusion([pattern])
