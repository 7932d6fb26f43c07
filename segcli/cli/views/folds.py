"""Folds on the terminal: each run's progress, then every class's score over the folds."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, closing
from typing import Any

from rich.table import Table
from rich.text import Text

from segcli.cli.display import columns
from segcli.cli.views.scores import percent
from segcli.cli.views.training import TrainingDisplay
from segcli.files.paths import shown
from segcli.training import folds
from segcli.training.folds import Across, FoldScores
from segcli.training.output.history import History
from segcli.training.output.run_folder import LAST
from segcli.training.planning.plan import Plan
from segcli.training.recipe import Recipe


class FoldsDisplay(TrainingDisplay):
    """Shows the runs of `segcli.training.folds` one after the other, and what they came to together."""

    def started(self, history: History) -> None:
        """Another run begins: count its iterations."""
        self.bar.close()
        self.bar, self.seconds = ExitStack(), []
        super().started(history)

    def run(self, job: Recipe | Plan, k: int, **flags: Any) -> None:
        """Train k folds and the run on all photos, to the end."""
        events = folds.run(job, self.folder, k, **flags, listener=self)
        try:
            with closing(events):
                for event in events:
                    self._show(event.event)
        except KeyboardInterrupt:
            self.say("interrupted: the same command with --resume goes on from the last checkpoint")
            raise
        finally:
            self.bar.close()
        if self.history is not None:
            self._report(folds.read(self.folder, k))

    def _report(self, scores: FoldScores) -> None:
        self.table(_table(scores))
        self.data(f"mIOU over {scores.miou.folds} folds: {_told(scores.miou)}")
        self.data(f"{self.folder} holds the model that learned from all photos: expect about that mIOU")
        self.data(f"segcli predict PHOTOS --weights {shlex.quote(str(self.folder / LAST))}")
        self.json({"output": str(self.folder), "weights": str(self.folder / LAST), **scores.to_dict()})


def _table(scores: FoldScores) -> Table:
    table = columns("class", "mean IOU", "highest less lowest", right=("mean IOU", "highest less lowest"))
    for name, across in scores.per_class.items():
        table.add_row(Text(shown(name)), percent(across.mean), percent(across.spread))
    return table


def _told(across: Across) -> str:
    return f"{percent(across.mean)}, {percent(across.spread)} between the highest and the lowest"
