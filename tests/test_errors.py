import pytest

from segcli.errors import LONGEST, DatasetError, nearest


@pytest.mark.parametrize(
    ("word", "options", "hint"),
    [
        ("bycicle", {}, "Did you mean bicycle?"),
        ("train", {"most": 2}, "Did you mean train or brain?"),
        ("xyz", {}, "Known: bicycle, brain, train."),
        ("xyz", {"otherwise": "Look elsewhere."}, "Look elsewhere."),
    ],
)
def test_a_hint_offers_what_is_near_else_all(word, options, hint):
    assert nearest(word, iter(["bicycle", "brain", "train"]), **options) == hint


def test_what_files_hold_does_not_break_recolour_or_fill_the_screen():
    error = DatasetError("the class 'a\nb\x1b[31m' is not listed", "x" * 10_000_000)
    assert error.message == r"the class 'a\nb\x1b[31m' is not listed"
    assert error.hint == "x" * (LONGEST - 3) + "..."
    assert str(DatasetError("the class 'ü' is unknown", "Name it.")) == "the class 'ü' is unknown. Name it."
