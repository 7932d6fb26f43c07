"""The end of a training run on the terminal: what it came to, where it fails, and what to do next."""

from __future__ import annotations

from segcli.cli.display import Display
from segcli.cli.views import classes
from segcli.cli.views.scores import percent
from segcli.training.output.run_folder import BEST
from segcli.training.output.summary import Summary
from segcli.training.recipe import Recipe
from segcli.training.timing.stopping import GAIN

WORST = 3
"""So many photos are named; --json has more of them."""


def report(display: Display, summary: Summary, recipe: Recipe) -> None:
    """Print the summary of a run that was validated or not; with --json as one object."""
    display.data(_headline(summary))
    if summary.iou:
        table, rest = classes.table(dict(sorted(summary.iou.items(), key=lambda item: (item[1] is None, item[1]))))
        display.table(table)
        if rest:
            display.data(rest)
    for name, miou in summary.worst[:WORST]:
        display.data(f"worst: {name}  mIOU {percent(miou)}")
    _tell_gain(display, summary)
    _tell_end(display, summary, recipe)
    display.say("next:", "dim")
    for command in summary.commands:
        display.data(command)
    display.json(summary.to_dict())


def _headline(summary: Summary) -> str:
    """The score of the run in one line."""
    if summary.best_miou is None:
        why = "not validated, so that nobody knows how good it is"
        return f"{why}: {summary.weights} after {summary.iterations} iterations"
    dice = f", mean Dice {percent(summary.mean_dice)}" if summary.iou else ""
    when = f"at iteration {summary.best_iteration} of {summary.iterations}"
    return f"best val mIOU {percent(summary.best_miou)}{dice} {when}: {summary.folder}"


def _tell_gain(display: Display, summary: Summary) -> None:
    """Say whether the run has bettered the weights that it began with, where those were scored."""
    if summary.first_miou is None or summary.best_miou is None:
        return
    if summary.best_iteration == 0:
        display.say(f"no better than the weights it began with: {BEST} holds those", "yellow")
    else:
        gain = 100 * (summary.best_miou - summary.first_miou)
        display.data(f"{gain:.2f} points better than the weights it began with, {percent(summary.first_miou)}")


def _tell_end(display: Display, summary: Summary, recipe: Recipe) -> None:
    """Say why not all the steps that were planned were taken."""
    planned = f"{summary.iterations} of {recipe.schedule.iterations} iterations"
    if summary.ended == "patience":
        count = recipe.run.patience
        waited = f"{count} validation{'s' * (count > 1)} without a gain of {100 * GAIN:g} points"
        display.say(f"stopped early, after {planned}: {waited}")
        display.say(f"--resume --set run.patience={2 * count} goes on", "dim")
    elif summary.ended == "minutes":
        display.say(f"{planned}: no more fitted its time; a new run with more --minutes may help")
