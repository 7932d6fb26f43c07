"""Pacing: a run that would take longer than its minutes is cut short, and says so."""

from segcli.distributed import Processes
from segcli.pipeline.listener import Listener
from segcli.training.output.history import History
from segcli.training.recipe import Recipe
from segcli.training.timing.clock import Clock, Costs
from segcli.training.timing.pacing import Pacer


class Heard(Listener):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def pacer(minutes, foretold=None):
    recipe = Recipe.from_dict(
        {"model": {"name": "v3-mobilenetv2"}, "schedule": {"iterations": 100, "minutes": minutes}}
    )
    return Pacer(recipe, History(), Clock(recipe, foretold), Processes(), Heard())


def test_slow_steps_shorten_the_run_and_it_is_said_once():
    one = pacer(1)
    for _ in range(10):
        one.clock.add_step(3.0, frozen=False)
    one.history.iteration = 10
    one.look()
    assert one.history.pace == [(10, 29)]  # 59.4 s hold 19 more
    assert one.total == 29
    assert one.listener.notes == [
        "29 iterations instead of 100 fit into 1 min: 57 s left, the learning rate falls to its end by then"
    ]
    one.look()
    assert len(one.listener.notes) == 1


def test_a_run_that_is_foretold_to_take_more_is_shortened_before_it_begins():
    one = pacer(1, Costs(2.0, 2.0))
    one.begin()
    assert one.history.pace == [(0, 29)]
    near = pacer(4, Costs(2.0, 2.0))
    near.begin()
    assert near.history.pace == []


def test_without_minutes_nothing_changes():
    one = pacer(0, Costs(9.0, 9.0))
    one.begin()
    for _ in range(10):
        one.clock.add_step(9.0, frozen=False)
    one.history.iteration = 10
    one.look()
    assert (one.history.pace, one.listener.notes) == ([], [])
