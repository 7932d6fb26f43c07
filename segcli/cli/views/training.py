"""A training run on the terminal: its progress, its validations, and what to do with its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from segcli.cli.display import Display
from segcli.cli.progress import Counter, clock
from segcli.cli.views import classes, summary
from segcli.cli.views.scores import coverage, percent
from segcli.training.events import Event, Step, Validation
from segcli.training.output.history import History
from segcli.training.output.run_folder import STATE
from segcli.training.output.summary import Summary
from segcli.training.recipe import Recipe
from segcli.training.run import TrainingListener
from segcli.training.timing import schedule

if TYPE_CHECKING:
    from segcli.training.planning.foretold import Foretold

ESTIMATE_AFTER = 20
"""So many steps decide how long the rest is said to take."""
MANY_HOURS = 12
"""From here on an estimate comes with what to lower."""
LOWER = "lower schedule.iterations, augment.crop or schedule.batch if that is too long"


class TrainingDisplay(Display, TrainingListener):
    """Shows a run on stderr while it goes, and what it came to on stdout; of torchrun's processes the first alone does.

    Args:
        recipe: Of the run.
        folder: Of the run.
        as_json: One JSON object on stdout, nothing else there.
        quiet: Errors only.
    """

    def __init__(self, recipe: Recipe, folder: Path, as_json: bool = False, quiet: bool = False):
        is_main = os.environ.get("RANK", "0") == "0"
        super().__init__(as_json and is_main, quiet or not is_main)
        self.recipe = recipe
        self.folder = folder
        self.history: History | None = None
        self.bar = ExitStack()
        self.counter = Counter(self.say)
        self.seconds: list[float] = []
        self.begun = 0
        self.is_foretold = False

    def foretold(self, told: Foretold) -> None:
        """Say what a new run will take; where that is very long, also what to lower."""
        super().foretold(told)
        self.is_foretold = told.seconds is not None
        if told.seconds is not None and not told.minutes and told.seconds >= MANY_HOURS * 3600:
            self.say(LOWER, "yellow")

    def started(self, history: History) -> None:
        """Begin to count the iterations that are left."""
        self.history = history
        self.begun = history.iteration
        left = self._total(history) - self.begun
        self.counter = self.bar.enter_context(self.counting(left, "training", "iterations"))

    def _total(self, history: History) -> int:
        """How many iterations the run has in all, as things stand."""
        return schedule.total(self.recipe.schedule, history.pace)

    def follow(self, events: Iterator[Event]) -> None:
        """Take the events of `segcli.training.run.train` to the end of the run."""
        try:
            with closing(events), self.bar:
                for event in events:
                    self._show(event)
        except KeyboardInterrupt:
            if self.history is not None:
                self._say_interrupted()
            raise
        if self.history is not None:
            summary.report(self, Summary.of(self.history, self.recipe, self.folder), self.recipe)

    def _say_interrupted(self) -> None:
        if (self.folder / STATE).exists():
            self.say(f"interrupted: segcli train -o {self.folder} --resume goes on from the last checkpoint")
        else:
            self.say("interrupted before the first checkpoint: the same command starts anew")

    def _show(self, event: Event) -> None:
        if self.history is None:  # another process speaks
            return
        if isinstance(event, Step):
            self._show_step(event, self.history)
        else:
            self._show_validation(event, self.history)

    def _show_step(self, step: Step, history: History) -> None:
        self.counter.describe(f"loss {step.loss:.3f}, best mIOU {percent(history.best)}")
        self.counter.advance()
        self.seconds.append(step.seconds)
        thawed = self.recipe.model.freeze_backbone
        if self.is_foretold or self.recipe.schedule.minutes:  # what changes of that is said already
            return
        if len(self.seconds) == ESTIMATE_AFTER or (thawed and step.iteration == thawed + ESTIMATE_AFTER):
            self.counter.remark(*self._estimate(step.iteration))

    def _estimate(self, done: int) -> tuple[str, str]:
        """The time that is left by the median of the last steps, and its style; validations come on top."""
        thawed = self.recipe.model.freeze_backbone
        left = (self.recipe.schedule.iterations - done) * median(self.seconds[-ESTIMATE_AFTER:])
        text = f"about {clock(left)} for the rest, validations not counted"
        if done <= thawed:
            text += f"; longer once the backbone learns, after iteration {thawed}"
        if left < MANY_HOURS * 3600:
            return text, "dim"
        return f"{text}; {LOWER}", "yellow"

    def _show_validation(self, validation: Validation, history: History) -> None:
        self.counter.resize(self._total(history) - self.begun)  # not at each step: the pace changes all the time
        best = ", the best so far" if validation.best else ""
        self.counter.remark(
            f"iteration {validation.iteration}: val mIOU {percent(validation.scores.miou)}"
            f"{coverage(validation.scores)}{best}, "
            f"pixel accuracy {percent(validation.scores.pixel_accuracy)}, {validation.seconds:.0f} s",
            "",
        )
        now, *before = [row.get("iou", {}) for row in history.validations[:-3:-1]]
        table, rest = classes.table(now, *before)
        self.aside(table)
        if rest and not self.as_json:
            self.counter.remark(f"  {rest}", "dim")
