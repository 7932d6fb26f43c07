"""Summary: what a run that has ended came to: its best validation, where that fails, and why the run ended."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from segcli.evaluation.metrics import dice_of
from segcli.training.output.history import History
from segcli.training.output.run_folder import BEST, LAST
from segcli.training.recipe import Recipe
from segcli.training.timing import stopping

Ended = Literal["iterations", "patience", "minutes"]
"""Why a run ended: all its steps were taken, validations brought no gain any more, or its time was used."""


@dataclass(frozen=True)
class Summary:
    """What a run came to. Scores are in 0..1; those of the best validation where nothing else is said.

    Attributes:
        folder: Of the run.
        weights: The checkpoint to use: the best one, or the newest where nothing was validated.
        iterations: How many steps were taken.
        ended: Why no more were.
        best_iteration: The steps after which the best validation came; None without a validation that scored.
        best_miou: Its mIOU.
        last_miou: That of the last validation.
        first_miou: That of the weights with which the run began; None where they did not know the classes.
        iou: By class name; None for a class with no pixel in truth or prediction. Empty where an earlier version of
            segcli validated.
        worst: Names and mIOUs of the photos of lowest mIOU, the lowest first; empty likewise.
    """

    folder: Path
    weights: Path
    iterations: int
    ended: Ended
    best_iteration: int | None
    best_miou: float | None
    last_miou: float | None
    first_miou: float | None
    iou: dict[str, float | None]
    worst: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, history: History, recipe: Recipe, folder: Path) -> Summary:
        """The summary of a run that has ended."""
        best, first = history.best_row, next(iter(history.validations), {})
        return cls(
            folder,
            folder / (BEST if (folder / BEST).is_file() else LAST),
            history.iteration,
            _ended(history, recipe),
            best.get("iteration"),
            history.best,
            history.last_miou,
            first.get("miou") if first.get("iteration") == 0 else None,
            dict(best.get("iou", {})),
            tuple((name, miou) for name, miou in best.get("worst", ())),
        )

    @property
    def dice(self) -> dict[str, float | None]:
        """The Dice coefficient by class name."""
        return {name: dice_of(iou) for name, iou in self.iou.items()}

    @property
    def mean_dice(self) -> float | None:
        """Its mean over the classes that `best_miou` is the mean of."""
        known = [value for value in self.dice.values() if value is not None]
        return fmean(known) if known else None

    @property
    def commands(self) -> list[str]:
        """What to do next, each a command line."""
        run = shlex.quote(str(self.folder))
        scored = [f"segcli eval --weights {run}"] if self.best_miou is not None else []
        return [*scored, f"segcli predict PHOTOS --weights {run}"]

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain values, as `segcli train --json` prints them."""
        return {
            "output": str(self.folder),
            "weights": str(self.weights),
            "iterations": self.iterations,
            "ended": self.ended,
            "best_miou": self.best_miou,
            "best_iteration": self.best_iteration,
            "last_miou": self.last_miou,
            "first_miou": self.first_miou,
            "iou": self.iou,
            "dice": self.dice,
            "mean_dice": self.mean_dice,
            "worst": [{"name": name, "miou": miou} for name, miou in self.worst],
            "next": self.commands,
        }


def _ended(history: History, recipe: Recipe) -> Ended:
    if history.iteration >= recipe.schedule.iterations:
        return "iterations"
    return "patience" if stopping.due(history, recipe) else "minutes"
