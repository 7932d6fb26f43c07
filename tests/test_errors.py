import pytest

from segcli.errors import nearest


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
