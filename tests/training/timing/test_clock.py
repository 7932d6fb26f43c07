"""Clock: the time of a run by hand, and the steps that its minutes leave."""

import pytest

from segcli.training.recipe import Recipe
from segcli.training.timing import clock
from segcli.training.timing.clock import Clock, Costs, duration


def recipe_of(iterations=100, minutes=0.0, frozen=0, validate_every=1000, save_every=1000):
    return Recipe.from_dict(
        {
            "model": {"name": "v3-mobilenetv2", "freeze_backbone": frozen},
            "schedule": {"iterations": iterations, "minutes": minutes},
            "run": {"validate_every": validate_every, "save_every": save_every},
        }
    )


class Time:
    """Stands in for the clock on the wall."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(clock.time, "perf_counter", lambda: self.now)


@pytest.fixture
def wall(monkeypatch):
    return Time(monkeypatch)


def test_a_run_is_the_sum_of_its_parts():
    """40 frozen steps of 1 s, 60 of 3 s; validations at 30, 60, 90, 100 of 5 s; states at 50, 100 and with each."""
    costs = Costs(1.0, 3.0, validation=5.0, saving=0.5)
    assert costs.left(recipe_of(frozen=40, validate_every=30, save_every=50), 0, 100) == 40 + 180 + 4 * 5 + 6 * 0.5
    assert Costs(1.0, 3.0).left(recipe_of(frozen=40, validate_every=30), 50, 100) == 150


def test_a_shorter_run_is_frozen_for_a_smaller_part():
    """From 20 of 100 on to 60 in all, each step goes two places on: 10 more to place 40, then 30."""
    assert Costs(1.0, 3.0).left(recipe_of(frozen=40), 20, 60) == 10 + 90


def test_what_was_measured_stands_for_what_was_foretold(wall):
    one = Clock(recipe_of(frozen=10), Costs(1.0, 3.0, 7.0, 0.1))
    assert one.costs == Costs(1.0, 3.0, 7.0, 0.1)
    one.add_step(9.0, frozen=True)  # the first is slower
    for _ in range(3):
        one.add_step(2.0, frozen=True)
    assert one.costs == Costs(2.0, 6.0, 7.0, 0.1)  # three times the frozen one, as foretold
    one.add_step(5.0, frozen=False)
    one.add_validation(8.0)
    assert one.costs == Costs(2.0, 5.0, 8.0, 0.1)


def test_the_minutes_leave_what_they_hold(wall):
    """One minute less a hundredth; 9.4 s are gone: 50 s hold 25 steps of 2 s more."""
    one = Clock(recipe_of(minutes=1), before=5.0, start=0.0)
    for _ in range(10):
        one.add_step(2.0, frozen=False)
    wall.now = 4.39
    assert one.spent == pytest.approx(9.39)
    assert one.fitting(10, ()) == 35
    assert one.fitting(10, [(10, 35)]) is None
    wall.now = 100.0
    assert one.fitting(10, ()) == 11  # one more, at the end of the rates


def test_a_run_is_never_longer_than_its_recipe_and_small_changes_do_not_count(wall):
    fast = Clock(recipe_of(minutes=10), start=0.0)
    fast.add_step(0.1, frozen=False)
    assert fast.fitting(10, ()) is None
    assert fast.fitting(10, [(5, 50)]) == 100
    assert fast.fitting(10, [(5, 95)]) is None
    assert Clock(recipe_of(), Costs(9.0, 9.0)).fitting(10, ()) is None  # without minutes


def test_an_estimate_that_was_far_off_is_told_once(wall):
    """Ten steps of 2 s instead of 1 s: 20 s so far and 90 more of 2 s."""
    one = Clock(recipe_of(), Costs(1.0, 1.0), start=0.0)
    told = []
    for done in range(1, 21):
        wall.now += 2.0
        one.add_step(2.0, frozen=False)
        told.append(one.difference(done, 100, ()))
    assert [text for text in told if text] == ["an iteration takes 2 s, not 1 s as foretold: about 3 min in all"]
    assert told[9]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (720, "12 min"), (12_000, "3 h 20 min")])
def test_times_in_words(seconds, text):
    assert duration(seconds) == text


def test_the_first_steps_say_less_than_what_was_foretold(wall):
    known, unknown = Clock(recipe_of(20), Costs(1.0, 1.0)), Clock(recipe_of(20))
    due = []
    for done in range(1, 6):
        known.add_step(1.0, frozen=True)
        unknown.add_step(1.0, frozen=True)
        due.append((known.is_due(done, 20), unknown.is_due(done, 20)))
    assert due == [(False, True)] * 3 + [(True, True)] * 2
