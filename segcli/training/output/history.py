"""History: how far a run is, its best score, and what its steps and validations came to, by iteration."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore, worst

WORST = 5
"""So many photos of each validation are kept by name, those of lowest mIOU."""


@dataclass
class History:
    """The course of a run, saved with its state and shown in metrics.csv and curve.png.

    Attributes:
        iteration: How many steps are done.
        best: The highest mIOU so far, 0..1; None before the first validation.
        rows: Plain values by name, in the order of the iterations: `iteration`; where it was logged, `loss` and `rate`;
            where it was validated, `miou`, `iou` (by class name) and `worst` (pairs of a photo's name and its mIOU).
            Rows of runs that earlier versions began lack `iou` and `worst`.
        recent: Losses of the steps since the last row with a loss.
        pace: Changes of the run's length, as `schedule.position` takes them.
        seconds: What the run has taken, where its time is limited.
    """

    iteration: int = 0
    best: float | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    pace: list[tuple[int, int]] = field(default_factory=list)
    seconds: float = 0.0

    def add_step(self, loss: float) -> None:
        """Count one more step."""
        self.iteration += 1
        self.recent.append(loss)

    def change_length(self, total: int) -> None:
        """Let the run end after `total` steps in all, from now on."""
        self.pace = [change for change in self.pace if change[0] < self.iteration] + [(self.iteration, total)]

    def add_loss(self, rate: float) -> None:
        """Add the mean loss since the last such row, and the learning rate of the last step."""
        self._row().update(loss=float(np.mean(self.recent)), rate=rate)
        self.recent = []

    def add_validation(self, scores: Scores, images: Iterable[ImageScore] = ()) -> bool:
        """Add what a validation came to; returns whether its mIOU is the best so far.

        Args:
            scores: Over all validation photos; without an mIOU they are never the best.
            images: The photos' own scores.
        """
        best = scores.miou is not None and (self.best is None or scores.miou > self.best)
        if best:
            self.best = scores.miou
        failing = [[image.name, image.miou] for image in worst(images, WORST)]
        self._row().update(miou=scores.miou, iou=dict(scores.per_class), worst=failing)
        return best

    @property
    def is_validated(self) -> bool:
        """Whether the weights as they are now have been scored."""
        return bool(self.rows) and self.rows[-1]["iteration"] == self.iteration and "miou" in self.rows[-1]

    @property
    def validations(self) -> list[dict[str, Any]]:
        """The rows that hold a validation."""
        return [row for row in self.rows if "miou" in row]

    @property
    def last_miou(self) -> float | None:
        """The mIOU of the last validation; None where there was none."""
        return self.validations[-1]["miou"] if self.validations else None

    @property
    def best_row(self) -> dict[str, Any]:
        """The row of the best validation; empty where there was none."""
        return next((row for row in self.validations if row["miou"] == self.best and self.best is not None), {})

    @property
    def is_best_at_start(self) -> bool:
        """Whether no validation was better than that of the weights with which the run began."""
        first = self.rows[0] if self.rows else {}
        return self.best is not None and first.get("iteration") == 0 and first["miou"] == self.best

    def _row(self) -> dict[str, Any]:
        """The row of this iteration, made where there is none."""
        if not self.rows or self.rows[-1]["iteration"] != self.iteration:
            self.rows.append({"iteration": self.iteration})
        return self.rows[-1]
