"""Clock: what a run takes by what its parts took so far, and how many steps `schedule.minutes` leaves it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean

from segcli.training.recipe import Recipe
from segcli.training.timing import schedule
from segcli.training.timing.schedule import Pace

CHECKED_AFTER = 10
"""After so many steps the time of a step is known, and once more after so many with the backbone learning."""
TRUSTED_AFTER = 4
"""Fewer steps, the slow first one among them, say less than what was foretold."""
CHECKS = 20
"""So often, evenly over the run, the time that is left is looked at."""
RECENT = 50
"""So many of the last steps tell what the next ones take."""
OFF = 0.25
"""From this difference on, as a share, an estimate is worth a word."""
RESERVE = 0.01
"""The share of the minutes that is kept for what nobody foresees."""
SLOWER, FASTER = 0.02, 0.1
"""The run's length is changed where it would take so much longer, or so much less, as shares of what is left."""
THAWED = 2.5
"""A step with all learning takes about so many times one with the backbone frozen, until one was taken."""


@dataclass(frozen=True)
class Costs:
    """The seconds of the parts of a run.

    Attributes:
        frozen: A step with the backbone frozen.
        step: A step with all learning.
        validation: Scoring all photos to validate on, and what is saved and drawn of it; 0 where there are none.
        saving: Writing the state and a checkpoint.
    """

    frozen: float
    step: float
    validation: float = 0.0
    saving: float = 0.0

    def left(self, recipe: Recipe, done: int, total: int, pace: Pace = ()) -> float:
        """The seconds from `done` steps to the end of a run that changes now to `total` steps."""
        count, frozen = total - done, _frozen_left(recipe, done, total, pace)
        validations = _occasions(recipe.run.validate_every, done, total) if self.validation else 0
        savings = _occasions(recipe.run.save_every, done, total) + validations
        steps = frozen * self.frozen + (count - frozen) * self.step
        return steps + validations * self.validation + savings * self.saving


@dataclass
class Clock:
    """The time of one run, its parts before it was stopped included.

    Attributes:
        recipe: Of the run.
        foretold: What its parts were thought to take before the first step; None: nobody knew.
        before: The seconds of the run's earlier parts, as the state holds them.
        start: When this part began.
    """

    recipe: Recipe
    foretold: Costs | None = None
    before: float = 0.0
    start: float = field(default_factory=time.perf_counter)
    _steps: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    _validations: list[float] = field(default_factory=list)
    _savings: list[float] = field(default_factory=list)

    @property
    def spent(self) -> float:
        """The seconds of the run so far."""
        return self.before + time.perf_counter() - self.start

    def add_step(self, seconds: float, frozen: bool) -> None:
        """Take note of a step, with the backbone frozen or not."""
        self._steps[frozen].append(seconds)

    def add_validation(self, seconds: float) -> None:
        """Take note of a validation."""
        self._validations.append(seconds)

    def add_saving(self, seconds: float) -> None:
        """Take note of a state and a checkpoint that were written."""
        self._savings.append(seconds)

    def is_due(self, done: int, total: int) -> bool:
        """Whether after so many steps the time is to be looked at; it is the same for all processes of a run."""
        if self.foretold is not None and sum(map(len, self._steps.values())) < TRUSTED_AFTER:
            return False
        return self._knows_more or done % max(1, total // CHECKS) == 0

    @property
    def _knows_more(self) -> bool:
        """Whether the time of steps of one kind is known from now on."""
        frozen, thawed = (len(self._steps[kind]) for kind in (True, False))
        return thawed == CHECKED_AFTER or (not thawed and frozen == CHECKED_AFTER)

    @property
    def costs(self) -> Costs:
        """What the parts of the run take, as they took it last; as foretold where none has been measured."""
        known = self.foretold or Costs(0.0, 0.0)
        frozen, thawed = (_recent(self._steps[kind]) for kind in (True, False))
        if thawed is None:
            ratio = known.step / known.frozen if known.frozen else THAWED
            thawed = frozen * ratio if frozen else known.step
        validation, saving = _recent(self._validations), _recent(self._savings)
        return Costs(
            (known.frozen or thawed) if frozen is None else frozen,
            thawed,
            known.validation if validation is None else validation,
            known.saving if saving is None else saving,
        )

    def difference(self, done: int, total: int, pace: Pace) -> str:
        """A word on an estimate that was far off, once its steps are measured; "" where it was near or is not due."""
        kind = not self._steps[False]
        if self.foretold is None or not self._knows_more:
            return ""
        taken, thought = _recent(self._steps[kind]), self.foretold.frozen if kind else self.foretold.step
        if abs(taken - thought) <= OFF * thought:
            return ""
        whole = self.spent + self.costs.left(self.recipe, done, total, pace)
        return f"an iteration takes {taken:.2g} s, not {thought:.2g} s as foretold: about {duration(whole)} in all"

    def fitting(self, done: int, pace: Pace) -> int | None:
        """The number of steps with which the run ends within its minutes; None where it may stay as it is.

        Never more than the recipe has, and always one more than are done, so that the rate comes to its end.
        """
        if not self.recipe.schedule.minutes:
            return None
        planned, now = self.recipe.schedule.iterations, schedule.total(self.recipe.schedule, pace)
        budget, costs = 60 * self.recipe.schedule.minutes * (1 - RESERVE) - self.spent, self.costs
        fits = _largest(done + 1, planned, lambda total: costs.left(self.recipe, done, total, pace) <= budget)
        slack = SLOWER if fits < now else FASTER
        return fits if abs(fits - now) > slack * (now - done) else None


def duration(seconds: float) -> str:
    """A time in words of two units at most: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _frozen_left(recipe: Recipe, done: int, total: int, pace: Pace) -> int:
    """How many of the steps from `done` to `total` leave the backbone frozen."""
    here = schedule.position(done, recipe.schedule, pace)
    pitch = (recipe.schedule.iterations - here) / max(1, total - done)
    ahead = recipe.model.freeze_backbone - here
    return min(total - done, math.ceil(ahead / pitch)) if ahead > 0 else 0


def _occasions(every: int, done: int, total: int) -> int:
    """How often something happens every so many steps, and at the end, from `done` to `total`."""
    return total // every - done // every + (total % every > 0)


def _recent(seconds: list[float]) -> float | None:
    """The mean of the last ones, without the first of all, which is slower; None where there are none."""
    return fmean(seconds[-RECENT:] if len(seconds) > RECENT else seconds[1:] or seconds) if seconds else None


def _largest(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """The largest number in low..high that fits, where what fits is smaller than what does not; `low` if none does."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
