"""History: how far a run is, its best score, and the rows of metrics.csv."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class History:
    """The course of a run, saved with its state and shown in metrics.csv and curve.png.

    Attributes:
        iteration: How many steps are done.
        best: The highest mIOU so far, 0..1; None before the first validation.
        rows: Rows of metrics.csv: iteration, loss, rate and, where it was validated, miou.
        recent: Losses of the steps since the last row with a loss.
    """

    iteration: int = 0
    best: float | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)

    def add_step(self, loss: float) -> None:
        """Count one more step."""
        self.iteration += 1
        self.recent.append(loss)

    def add_loss(self, rate: float) -> None:
        """Add the mean loss since the last such row, and the learning rate of the last step."""
        self._row().update(loss=float(np.mean(self.recent)), rate=rate)
        self.recent = []

    def add_score(self, miou: float | None) -> bool:
        """Add the mIOU (0..1; None where no class occurs) of a validation; returns whether it is the best so far."""
        best = miou is not None and (self.best is None or miou > self.best)
        if best:
            self.best = miou
        self._row()["miou"] = miou
        return best

    @property
    def is_validated(self) -> bool:
        """Whether the weights as they are now have been scored."""
        return bool(self.rows) and self.rows[-1]["iteration"] == self.iteration and "miou" in self.rows[-1]

    @property
    def last_miou(self) -> float | None:
        """The mIOU of the last validation; None where there was none."""
        return next((row["miou"] for row in reversed(self.rows) if "miou" in row), None)

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
