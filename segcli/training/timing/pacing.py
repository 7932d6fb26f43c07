"""Pacing: a run's length is looked at now and then, so that it ends within its minutes, and what changes is said."""

from __future__ import annotations

from dataclasses import dataclass

from segcli.distributed import Processes
from segcli.pipeline.listener import Listener
from segcli.training.output.history import History
from segcli.training.recipe import Recipe
from segcli.training.timing import schedule
from segcli.training.timing.clock import Clock, duration

WORTH_SAYING = 0.25
"""A change of the length by this share is said; smaller ones come and go with the load of the machine."""


@dataclass
class Pacer:
    """Changes a run's length by its clock; the main process decides for all.

    Attributes:
        recipe: Of the run.
        history: Of the run; takes the changes.
        clock: Of the run.
        processes: Who shares the work.
        listener: Hears what is changed and, where no minutes are kept, of an estimate that was far off.
        said: The length that it heard last; 0: none yet.
    """

    recipe: Recipe
    history: History
    clock: Clock
    processes: Processes
    listener: Listener
    said: int = 0

    @property
    def total(self) -> int:
        """How many steps the run takes in all, as things stand."""
        return schedule.total(self.recipe.schedule, self.history.pace)

    def begin(self) -> None:
        """Shorten a run that by what was foretold would take more than its minutes."""
        minutes, costs = self.recipe.schedule.minutes, self.clock.foretold
        if not minutes or costs is None or self.history.iteration:
            return
        if self.clock.spent + costs.left(self.recipe, 0, self.total) > 60 * minutes:
            self._keep_minutes()

    def look(self, validated: bool = False) -> None:
        """Look at the time after a step or a validation, where it is due."""
        done = self.history.iteration
        if done >= self.total or not (validated or self.clock.is_due(done, self.total)):
            return
        if self.recipe.schedule.minutes:
            self._keep_minutes()
        elif said := self.clock.difference(done, self.total, self.history.pace):
            self.listener.note(said)

    def _keep_minutes(self) -> None:
        """Change the length where the minutes ask for it."""
        done, before = self.history.iteration, self.total
        fits = self.processes.all_gather(self.clock.fitting(done, self.history.pace))[0]
        if fits is None:
            return
        self.history.change_length(fits)
        heard = self.said or before
        if abs(fits - heard) > WORTH_SAYING * heard:
            self._say(fits, heard)

    def _say(self, fits: int, before: int) -> None:
        left = self.clock.costs.left(self.recipe, self.history.iteration, fits, self.history.pace)
        self.said = fits
        minutes = f"{round(self.recipe.schedule.minutes, 2):g} min"
        self.listener.note(
            f"{fits} iterations instead of {before} fit into {minutes}: "
            f"{duration(left)} left, the learning rate falls to its end by then"
        )
