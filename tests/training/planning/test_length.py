"""How many steps fit a time, worked out by hand."""

import pytest

from segcli.training.planning import length
from segcli.training.planning.length import Pace, Wanted


def keys(wanted, pace):
    found = {}
    for reason in length.decide(wanted, pace):
        found.update(reason.keys)
    return found


def steps_of(wanted, pace):
    (reason,) = (one for one in length.decide(wanted, pace) if one.topic == "iterations")
    return reason


def test_steps_are_what_fits_the_time_with_some_in_hand():
    # 10 minutes less a twentieth: 570 s; ten validations leave 530; a third of the steps takes 0.5 s, the rest 2 s
    found = keys(Wanted(10, photos=200, batch=4, thawed=False), Pace(frozen=0.5, step=2.0, validation=4.0))
    assert found["schedule.iterations"] == 458  # 353 fit; were they faster, 1.3 times as many would
    assert found["schedule.minutes"] == 10
    assert found["run.validate_every"] == 35
    assert found["model.freeze_backbone"] == 153
    assert found["run.patience"] == 5


def test_what_is_told_is_what_fits():
    told = {one.topic: one.taken for one in length.decide(Wanted(10, 200, 4, thawed=False), Pace(0.5, 2.0, 4.0))}
    assert told["iterations"] == "about 353, 7 rounds through all photos"
    assert told["backbone"] == "frozen (not changed) in the first 33 % of the iterations"


def test_weights_that_know_the_classes_are_not_frozen():
    found = keys(Wanted(10, photos=200, batch=4, thawed=True), Pace(0.5, 2.0, 4.0))
    assert found["schedule.iterations"] == 344  # 1.3 times 265
    assert "model.freeze_backbone" not in found


def test_few_photos_are_gone_through_no_oftener_than_helps():
    few = steps_of(Wanted(60, photos=12, batch=2, thawed=True), Pace(0.1, 0.1, 0.1))
    assert few.keys["schedule.iterations"] == 600
    assert "the most that a plan takes" in few.why
    many = steps_of(Wanted(600, photos=100, batch=4, thawed=True), Pace(0.1, 0.1, 0.1))
    assert many.keys["schedule.iterations"] == 2500  # 100 times 100 photos, 4 a step


def test_too_little_time_says_how_much_is_enough():
    reason = steps_of(Wanted(1, photos=40, batch=4, thawed=True), Pace(2, 2, 0))
    assert reason.keys["schedule.iterations"] == 60
    assert "only about 28 fit the time; with --minutes 3 all fit" in reason.why


def test_steps_that_are_set_need_no_time():
    found = keys(Wanted(0, photos=40, batch=4, thawed=False, steps=90), Pace(1, 1, 0.1))
    assert (found["schedule.iterations"], found["schedule.minutes"]) == (90, 0)
    assert (found["run.validate_every"], found["model.freeze_backbone"]) == (9, 30)


def test_slow_validations_become_fewer():
    found = keys(Wanted(10, photos=400, batch=4, thawed=True), Pace(1, 1, 30))
    assert found["run.validate_every"] == 160  # 114 s of 570 hold three, the rest 480 steps
    assert "run.patience" not in found


def test_folds_share_the_time():
    one = keys(Wanted(12, photos=20, batch=2, thawed=True), Pace(1, 1, 0))
    shared = keys(Wanted(12, photos=20, batch=2, thawed=True, runs=6), Pace(1, 1, 0))
    assert (one["schedule.iterations"], shared["schedule.iterations"]) == (889, 148)
    assert shared["schedule.minutes"] == 12  # of all runs together


@pytest.mark.parametrize(("steps", "decay"), [(60, 0.9167), (400, 0.9875), (100_000, 0.999)])
def test_the_average_looks_back_over_less_where_there_are_fewer_steps(steps, decay):
    assert keys(Wanted(0, 40, 4, True, steps=steps), Pace(1, 1, 0))["optimizer.ema"] == decay


def test_nothing_is_validated_where_nothing_is_held_out():
    reasons = length.decide(Wanted(10, 5, 2, False), Pace(1, 1, 0))
    assert [reason.topic for reason in reasons] == ["iterations", "backbone", "saved", "average"]
