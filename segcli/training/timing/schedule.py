"""The learning rate and the share of pixels that OHEM keeps, over the iterations of a run."""

import math
from collections.abc import Sequence

from segcli.training.recipe import Loss, Schedule

Pace = Sequence[tuple[int, int]]
"""Changes of a run's length: (how many steps were done, of how many there are from then on), in their order."""


def total(schedule: Schedule, pace: Pace = ()) -> int:
    """How many steps a run takes in all."""
    return pace[-1][1] if pace else schedule.iterations


def position(iteration: int, schedule: Schedule, pace: Pace = ()) -> float:
    """Where in the planned schedule an iteration stands, the first being 0: itself where the length never changed.

    At each change the run stays where it is in the schedule, and goes on to its end in equal steps: the rates of a
    run that is cut short fall sooner, without a jump, and end as low as planned.
    """
    if not pace:
        return iteration
    at, place, length = 0, 0.0, schedule.iterations
    for start, changed in pace:
        if iteration < start:
            break
        place += (schedule.iterations - place) * (start - at) / (length - at)
        at, length = start, changed
    return place + (schedule.iterations - place) * (iteration - at) / (length - at)


def rate(position: float, schedule: Schedule) -> float:
    """The learning rate at a position of the schedule, the first iteration's being 0.

    "poly" is rate * (1 - position / iterations) ** power (v2 paper, section 4.1.2), "cosine" half a wave,
    rate * (1 + cos(pi * position / iterations)) / 2 (SGDR, 1608.03983, equation 5); with `end_rate` they fall to that
    instead of 0. "step" multiplies the rate by gamma every `step` iterations. During `warmup` it rises in equal steps
    to what it would be.
    """
    share = _share(position, schedule)
    warm = (position + 1) / schedule.warmup if position < schedule.warmup else 1.0
    if schedule.policy == "step" or not schedule.end_rate:
        return schedule.rate * (share * warm)
    return (schedule.end_rate + (schedule.rate - schedule.end_rate) * share) * warm


def _share(position: float, schedule: Schedule) -> float:
    """The share of the rate that the policy leaves, 1 at the start."""
    if schedule.policy == "step":
        return schedule.gamma ** (position // schedule.step)
    left = max(0.0, 1 - position / schedule.iterations)
    if schedule.policy == "cosine":
        return (1 - math.cos(math.pi * left)) / 2
    return left**schedule.power


def ohem_share(position: float, loss: Loss) -> float:
    """The share of the labelled pixels that OHEM (online hard example mining) keeps at a position, 0..1.

    It falls from all to `loss.hardest` in equal steps over `loss.hardest_after` iterations.
    """
    progress = min(1.0, position / loss.hardest_after) if loss.hardest_after else 1.0
    return 1 - (1 - loss.hardest) * progress
