"""How groups are shared out: sizes, classes, and the same every time."""

from itertools import product

import numpy as np
import pytest

from segcli.training.partition import balance


def random_groups(seed, groups, classes, largest=4):
    chance = np.random.default_rng(seed)
    sizes = chance.integers(1, largest + 1, groups)
    return sizes, (chance.random((groups, classes)) < 0.3) * sizes[:, None]


def sides(holds, chosen):
    """The classes without a photo to validate on, and those without one to learn from."""
    shows = holds > 0
    held = np.isin(np.arange(len(holds)), chosen)
    return (shows.any(0) & ~shows[held].any(0)), (shows.any(0) & ~shows[~held].any(0))


@pytest.mark.parametrize("groups", [2, 5, 12, 13, 40, 300])
def test_every_class_that_two_groups_show_is_on_both_sides(groups):
    """Wherever there is room: with 13 groups and more there is."""
    sizes, holds = random_groups(groups, groups, 4)
    wanted = max(1, round(0.2 * sizes.sum()))
    chosen = balance.held_out(sizes, holds, wanted)
    assert 0 < len(chosen) < groups
    unseen, unlearned = sides(holds, chosen)
    assert not unlearned.any() or groups == 2
    if groups >= 13:
        assert not (unseen & ((holds > 0).sum(0) > 1)).any()
        assert abs(sizes[chosen].sum() - wanted) <= 1


def test_a_class_of_one_group_stays_with_the_photos_to_learn_from():
    for count in (6, 30):
        holds = np.ones((count, 2), int)
        holds[1:, 1] = 0
        assert 0 not in balance.held_out([1] * count, holds, count // 3)


def test_few_groups_are_shared_out_as_well_as_can_be():
    """Against every choice, tried here one by one: first the classes, then the number of photos."""
    for seed in range(5):
        sizes, holds = random_groups(seed, 8, 3)
        wanted = max(1, round(0.25 * sizes.sum()))
        ranked = []
        for taken in product((False, True), repeat=8):
            chosen = np.flatnonzero(taken)
            if 0 < len(chosen) < 8 and sizes[chosen].sum() <= 2 * wanted:
                unseen, unlearned = sides(holds, chosen)
                unseen &= (holds > 0).sum(0) > 1
                ranked.append((unlearned.sum(), unseen.sum(), abs(sizes[chosen].sum() - wanted)))
        found = balance.held_out(sizes, holds, wanted)
        unseen, unlearned = sides(holds, found)
        got = (unlearned.sum(), (unseen & ((holds > 0).sum(0) > 1)).sum(), abs(sizes[found].sum() - wanted))
        assert got == min(ranked)


def test_held_out_groups_are_spread():
    chosen = balance.held_out([1] * 40, np.ones((40, 1), int), 4)
    assert len(chosen) == 4
    assert chosen[0] < 13
    assert chosen[-1] > 26


def test_whole_groups_are_rather_held_out_than_pieces_of_runs():
    pieces = [True] * 4 + [False] + [True] * 4
    assert balance.held_out([5] * 9, np.ones((9, 1), int), 5, pieces) == [4]


@pytest.mark.parametrize("groups", [8, 12, 40])
def test_groups_that_must_be_learned_from_are_never_held_out(groups):
    sizes, holds = random_groups(groups, groups, 4)
    allowed = [index % 3 == 0 for index in range(groups)]
    free = balance.held_out(sizes, holds, max(1, round(0.2 * sizes.sum())))
    chosen = balance.held_out(sizes, holds, max(1, round(0.2 * sizes.sum())), allowed=allowed)
    assert not set(free) <= set(np.flatnonzero(allowed))  # without the word it would hold out others
    assert chosen
    assert set(chosen) <= set(np.flatnonzero(allowed))


def test_one_of_two_groups_is_held_out_even_if_a_class_is_lost():
    assert len(balance.held_out([1, 1], np.eye(2, dtype=int), 1)) == 1
    assert 0 < len(balance.held_out([1] * 20, np.eye(20, dtype=int), 4)) <= 8


def test_labels_without_a_class_do_no_harm():
    assert len(balance.held_out([1] * 20, np.zeros((20, 3), int), 4)) == 4
    assert sorted(balance.folds([1] * 4, np.zeros((4, 3), int), 2)) == [0, 0, 1, 1]


@pytest.mark.parametrize(("groups", "k"), [(5, 5), (23, 4), (200, 5)])
def test_folds_are_equal_and_show_every_class(groups, k):
    sizes, holds = random_groups(groups, groups, 5)
    found = np.array(balance.folds(sizes, holds, k))
    photos = [sizes[found == fold].sum() for fold in range(k)]
    assert min(photos) > 0
    if groups > 10 * k:
        assert max(photos) - min(photos) <= 2
        assert all((holds[found == fold] > 0).any(0).all() for fold in range(k))
    if groups == 23:
        spread = [((holds > 0).any(1) & (found == fold)).any() for fold in range(k)]
        assert all(spread)


def test_ten_thousand_photos_take_seconds():
    """It is bounded by steps, not by time: at most CANDIDATES groups are looked at for each."""
    sizes, holds = random_groups(0, 3000, 10, largest=1)
    assert sizes[balance.held_out(sizes, holds, 600)].sum() == 600
